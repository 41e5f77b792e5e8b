/** Definitions and objects for rules: what is refused, and what is told. */
import type { JsonSchema } from '../../../src/api/schema/schema.ts';

const text: JsonSchema = { type: 'string', maxLength: 10 };

function withRules(schema: JsonSchema, ...rules: readonly object[]): JsonSchema {
  return { ...schema, 'x-kubernetes-validations': rules };
}

const object: JsonSchema = {
  type: 'object',
  properties: {
    n: { type: 'integer' },
    s: text,
    list: { type: 'array', maxItems: 5, items: { type: 'integer' } },
    port: { 'x-kubernetes-int-or-string': true },
  },
};

/** The schema of the spec, and what else the schema has. */
export const refusedRules: Readonly<Record<string, readonly [JsonSchema, object?]>> = {
  'a rule that does not parse': [withRules(object, { rule: 'self.n >' })],
  'a rule of an unknown variable': [withRules(object, { rule: 'other.n > 1' })],
  'a rule of an unknown field': [withRules(object, { rule: 'self.none > 1' })],
  'a rule of an unknown field in has': [withRules(object, { rule: 'has(self.none)' })],
  'a rule of an unknown function': [withRules(object, { rule: 'self.s.nonsense()' })],
  'a rule that compares a number and a text': [withRules(object, { rule: 'self.n == self.s' })],
  'a rule that is a number': [withRules(object, { rule: 'self.n' })],
  'a rule that adds a number and a text': [withRules(object, { rule: 'self.n + self.s == "x"' })],
  'a list of several types': [withRules(object, { rule: 'self.n in [1, "a"]' })],
  'a pattern that is none': [withRules(object, { rule: 'self.s.matches("(")' })],
  'a duration that is none': [withRules(object, { rule: 'duration("x") == duration("1s")' })],
  'macros of CEL that Kubernetes has not': [withRules(object, { rule: 'cel.bind(x, self.n, x > 1)' })],
  'functions of bytes that CEL has not': [withRules(object, { rule: 'b"a".hex() == "61"' })],
  'an empty rule': [withRules(object, { rule: ' ' })],
  'an empty message': [withRules(object, { rule: 'true', message: ' ' })],
  'a message of two lines': [withRules(object, { rule: 'true', message: 'a\nb' })],
  'a rule of two lines without a message': [withRules(object, { rule: 'true &&\n true' })],
  'a message expression that is empty': [withRules(object, { rule: 'true', messageExpression: ' ' })],
  'a message expression that is a number': [withRules(object, { rule: 'true', messageExpression: 'self.n' })],
  'a message expression that does not parse': [withRules(object, { rule: 'true', messageExpression: '(' })],
  'a reason that is none': [withRules(object, { rule: 'true', reason: 'Odd' })],
  'a path that is none': [
    withRules(object, { rule: 'true', fieldPath: '.none' }, { rule: 'true', fieldPath: 'n' }, { rule: 'true', fieldPath: '.list[0]' }),
  ],
  'oldSelf in a list without keys': [
    {
      type: 'object',
      properties: { list: { type: 'array', maxItems: 5, items: withRules({ type: 'integer' }, { rule: 'self >= oldSelf' }) } },
    },
  ],
  'optionalOldSelf without oldSelf': [withRules(object, { rule: 'true', optionalOldSelf: true })],
  'optionalOldSelf as if it were a value': [withRules(object, { rule: 'self.n >= oldSelf.n', optionalOldSelf: true })],
  'a good one of each': [
    withRules(
      object,
      { rule: 'self.n > 1', reason: 'FieldValueForbidden', fieldPath: '.n' },
      { rule: 'self.n >= oldSelf.n', message: 'grows' },
      { rule: 'oldSelf.hasValue() || self.n == 1', optionalOldSelf: true, messageExpression: 'self.s' },
    ),
  ],
  'a rule in allOf': [
    { type: 'object', properties: { a: { type: 'integer', allOf: [{ 'x-kubernetes-validations': [{ rule: 'self != 3' }] }] } } },
  ],
  'rules at the root': [
    object,
    {
      'x-kubernetes-validations': [
        { rule: 'self.metadata.name.size() > 1 && self.kind == "x" && self.apiVersion != "" && has(self.metadata.generateName)' },
      ],
    },
  ],
  'rules of labels at the root': [object, { 'x-kubernetes-validations': [{ rule: 'has(self.metadata.labels)' }] }],
};

