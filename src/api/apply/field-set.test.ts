import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FieldSet, pathText } from './field-set.ts';

const spec = ['f:spec'];
const replicas = ['f:spec', 'f:replicas'];
const entry = ['f:spec', 'f:ports', 'k:{"port":80,"protocol":"TCP"}'];
const texts = (set: FieldSet): string[] => [...set.paths()].map(pathText);

test('toFieldsV1() and fromFieldsV1() are each other’s inverse', () => {
  const set = FieldSet.of(spec, replicas, entry, [...entry, 'f:name'], ['f:metadata', 'f:finalizers', 'v:"x"']);
  const fields = {
    'f:metadata': { 'f:finalizers': { 'v:"x"': {} } },
    'f:spec': { '.': {}, 'f:ports': { 'k:{"port":80,"protocol":"TCP"}': { '.': {}, 'f:name': {} } }, 'f:replicas': {} },
  };
  assert.deepEqual(set.toFieldsV1(), fields);
  assert.deepEqual(FieldSet.fromFieldsV1(fields)?.toFieldsV1(), fields);
});

test('fromFieldsV1() gives every element one spelling', () => {
  const set = FieldSet.fromFieldsV1({ 'k:{ "b":1, "a":"<" }': {}, 'v:"\\u003c"': {} });
  assert.deepEqual([...(set?.members ?? [])], ['k:{"a":"<","b":1}', 'v:"<"']);
});

test('fromFieldsV1() passes over elements of a kind that is not known', () => {
  assert.deepEqual(FieldSet.fromFieldsV1({ 'z:what': {}, 'f:a': {} })?.toFieldsV1(), { 'f:a': {} });
});

test('fromFieldsV1() takes prototype names for names', () => {
  const fields = JSON.parse('{"f:__proto__":{"f:constructor":{}}}') as object;
  assert.deepEqual(FieldSet.fromFieldsV1(fields)?.toFieldsV1(), fields);
  assert.equal(FieldSet.fromFieldsV1(JSON.parse('{"__proto__":{}}')), undefined);
});

test('fromFieldsV1() refuses what is no set of fields', () => {
  let deep: object = {};
  for (let i = 0; i < 1000; i++) deep = { 'f:a': deep };
  for (const wrong of [null, 1, 'x', [], { x: {} }, { 'k:{': {} }, { 'v:': {} }, { 'i:x': {} }, { 'f:a': 1 }, deep]) {
    assert.equal(FieldSet.fromFieldsV1(wrong), undefined, JSON.stringify(wrong)?.slice(0, 40));
  }
});

test('the algebra of sets leaves what is above and below a field alone, but for without()', () => {
  const all = FieldSet.of(spec, replicas, entry);
  assert.deepEqual(texts(all.difference(FieldSet.of(spec))), ['.spec.replicas', '.spec.ports[port=80,protocol="TCP"]']);
  assert.deepEqual(texts(all.without(FieldSet.of(spec))), []);
  assert.deepEqual(texts(all.without(FieldSet.of(['f:spec', 'f:ports']))), ['.spec', '.spec.replicas']);
  assert.deepEqual(texts(all.intersection(FieldSet.of(replicas, ['f:status']))), ['.spec.replicas']);
  assert.deepEqual(texts(FieldSet.of(replicas).union(FieldSet.of(spec))), ['.spec', '.spec.replicas']);
  assert.equal(all.difference(all).isEmpty, true);
});
