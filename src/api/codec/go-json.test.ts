import assert from 'node:assert/strict';
import test from 'node:test';
import { asGoWrites } from './go-json.ts';
import { encodeProtobuf } from './protobuf.ts';

const table: readonly (readonly [string, unknown, string])[] = [
  [
    'keys in order, at each level',
    { b: { d: 1, c: [{ z: 0, y: 0 }] }, a: 2, $patch: 'replace' },
    '{"$patch":"replace","a":2,"b":{"c":[{"y":0,"z":0}],"d":1}}',
  ],
  ['what HTML would read as markup', { args: ['a && b < c > d'] }, '{"args":["a \\u0026\\u0026 b \\u003c c \\u003e d"]}'],
  ['line separators', '\u2028\u2029', '"\\u2028\\u2029"'],
  ['escapes of JSON beside them', 'say "<hi>"\n', '"say \\"\\u003chi\\u003e\\"\\n"'],
  ['what is not there', { a: undefined, b: null, c: false, d: 0, e: '' }, '{"b":null,"c":false,"d":0,"e":""}'],
];

for (const [sentence, value, text] of table)
  test(`asGoWrites() gives ${sentence} as Go does`, () => {
    assert.equal(JSON.stringify(asGoWrites(value)), text);
    assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(value)));
  });

test('the data of a ControllerRevision is written so in protobuf too', () => {
  const revision = { apiVersion: 'apps/v1', kind: 'ControllerRevision', metadata: { name: 'a' }, revision: 1, data: { b: 'x && y', a: 1 } };
  assert.ok(encodeProtobuf(revision).includes('{"a":1,"b":"x \\u0026\\u0026 y"}'));
});