export const ruled: JsonSchema = {
  type: 'object',
  'x-kubernetes-validations': [
    { rule: '!has(self.n) || self.n < 100' },
    { rule: '!has(self.n) || self.n != 7', message: 'seven is not allowed' },
    { rule: '!has(self.n) || self.n != 8', messageExpression: '"not " + self.s', message: 'not used' },
    { rule: '!has(self.n) || self.n != 9', messageExpression: '1 / 0 == 1 ? "a" : "b"', message: 'instead' },
    { rule: '!has(self.n) || self.n != 10', reason: 'FieldValueForbidden', fieldPath: '.n', message: 'ten' },
    { rule: '!has(self.n) || self.n != 11', reason: 'FieldValueRequired', fieldPath: '.inner.p' },
    { rule: '!has(self.n) || self.n != 12', reason: 'FieldValueDuplicate', fieldPath: '.n' },
    { rule: '!has(self.n) || !has(oldSelf.n) || self.n >= oldSelf.n', message: 'n must not shrink' },
    { rule: '!has(self.n) || self.n != 13 || self.list[5] == 1' },
    { rule: '!has(self.n) || self.n != 14 || self.map["none"] == 1' },
    { rule: '!has(self.n) || self.n != 15 || 1 / (self.n - 15) == 1' },
    { rule: '!has(self.n) || self.n != 16 || self.port + 1 == 2' },
    { rule: 'oldSelf.hasValue() || !has(self.n) || self.n < 50', optionalOldSelf: true, message: 'begins small' },
  ],
  properties: {
    n: { type: 'integer' },
    port: { 'x-kubernetes-int-or-string': true },
    s: {
      ...text,
      'x-kubernetes-validations': [{ rule: 'self != "bad"' }, { rule: 'self == oldSelf || oldSelf != "fixed"', message: 'it is fixed' }],
    },
    list: { type: 'array', maxItems: 5, items: { type: 'integer', 'x-kubernetes-validations': [{ rule: 'self > 0' }] } },
    map: {
      type: 'object',
      maxProperties: 5,
      additionalProperties: { type: 'integer', 'x-kubernetes-validations': [{ rule: 'self > 0' }] },
    },
    inner: {
      type: 'object',
      properties: { p: { type: 'integer', nullable: true, 'x-kubernetes-validations': [{ rule: 'self > 0' }] }, q: text },
    },
    keyed: {
      type: 'array',
      maxItems: 5,
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['k'],
      items: {
        type: 'object',
        required: ['k'],
        properties: { k: text, v: { type: 'integer' } },
        'x-kubernetes-validations': [{ rule: 'self.v >= oldSelf.v', message: 'v must not shrink' }, { rule: 'self.v != 5' }],
      },
    },
  },
};

interface Change {
  readonly method: 'POST' | 'PATCH' | 'DELETE';
  readonly spec?: object;
  readonly status?: object;
  readonly sub?: string;
}

const create = (spec: object): Change => ({ method: 'POST', spec });
const patch = (spec: object): Change => ({ method: 'PATCH', spec });
const remove: Change = { method: 'DELETE' };

/** Requests in their order, of one object. */
export const changes: Readonly<Record<string, readonly Change[]>> = {
  'messages and reasons': [200, 7, 8, 9, 10, 11, 12, 60].map((n) => create({ n, s: 'ok' })),
  'a message expression that fails': [create({ n: 8 })],
  'errors of rules': [create({ n: 13, list: [1] }), create({ n: 14, map: {} }), create({ n: 15 }), create({ n: 16, port: 'x' })],
  'values within others': [
    create({ s: 'bad', list: [1, 0, -1], map: { a: 0, b: 1 }, inner: { p: 0 }, keyed: [{ k: 'a', v: 5 }] }),
    create({ inner: { p: null } }),
    remove,
  ],
  'the schema comes first': [create({ n: 'x', s: 'bad' }), create({ s: 'much too long', n: 7 }), create({ keyed: [{ v: 5 }], n: 7 })],
  changes: [
    create({
      n: 20,
      s: 'fixed',
      keyed: [
        { k: 'a', v: 2 },
        { k: 'b', v: 1 },
      ],
    }),
    patch({ n: 19 }),
    patch({ n: 70 }),
    patch({ s: 'other' }),
    patch({
      keyed: [
        { k: 'b', v: 1 },
        { k: 'a', v: 1 },
      ],
    }),
    patch({
      keyed: [
        { k: 'c', v: 0 },
        { k: 'a', v: 3 },
      ],
    }),
    { method: 'PATCH', status: { n: 1 }, sub: '/status' },
    { method: 'PATCH', status: { n: 'x' }, sub: '/status' },
    remove,
  ],
};
