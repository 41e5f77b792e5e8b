import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { JsonIndent, wantsPretty } from './pretty.ts';

test('wantsPretty() is what the query says, and otherwise whether a person is likely to read', () => {
  const of = (url: string, agent?: string): boolean => wantsPretty({ url, headers: agent === undefined ? {} : { 'user-agent': agent } });
  const people = ['curl/8.5.0', 'Wget/1.21', 'Mozilla/5.0 (X11)'];
  assert.deepEqual(
    [...people, 'kubectl/v1.35.3', 'Mozilla/4.0', ''].map((agent) => of('/api', agent)),
    [true, true, true, false, false, false],
  );
  assert.equal(of('/api'), false);
  for (const yes of ['1', 't', 'true', 'TRUE']) assert.equal(of(`/api?limit=1&pretty=${yes}`), true, yes);
  for (const no of ['0', 'false', 'yes', 'tRUE']) assert.equal(of(`/api?pretty=${no}`, 'curl/8.5.0'), false, no);
  assert.equal(of('/api?pretty=', 'curl/8.5.0'), true, 'an empty one says nothing');
  assert.equal(of('/api?labelSelector=pretty%3Dtrue'), false);
  assert.equal(wantsPretty({ url: '/api?pretty=0', headers: { accept: 'application/json;pretty=1' } }), true);
});

describe('JsonIndent', () => {
  const values = [
    {},
    [],
    null,
    3,
    'a',
    [[], {}, [[]], [{}, 1]],
    { a: { b: [1, 2, { c: null }] }, d: {}, e: 'x' },
    { 'k"e\\y,:': 'v{[ ]}",:\\', ü: ' \n\t ü€😀 ', long: '\\'.repeat(1_000) },
    JSON.parse(`${'['.repeat(60)}1${']'.repeat(60)}`),
  ];

  test('writes what Go’s MarshalIndent writes', () => {
    for (const value of values) {
      const text = JSON.stringify(value);
      assert.equal(new JsonIndent().write(Buffer.from(`${text}\n`)).toString(), JSON.stringify(value, null, 2), text);
    }
  });

  test('takes it in pieces that end anywhere', () => {
    const text = Buffer.from(JSON.stringify(values));
    for (const size of [1, 2, 7]) {
      const indent = new JsonIndent();
      const pieces: Buffer[] = [];
      for (let at = 0; at < text.length; at += size) pieces.push(indent.write(text.subarray(at, at + size)));
      assert.equal(Buffer.concat(pieces).toString(), JSON.stringify(values, null, 2), `pieces of ${size}`);
    }
  });
});
