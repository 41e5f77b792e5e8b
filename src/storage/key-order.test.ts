import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareKeys, inRange } from './key-order.ts';

test('keys are ordered as their UTF-8 bytes are', () => {
  const keys = ['', '/', '/a', '/a/b', '/ab', '/b', '/é', '/\u{d7ff}', '/\u{e000}', '/\u{ffee}', '/\u{10000}', '/\u{1f600}', '0'];
  for (const a of keys) {
    for (const b of keys) {
      const bytes = Buffer.compare(Buffer.from(a), Buffer.from(b));
      assert.equal(Math.sign(compareKeys(a, b)), bytes, `${a} and ${b}`);
    }
  }
});

test('a range has its start and not its end', () => {
  const inside = ['/a', '/b', '/b\0', '/bz', '/c', '/c\0'].filter((key) => inRange(key, '/b', '/c'));
  assert.deepEqual(inside, ['/b', '/b\0', '/bz']);
});
