import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Budget, countValues, measureJson, measureValue } from './limits.ts';
import { decodeProtobuf, encodeProtobuf } from './protobuf.ts';
import { readYaml } from './yaml.ts';

const limits = { depth: 3, values: 6 };

describe('countValues()', () => {
  test('is what measureJson() says of the text, unless a key stands twice', () => {
    for (const text of ['1', '"a,b"', 'null', '[]', '{}', '[1,[2,{"a":null}],{}]', '{"a":{"b":[{},{}]},"1":2,"__proto__":{"c":3}}'])
      assert.equal(countValues(JSON.parse(text)), measureJson(Buffer.from(text)), text);
    for (const text of ['{"a":1,"a":1}', '[{"b":{"a":[1,2],"\\u0061":3}}]', '{"a":{},"a":{ }}', '{"__proto__":1,"__proto__":[1]}'])
      assert.ok(countValues(JSON.parse(text)) < measureJson(Buffer.from(text)), text);
  });
});

describe('measureJson()', () => {
  const cases: readonly (readonly [text: string, result: number | RegExp])[] = [
    ['1', 1],
    ['{}', 1],
    ['[[],{}]', 3],
    ['{"a":1,"b":[1,2,3]}', 6],
    ['{"a":1,"b":[1,2,3,4]}', /too many values: more than 6/],
    ['[[[1]]]', 4],
    ['[[[[', /nested too deeply: more than 3/],
    ['[[[]],[[]]]', 5],
    ['{"[[[[,,,,,,,,":"\\"[[[[,,,,,,,\\\\"}', 2],
    ['"never closed [[[[ ,,,,,,,,', 1],
  ];
  for (const [text, result] of cases) {
    test(`of ${text} is ${result}`, () => {
      if (typeof result === 'number') assert.equal(measureJson(Buffer.from(text), limits), result);
      else assert.throws(() => measureJson(Buffer.from(text), limits), { name: 'LimitError', message: result });
    });
  }

  test('is never less than what JSON.parse makes of it', () => {
    const value = { a: [1, { b: [[], {}], c: 'x,[{' }, null], d: [[[{ e: '"' }]]], f: {} };
    const count = (v: unknown): number => (v && typeof v === 'object' ? 1 + Object.values(v).reduce((n: number, i) => n + count(i), 0) : 1);
    for (const space of [0, 2]) assert.ok(measureJson(Buffer.from(JSON.stringify(value, null, space))) >= count(value));
  });
});

describe('the limits of a body', () => {
  const lines = (n: number, of: (i: number) => string): string => Array.from({ length: n }, (_, i) => of(i)).join('\n');
  const yaml: readonly (readonly [what: string, text: () => string, message: RegExp])[] = [
    ['flow lists within each other', () => '['.repeat(1e6), /nested too deeply/],
    ['block lists within each other', () => `a:\n${'- '.repeat(1.5e6)}`, /nested too deeply/],
    ['maps within each other', () => lines(1000, (i) => `${' '.repeat(i)}a:`), /nested too deeply/],
    ['keys', () => lines(150_000, (i) => `k${i}: v`), /too many values/],
    ['entries of a flow list', () => `a: [${'1,'.repeat(1e6)}]`, /too many values/],
    ['empty lines', () => `a: b${'\n'.repeat(3e6)}`, /too many values/],
    ['comments', () => '#\n'.repeat(1e6), /too many values/],
    ['tags', () => '!!str '.repeat(5e5), /too many tags/],
    ['anchors', () => `a: ${'&a '.repeat(1e6)}`, /too many tags/],
    ['JSON', () => `{"a":${'['.repeat(1e6)}`, /nested too deeply/],
    ['flow style that begins as JSON', () => `{a: b, c: [${'x,'.repeat(1e6)}]}`, /too many values/],
    ['values by aliases', () => `a: &a [${'x,'.repeat(2000)}]\nb: [${'*a,'.repeat(99)}]`, /too many values/],
  ];
  for (const [what, text, message] of yaml) {
    test(`hold for ${what} in YAML`, () => assert.throws(() => readYaml(text()), { name: 'LimitError', message }));
  }

  test('let pass what people write', () => {
    const text = `data:\n  text: |\n${'    - [ { : , &\n'.repeat(100_000)}`;
    assert.equal(Object.keys((readYaml(text).value as { data: object }).data).length, 1);
    assert.ok(readYaml(lines(8000, (i) => `k${i}: {a: [1, 2]}`)).value);
  });

  const varint = (n: number): number[] => (n < 128 ? [n] : [(n & 127) | 128, ...varint(n >>> 7)]);
  const envelope = (kind: string, raw: Buffer): Buffer => {
    const head = encodeProtobuf({ apiVersion: 'v1', kind });
    // In place of the empty message.
    const [at, typeMeta] = [4, head[5]!];
    return Buffer.concat([head.subarray(0, at + 2 + typeMeta), Buffer.from([0x12, ...varint(raw.length)]), raw]);
  };

  test('hold for empty messages, and for fields that are not known, in protobuf', () => {
    // PodSpec, which is 2 of Pod, has its containers as 2.
    const container = Buffer.from([0x12, 0x00]);
    const containers = Buffer.concat(Array.from({ length: 200_000 }, () => container));
    const pod = Buffer.concat([Buffer.from([0x12, ...varint(containers.length)]), containers]);
    assert.throws(() => decodeProtobuf(envelope('Pod', pod)), { name: 'LimitError', message: /too many values/ });
    const unknown = Buffer.concat(Array.from({ length: 200_000 }, () => Buffer.from([0xf8, 0x07, 0x01])));
    assert.throws(() => decodeProtobuf(envelope('Pod', unknown)), { name: 'LimitError', message: /too many values/ });
  });

  test('hold for JSON in protobuf', () => {
    assert.throws(() => decodeProtobuf(envelope('Pod', Buffer.from(`{"a":${'['.repeat(1e5)}`))), { name: 'LimitError' });
  });

  test('hold for several pieces of JSON together', () => {
    const budget = new Budget({ depth: 3, values: 6 });
    budget.json(Buffer.from('[1,2]'));
    budget.json(Buffer.from('[1]'));
    assert.throws(() => budget.json(Buffer.from('[1,2]')), { name: 'LimitError', message: /too many values/ });
  });

  test('hold for a value that holds itself many times over', () => {
    let value: unknown[] = [];
    for (let i = 0; i < 40; i++) value = [value, value];
    assert.throws(() => measureValue(value), { name: 'LimitError', message: /too many values/ });
  });
});
