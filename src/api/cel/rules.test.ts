import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { JsonSchema } from '../schema/schema.ts';
import { textOf } from '../validation/field-error.ts';
import { expressionErrors } from './definition-rules.ts';
import { compileRules, ruleErrors } from './rules.ts';
import { sample, sampleSchema, truths } from './testing/expressions.ts';

/** What the rules of the schema say of the object. */
function said(schema: JsonSchema, object: unknown, old?: unknown): string[] {
  const node = compileRules(schema);
  return node ? ruleErrors(node, object, old).map(textOf) : [];
}

function withRules(schema: JsonSchema, ...rules: readonly object[]): JsonSchema {
  return { ...schema, 'x-kubernetes-validations': rules };
}

const root = (spec: JsonSchema): JsonSchema => ({ type: 'object', properties: { spec } });
const object: JsonSchema = {
  type: 'object',
  properties: {
    n: { type: 'integer' },
    s: { type: 'string' },
    port: { 'x-kubernetes-int-or-string': true },
    list: { type: 'array', items: { type: 'integer' } },
  },
};

/** What the rules say of a spec, and of its change. */
function of(rule: object, spec: object, old?: object): string[] {
  return said(root(withRules(object, rule)), { spec }, old && { spec: old });
}

describe('expressions', () => {
  for (const [what, expressions] of Object.entries(truths))
    for (const rule of expressions)
      test(`${what}: ${rule}`, () => {
        const schema = root(withRules(sampleSchema, { rule }));
        assert.deepEqual(expressionErrors(schema, 'schema').map(textOf), []);
        assert.deepEqual(said(schema, { spec: sample }), []);
        // The contrary is refused, so the rule was asked.
        assert.equal(
          said(root(withRules(sampleSchema, { rule: `!(${rule})`, message: 'no' })), { spec: sample })[0],
          'spec: Invalid value: no',
        );
      });
});

describe('ruleErrors()', () => {
  test('a broken rule is told by its message, its expression or itself', () => {
    assert.deepEqual(of({ rule: ' self.n > 1 ' }, { n: 1 }), ['spec: Invalid value: failed rule: self.n > 1']);
    assert.deepEqual(of({ rule: 'self.n > 1', message: ' too small ' }, { n: 1 }), ['spec: Invalid value: too small']);
    const expression = { rule: 'self.n > 1', message: 'else', messageExpression: '"not " + string(self.n)' };
    assert.deepEqual(of(expression, { n: 1 }), ['spec: Invalid value: not 1']);
    assert.deepEqual(of({ ...expression, messageExpression: '"a\\nb"' }, { n: 1 }), ['spec: Invalid value: else']);
    assert.deepEqual(of({ ...expression, messageExpression: 'string(1 / 0)' }, { n: 1 }), ['spec: Invalid value: else']);
    assert.deepEqual(of({ ...expression, messageExpression: '" "' }, { n: 1 }), ['spec: Invalid value: else']);
  });

  test('a reason and a path are those of the rule', () => {
    const at = (reason: string): string[] => of({ rule: 'self.n > 1', message: 'm', reason, fieldPath: '.n' }, { n: 1 });
    assert.deepEqual(at('FieldValueForbidden'), ['spec.n: Forbidden: m']);
    assert.deepEqual(at('FieldValueRequired'), ['spec.n: Required value: m']);
    assert.deepEqual(at('FieldValueDuplicate'), ['spec.n: Duplicate value']);
    assert.deepEqual(at('FieldValueInvalid'), ['spec.n: Invalid value: m']);
  });

  test('what a rule cannot do is told, and the next rule is asked', () => {
    const rules = ['self.list[2] == 1', '1 / (self.n - 1) == 1', 'self.port + 1 == 2', 'self.s == "a"', 'self.n > 5'].map((rule) => ({
      rule,
    }));
    assert.deepEqual(said(root(withRules(object, ...rules)), { spec: { n: 1, port: 'x', list: [1] } }), [
      'spec: Invalid value: "object": index out of bounds: 2 evaluating rule: self.list[2] == 1',
      'spec: Invalid value: "object": division by zero evaluating rule: 1 / (self.n - 1) == 1',
      'spec: Invalid value: "object": \'no such overload\': call arguments did not match a supported operator, function or macro signature for rule: self.port + 1 == 2',
      'spec: Invalid value: "object": no such key: s evaluating rule: self.s == "a"',
      'spec: Invalid value: failed rule: self.n > 5',
    ]);
  });

  test('a rule that compares is asked of changes alone, or gets an optional value', () => {
    const grows = { rule: 'self.n >= oldSelf.n', message: 'shrinks' };
    assert.deepEqual(of(grows, { n: 1 }), []);
    assert.deepEqual(of(grows, { n: 1 }, { n: 2 }), ['spec: Invalid value: shrinks']);
    const begins = { rule: 'oldSelf.hasValue() || self.n == 1', optionalOldSelf: true, message: 'begins with 1' };
    assert.deepEqual(of(begins, { n: 2 }), ['spec: Invalid value: begins with 1']);
    assert.deepEqual(of(begins, { n: 2 }, { n: 1 }), []);
  });

  test('what is as it was is not refused', () => {
    const positive = { rule: 'self > 0', message: 'positive' };
    const items = (more: object): JsonSchema =>
      root({
        type: 'object',
        properties: {
          list: {
            type: 'array',
            ...more,
            items: { type: 'object', properties: { k: { type: 'string' }, v: withRules({ type: 'integer' }, positive) } },
          },
        },
      });
    const keyed = items({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['k'] });
    const spec = (...list: object[]): object => ({ spec: { list } });
    const [bad, good] = [
      { k: 'a', v: 0 },
      { k: 'b', v: 1 },
    ];
    assert.deepEqual(said(keyed, spec(bad)), ['spec.list[0].v: Invalid value: 0: positive']);
    assert.deepEqual(said(keyed, spec(good, bad), spec(bad)), []);
    assert.deepEqual(said(keyed, spec({ k: 'c', v: 0 }), spec(bad)), ['spec.list[0].v: Invalid value: 0: positive']);
    // Without keys, only the whole list is the same.
    assert.deepEqual(said(items({}), spec(good, bad), spec(bad)), ['spec.list[1].v: Invalid value: 0: positive']);
    assert.deepEqual(said(items({}), spec(bad), spec(bad)), []);
  });

  test('values of maps are named by their keys', () => {
    const map = { type: 'object', additionalProperties: withRules({ type: 'integer' }, { rule: 'self > 0' }) } as const;
    assert.deepEqual(said(root(map), { spec: { a: 0, b: 1 } }), ['spec[a]: Invalid value: 0: failed rule: self > 0']);
  });

  test('all rules of an object have a limit together', () => {
    const rule = { rule: 'self.list.all(a, self.list.all(b, a + b >= 0))' };
    const list = Array.from({ length: 350 }, (_, i) => i);
    const errors = said(root(withRules(object, ...Array(9).fill(rule))), { spec: { list } });
    assert.deepEqual(errors, [
      'spec: Invalid value: "object": validation failed due to running out of cost budget, no further validation rules will be run',
    ]);
  });
});

