import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { JsonSchema } from '../schema/schema.ts';
import { textOf } from '../validation/field-error.ts';
import { valueErrors } from './validate.ts';

const of = (a: JsonSchema): JsonSchema => ({ type: 'object', properties: { a } });
const told = (value: unknown, schema: JsonSchema, old?: unknown): string[] => valueErrors(value, schema, old).map(textOf);

describe('valueErrors()', () => {
  const cases: readonly (readonly [schema: JsonSchema, value: unknown, ...errors: string[]])[] = [
    [of({ type: 'string' }), { a: 'x' }],
    [of({ type: 'string' }), { a: 1 }, 'a: Invalid value: "integer": a in body must be of type string: "integer"'],
    [
      of({ type: 'integer' }),
      { a: 1.5 },
      'a: Invalid value: "number": a in body must be of type integer: "number"',
      '<nil>: Invalid value: "": Checked value must be of type integer (default format) in a',
    ],
    [of({ type: 'number' }), { a: 1 }],
    [of({ type: 'object' }), { a: [] }, 'a: Invalid value: "array": a in body must be of type object: "array"'],
    [of({ type: 'string' }), { a: null }, 'a: Invalid value: "null": a in body must be of type string: "null"'],
    [of({ type: 'string', nullable: true }), { a: null }],
    [of({ 'x-kubernetes-int-or-string': true }), { a: '50%' }],
    [
      of({ 'x-kubernetes-int-or-string': true }),
      { a: true },
      'a: Invalid value: "boolean": a in body must be of type integer,string: "boolean"',
    ],
    [of({ type: 'integer', minimum: 1, maximum: 3 }), { a: 0 }, 'a: Invalid value: 0: a in body should be greater than or equal to 1'],
    [of({ type: 'integer', minimum: 1, maximum: 3 }), { a: 4 }, 'a: Invalid value: 4: a in body should be less than or equal to 3'],
    [of({ type: 'integer', minimum: 1, exclusiveMinimum: true }), { a: 1 }, 'a: Invalid value: 1: a in body should be greater than 1'],
    [of({ type: 'integer', maximum: 1, exclusiveMaximum: true }), { a: 1 }, 'a: Invalid value: 1: a in body should be less than 1'],
    [of({ type: 'integer', multipleOf: 3 }), { a: 4 }, 'a: Invalid value: 4: a in body should be a multiple of 3'],
    [of({ type: 'integer', multipleOf: 3 }), { a: 6 }],
    [
      of({ type: 'integer', format: 'int32' }),
      { a: 2 ** 31 },
      '<nil>: Invalid value: "": Checked value must be of type integer with format int32 in a',
    ],
    [of({ type: 'string', minLength: 2 }), { a: 'x' }, 'a: Invalid value: "x": a in body should be at least 2 chars long'],
    [of({ type: 'string', maxLength: 2 }), { a: 'xyz' }, 'a: Too long: may not be more than 2 bytes'],
    [of({ type: 'string', maxLength: 2 }), { a: 'äö' }],
    [of({ type: 'string', pattern: '^[a-z]+$' }), { a: 'X' }, 'a: Invalid value: "X": a in body should match \'^[a-z]+$\''],
    [of({ type: 'string', pattern: '(?i)^[a-z]+$' }), { a: 'X' }],
    [of({ type: 'string', enum: ['b', 'c'] }), { a: 'x' }, 'a: Unsupported value: "x": supported values: "b", "c"'],
    [of({ type: 'string', format: 'date-time' }), { a: 'x' }, 'a: Invalid value: "x": a in body must be of type date-time: "x"'],
    [of({ type: 'string', format: 'date-time' }), { a: '2026-01-01T00:00:00Z' }],
    [of({ type: 'string', format: 'made-up' }), { a: 'x' }],
    [
      of({ type: 'array', items: { type: 'integer' }, minItems: 2 }),
      { a: ['x'] },
      'a[0]: Invalid value: "string": a[0] in body must be of type integer: "string"',
      'a: Invalid value: 1: a in body should have at least 2 items',
    ],
    [of({ type: 'array', items: {}, maxItems: 1 }), { a: [1, 2] }, 'a: Too many: 2: must have at most 1 item'],
    [of({ type: 'object', minProperties: 1 }), { a: {} }, 'a: Invalid value: 0: a in body should have at least 1 properties'],
    [of({ type: 'object', maxProperties: 1 }), { a: { b: 1, c: 1 } }, 'a: Too many: 2: must have at most 1 item'],
    [of({ type: 'object', required: ['b'] }), { a: {} }, 'a.b: Required value'],
    [{ type: 'object', required: ['b'] }, {}, 'b: Required value'],
    [
      of({ type: 'object', additionalProperties: { type: 'string' } }),
      { a: { b: 1 } },
      'a.b: Invalid value: "integer": a.b in body must be of type string: "integer"',
    ],
    [
      of({ anyOf: [{ minimum: 5 }, { maximum: 1 }] }),
      { a: 3 },
      '<nil>: Invalid value: "": "a" must validate at least one schema (anyOf)',
      'a: Invalid value: 3: a in body should be greater than or equal to 5',
    ],
    [of({ anyOf: [{ minimum: 5 }, { maximum: 1 }] }), { a: 1 }],
    [
      of({ oneOf: [{ minimum: 1 }, { maximum: 5 }] }),
      { a: 3 },
      '<nil>: Invalid value: "": "a" must validate one and only one schema (oneOf). Found 2 valid alternatives',
    ],
    [
      of({ allOf: [{ minimum: 1 }, { maximum: 5 }] }),
      { a: 6 },
      'a: Invalid value: 6: a in body should be less than or equal to 5',
      '<nil>: Invalid value: "": "a" must validate all the schemas (allOf)',
    ],
    [of({ not: { enum: [1] } }), { a: 1 }, '<nil>: Invalid value: "": "a" must not validate the schema (not)'],
    [
      of({ type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } }),
      { a: ['x', 'y', 'x'] },
      'a[2]: Duplicate value: "x"',
    ],
    [
      of({
        type: 'array',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['n'],
        items: { type: 'object', properties: { n: { type: 'string' } } },
      }),
      { a: [{ n: 'x' }, { n: 'x', m: 1 }] },
      'a[1]: Duplicate value: {"n":"x"}',
    ],
  ];
  for (const [schema, value, ...errors] of cases)
    test(`${JSON.stringify(value)} as ${JSON.stringify(schema.properties?.a ?? schema)} is ${errors.length === 0 ? 'taken' : 'refused'}`, () =>
      assert.deepEqual(told(value, schema), errors));

  test('does not look at what an update leaves as it was', () => {
    const schema = { type: 'object', properties: { a: { type: 'string' }, b: { type: 'string' } } };
    assert.deepEqual(told({ a: 1, b: 'x' }, schema, { a: 1 }), []);
    assert.equal(told({ a: 2, b: 'x' }, schema, { a: 1 }).length, 1);
  });

  test('knows entries of a list with keys again, wherever they stand', () => {
    const items = { type: 'object', properties: { n: { type: 'string' }, v: { type: 'string' } } };
    const keyed = of({ type: 'array', 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['n'], items });
    const [x, y] = [
      { n: 'x', v: 1 },
      { n: 'y', v: 'a' },
    ];
    assert.deepEqual(told({ a: [y, x] }, keyed, { a: [x] }), []);
    assert.equal(told({ a: [y, x] }, of({ type: 'array', items }), { a: [x] }).length, 1);
  });

  test('ends, whatever the schema and the object are', () => {
    const text = 'a'.repeat(100_000);
    assert.equal(told({ a: text }, of({ type: 'string', pattern: '^(a+)+$' })).length, 0);
    const hard = '^(a|b)*a(a|b){500}[b-z]$';
    assert.match(told({ a: 'ab'.repeat(50_000) }, of({ type: 'string', pattern: hard }))[0] ?? '', /asks for too much to be checked/);
    const many = Array.from({ length: 20_000 }, (_, i) => i);
    const enumerated = { type: 'array', items: { enum: Array.from({ length: 20_000 }, (_, i) => ({ i })) } };
    assert.match(told({ a: many }, of(enumerated))[0] ?? '', /asks for too much to be checked/);
    const branches = Array.from({ length: 1_000 }, () => ({ minimum: 1 }));
    assert.match(told({ a: many }, of({ type: 'array', items: { allOf: branches } }))[0] ?? '', /asks for too much to be checked/);
  });
});
