import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { decodeHello, encodeHello, type Hello } from './hello.ts';

const key = Buffer.from('the key of the cluster');
const hello: Hello = { node: 'a', life: 'b', count: 1, isReady: true };
/** Whatever a speaker with the key might say. */
const signed = (text: string): Buffer => Buffer.from(`${text}\n${createHmac('sha256', key).update(text).digest('base64')}`);

test('what one says the other reads', () => {
  assert.deepEqual(decodeHello(encodeHello(hello, key), key), hello);
  assert.deepEqual(decodeHello(encodeHello({ ...hello, isReady: false }, key), key), { ...hello, isReady: false });
});

test('a hello is text with its signature, which speakers of other versions read', () => {
  assert.deepEqual(encodeHello(hello, key), signed('{"node":"a","life":"b","count":1,"isReady":true}'));
});

const right = encodeHello(hello, key);
for (const [what, datagram] of [
  ['signed with another key', encodeHello(hello, Buffer.from('another'))],
  ['changed on its way', Buffer.from(right.toString().replace('"a"', '"c"'))],
  ['without its signature', Buffer.from(right.toString().split('\n')[0] ?? '')],
  ['whose signature is cut off', right.subarray(0, -1)],
  ['that is empty', Buffer.alloc(0)],
  ['without a node', signed('{"life":"b","count":1}')],
  ['without a life', signed('{"node":"a","count":1}')],
  ['whose count is text', signed('{"node":"a","life":"b","count":"1"}')],
  ['longer than any can be', signed(JSON.stringify({ ...hello, node: 'a'.repeat(1024) }))],
] as const)
  test(`a datagram ${what} says nothing`, () => assert.equal(decodeHello(datagram, key), undefined));

test('who does not say that it is ready is not', () => {
  assert.equal(decodeHello(signed('{"node":"a","life":"b","count":1}'), key)?.isReady, false);
});