describe('expressionErrors()', () => {
  const refused = (...rules: readonly object[]): string[] =>
    expressionErrors(root(withRules(object, ...rules)), 'schema').map(
      ({ path, detail }) => `${path.replace('schema.properties[spec].x-kubernetes-validations', '')} ${detail}`,
    );

  test('what does not compile, or has another type, is refused', () => {
    assert.match(refused({ rule: 'self.n >' })[0] ?? '', /^\[0\]\.rule compilation failed: /);
    assert.match(refused({ rule: 'true' }, { rule: 'self.none == 1' })[0] ?? '', /^\[1\]\.rule compilation failed: no such key: none/);
    assert.match(refused({ rule: 'self.n == self.s' })[0] ?? '', /compilation failed: no such overload/);
    assert.match(refused({ rule: 'self.s.nope()' })[0] ?? '', /compilation failed: no such overload/);
    assert.match(refused({ rule: 'self.s.matches("(")' })[0] ?? '', /compilation failed: invalid matches argument/);
    assert.deepEqual(refused({ rule: 'self.n' }), ['[0].rule cel expression must evaluate to a bool']);
    assert.deepEqual(refused({ rule: 'true', messageExpression: 'self.n' }), [
      '[0].messageExpression messageExpression must evaluate to a string',
    ]);
    assert.deepEqual(refused({ rule: '9223372036854775808 > 0' }), ['[0].rule compilation failed: invalid int literal']);
    assert.deepEqual(refused({ rule: '1 in [1, "a"]' }).length, 1);
  });

  test('what is nested without end, or too long, is refused', () => {
    assert.match(refused({ rule: `${'('.repeat(10_000)}true${')'.repeat(10_000)}` })[0] ?? '', /compilation failed/);
    assert.match(refused({ rule: `${'!'.repeat(50_000)}true` })[0] ?? '', /compilation failed/);
    assert.match(refused({ rule: `true${' && true'.repeat(15_000)}` })[0] ?? '', /compilation failed/);
    assert.match(refused({ rule: `"${'a'.repeat(300_000)}" != ""` })[0] ?? '', /too long together/);
  });

  test('oldSelf needs something to compare with', () => {
    const rule = { rule: 'self >= oldSelf' };
    const list = (more: object): JsonSchema =>
      root({ type: 'object', properties: { list: { type: 'array', ...more, items: withRules({ type: 'integer' }, rule) } } });
    assert.match(
      expressionErrors(list({}), 'schema')[0]?.detail ?? '',
      /^oldSelf cannot be used on the uncorrelatable portion of the schema within schema\.properties\[spec\]\.properties\[list\]$/,
    );
    assert.deepEqual(refused({ rule: 'true', optionalOldSelf: true }), [
      '[0].optionalOldSelf may not be set if oldSelf is not used in rule',
    ]);
  });
});
