import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { JsonSchema } from '../schema/schema.ts';
import { applyDefaults, prune } from './structural.ts';

const keep = { 'x-kubernetes-preserve-unknown-fields': true } as const;

describe('prune()', () => {
  const cases: readonly (readonly [what: string, schema: JsonSchema, value: unknown, left: unknown, pruned: string[]])[] = [
    [
      'drops unknown fields, however deep',
      { properties: { a: { properties: { b: {} } } } },
      { a: { b: 1, c: 2 }, d: 3 },
      { a: { b: 1 } },
      ['a.c', 'd'],
    ],
    [
      'looks into lists',
      { properties: { l: { items: { properties: { a: {} } } } } },
      { l: [{ a: 1, b: 2 }] },
      { l: [{ a: 1 }] },
      ['l[0].b'],
    ],
    [
      'looks into maps',
      { properties: { m: { additionalProperties: { properties: { a: {} } } } } },
      { m: { x: { a: 1, b: 2 } } },
      { m: { x: { a: 1 } } },
      ['m.x.b'],
    ],
    ['keeps what is to be kept', { properties: { a: keep } }, { a: { b: { c: 1 } } }, { a: { b: { c: 1 } } }, []],
    [
      'prunes below what is kept, where that has a schema',
      { ...keep, properties: { a: { properties: {} } } },
      { a: { b: 1 }, c: 1 },
      { a: {}, c: 1 },
      ['a.b'],
    ],
    [
      'leaves metadata of a whole object alone',
      { properties: {} },
      { apiVersion: 'v1', kind: 'X', metadata: { x: 1 }, y: 1 },
      { apiVersion: 'v1', kind: 'X', metadata: { x: 1 } },
      ['y'],
    ],
    [
      'leaves metadata of an object within alone',
      { properties: { t: { 'x-kubernetes-embedded-resource': true, properties: {} }, u: { properties: {} } } },
      { t: { kind: 'X', y: 1 }, u: { kind: 'X' } },
      { t: { kind: 'X' }, u: {} },
      ['t.y', 'u.kind'],
    ],
    ['takes no field of every object for a property', { properties: {} }, { constructor: 1, toString: 2 }, {}, ['constructor', 'toString']],
    [
      'lets a map of anything have scalars only, as upstream',
      { properties: { m: { additionalProperties: true } } },
      { m: { a: 1, b: { c: 1 } } },
      { m: { a: 1, b: {} } },
      ['m.b.c'],
    ],
  ];
  for (const [what, schema, value, left, pruned] of cases)
    test(what, () => {
      assert.deepEqual(prune(value, schema, true), pruned);
      assert.deepEqual(value, left);
    });
});

describe('applyDefaults()', () => {
  const cases: readonly (readonly [what: string, schema: JsonSchema, value: Record<string, unknown>, wanted: unknown])[] = [
    ['fills in what is missing', { properties: { a: { default: 1 } } }, {}, { a: 1 }],
    ['keeps what is there', { properties: { a: { default: 1 } } }, { a: 0 }, { a: 0 }],
    ['fills in what a default leaves out', { properties: { a: { default: {}, properties: { b: { default: 2 } } } } }, {}, { a: { b: 2 } }],
    ['makes no object for what is in it', { properties: { a: { properties: { b: { default: 2 } } } } }, {}, {}],
    [
      'takes null for missing where there is no null',
      { properties: { a: { default: 1 }, b: { default: 1, nullable: true } } },
      { a: null, b: null },
      { a: 1, b: null },
    ],
    [
      'drops null where there is none, and no default',
      { properties: { a: {}, b: { nullable: true } } },
      { a: null, b: null, c: null },
      { b: null, c: null },
    ],
    [
      'fills in entries of lists and maps',
      { properties: { l: { items: { properties: { a: { default: 1 } } } }, m: { additionalProperties: { default: 3 } } } },
      { l: [{}, { a: 2 }], m: { x: null } },
      { l: [{ a: 1 }, { a: 2 }], m: { x: 3 } },
    ],
  ];
  for (const [what, schema, value, wanted] of cases)
    test(what, () => {
      assert.equal(applyDefaults(value, schema), true);
      assert.deepEqual(value, wanted);
    });

  test('shares nothing with the schema', () => {
    const schema = { properties: { a: { default: { b: [1] } } } };
    const object: Record<string, unknown> = {};
    applyDefaults(object, schema);
    (object.a as { b: number[] }).b.push(2);
    assert.deepEqual(schema.properties.a.default, { b: [1] });
  });

  test('stops where many entries ask for a large default', () => {
    const large = Array.from({ length: 20_000 }, (_, i) => i);
    const list = Array.from({ length: 20_000 }, () => ({}));
    assert.equal(applyDefaults({ list }, { properties: { list: { items: { properties: { a: { default: large } } } } } }), false);
    assert.ok(list.filter((one) => 'a' in one).length <= 3);
  });
});
