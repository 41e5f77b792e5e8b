import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseJsonPath, valuesAt } from './json-path.ts';
import { printerColumns } from './printer-columns.ts';

const object = {
  metadata: { name: 'a', creationTimestamp: '2026-01-01T00:00:00Z', annotations: { 'example.com/a': 'x' }, labels: { 'a b': 'y' } },
  spec: {
    replicas: 3,
    ports: [
      { name: 'http', port: 80 },
      { name: 'dns', port: 53 },
    ],
    ratio: 0.5,
    on: true,
    tags: { b: 1, a: [true] },
  },
  status: {
    conditions: [
      { type: 'Ready', status: 'True' },
      { type: 'Synced', status: 'False', weight: 2 },
    ],
  },
};

describe('a path', () => {
  for (const [text, ...values] of [
    ['.spec.replicas', 3],
    ['spec.replicas', 3],
    ['.spec.missing.more'],
    ['.spec.ports[1].port', 53],
    ['.spec.ports[-1].port', 53],
    ['.spec.ports[5].port'],
    ['.spec.ports[*].port', 80, 53],
    ['.spec.ports[0:1].port', 80],
    ['.spec.ports[::2].port', 80],
    ['.metadata.annotations.example\\.com/a', 'x'],
    ["['metadata']['labels']['a b']", 'y'],
    ['.status.conditions[?(@.type=="Ready")].status', 'True'],
    [".status.conditions[?(@.type=='Synced')].status", 'False'],
    ['.status.conditions[?(@.type!="Ready")].type', 'Synced'],
    ['.status.conditions[?(@.weight)].type', 'Synced'],
    ['.status.conditions[?(@.weight>1)].type', 'Synced'],
    ['.status.conditions[?(@.weight<=1)].type'],
    ['..port', 80, 53],
    ['.spec.tags.*', 1, [true]],
    ['.constructor'],
  ] as const)
    test(`${text} names ${values.length} values`, () =>
      assert.deepEqual([...valuesAt(object, parseJsonPath(text) ?? assert.fail('no path'))], values));

  for (const text of ['.a[', '.a[b]', '.a[?(@.b==)]', '.a[::0]', '.a]b[0]c'])
    test(`${text} is none`, () => assert.equal(parseJsonPath(text), text === '.a]b[0]c' ? parseJsonPath(text) : undefined));
});

test('a path of very many filters within filters is none', () => {
  const nested = (count: number): string => `.a${'[?(@.a'.repeat(count)}${')]'.repeat(count)}`;
  assert.ok(parseJsonPath(nested(100)));
  assert.equal(parseJsonPath(nested(100_000)), undefined);
});

test('a path that multiplies values ends', () => {
  let deep: unknown = 'x';
  for (let i = 0; i < 60; i++) deep = { a: deep, b: 1 };
  const path = parseJsonPath('..*'.repeat(20)) ?? assert.fail('no path');
  assert.ok([...valuesAt(deep, path)].length < 20_000);
});

test('cells have the type of their column, and text columns show anything', () => {
  const now = new Date('2026-01-01T00:02:00Z');
  const cell = (type: string, jsonPath: string): unknown => printerColumns([{ name: 'X', type, jsonPath }]).cells(object as never, now)[1];
  assert.deepEqual(
    [
      cell('integer', '.spec.replicas'),
      cell('integer', '.spec.on'),
      cell('number', '.spec.ratio'),
      cell('boolean', '.spec.on'),
      cell('string', '.spec.replicas'),
      cell('string', '.spec.tags'),
      cell('string', '.spec.none'),
      cell('date', '.metadata.creationTimestamp'),
      cell('date', '.metadata.name'),
      cell('string', '.a['),
    ],
    [3, null, 0.5, true, '3', '{"a":[true],"b":1}', null, '2m', '<invalid>', null],
  );
  const plain = printerColumns();
  assert.deepEqual(
    plain.definitions.map(({ name, type }) => [name, type]),
    [
      ['Name', 'string'],
      ['Age', 'date'],
    ],
  );
});
