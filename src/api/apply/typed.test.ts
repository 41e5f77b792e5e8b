/** Values of real types: a ConfigMap has a map, a Service a list by two keys, a Deployment all there is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { typeNamed } from '../schema/schema.ts';
import { pathText } from './field-set.ts';
import { type Shape, shapeOfType } from './shape.ts';
import { compare, fieldsOf, merge } from './typed.ts';

function shapeOf(name: string): Shape {
  const type = typeNamed(name);
  assert.ok(type);
  return shapeOfType(type);
}

const meta = shapeOf('ObjectMeta');
const service = shapeOf('ServiceSpec');
const pod = shapeOf('PodSpec');
const texts = (set: ReturnType<typeof fieldsOf>): string[] => [...set.paths()].map(pathText).toSorted();

for (const { name, value, shape, fields } of [
  { name: 'members of a map and of a struct', value: { name: 'x', labels: { a: 'b' } }, shape: meta, fields: ['.labels.a', '.name'] },
  { name: 'what is there but empty or null', value: { labels: {}, annotations: null }, shape: meta, fields: ['.annotations', '.labels'] },
  { name: 'nothing of an empty list', value: { finalizers: [] }, shape: meta, fields: [] },
  { name: 'entries of a set', value: { finalizers: ['a', 'b'] }, shape: meta, fields: ['.finalizers[="a"]', '.finalizers[="b"]'] },
  {
    name: 'entries of a list by keys, with defaults of keys',
    value: { ports: [{ port: 80, name: 'x' }] },
    shape: service,
    fields: ['.ports[port=80,protocol="TCP"]', '.ports[port=80,protocol="TCP"].name', '.ports[port=80,protocol="TCP"].port'],
  },
  { name: 'an atomic map, struct or list as one', value: { selector: { a: 'b' } }, shape: service, fields: ['.selector'] },
  {
    name: 'an atomic type wherever it stands',
    value: { imagePullSecrets: [{ name: 'a' }], tolerations: [{ key: 'k' }], nodeSelector: {} },
    shape: pod,
    fields: ['.imagePullSecrets[name="a"]', '.nodeSelector', '.tolerations'],
  },
  {
    name: 'entries with one name as one leaf',
    value: { ports: [{ port: 80, name: 'x' }, { port: 80 }] },
    shape: service,
    fields: ['.ports[port=80,protocol="TCP"]'],
  },
]) {
  test(`fieldsOf() has ${name}`, () => {
    assert.deepEqual(texts(fieldsOf(value, shape)), fields);
  });
}

for (const { name, left, right, shape, added = [], modified = [], removed = [] } of [
  {
    name: 'leaves that changed, came and went',
    left: { labels: { a: '1', b: '1' } },
    right: { labels: { a: '2', c: '1' } },
    shape: meta,
    added: ['.labels.c'],
    modified: ['.labels.a'],
    removed: ['.labels.b'],
  },
  {
    name: 'a whole map with all that is in it',
    left: {},
    right: { labels: { a: '1' } },
    shape: meta,
    added: ['.labels', '.labels.a'],
  },
  { name: 'no difference in the order of entries', left: { finalizers: ['a', 'b'] }, right: { finalizers: ['b', 'a'] }, shape: meta },
  { name: 'null against a value', left: { generation: 3 }, right: { generation: null }, shape: meta, modified: ['.generation'] },
  {
    name: 'an atomic list as one',
    left: { externalIPs: ['a'] },
    right: { externalIPs: ['a', 'b'] },
    shape: service,
    modified: ['.externalIPs'],
  },
  {
    name: 'entries that share a name, and no longer do',
    left: { ports: [{ port: 80 }, { port: 80, name: 'x' }] },
    right: { ports: [{ port: 80 }] },
    shape: service,
    added: ['.ports[port=80,protocol="TCP"]', '.ports[port=80,protocol="TCP"].port'],
    removed: ['.ports[port=80,protocol="TCP"]'],
  },
] as readonly {
  name: string;
  left: object;
  right: object;
  shape: Shape;
  added?: string[];
  modified?: string[];
  removed?: string[];
}[]) {
  test(`compare() tells ${name}`, () => {
    const found = compare(left, right, shape);
    assert.deepEqual(
      { added: texts(found.added), modified: texts(found.modified), removed: texts(found.removed) },
      { added, modified, removed },
    );
  });
}

const list = (names: string): object => ({ finalizers: [...names] });

for (const { name, left, right, merged, shape = meta } of [
  { name: 'the right side where both say something', left: { name: 'a', uid: 'u' }, right: { name: 'b' }, merged: { name: 'b', uid: 'u' } },
  { name: 'maps member by member', left: { labels: { a: '1' } }, right: { labels: { b: '2' } }, merged: { labels: { a: '1', b: '2' } } },
  {
    name: 'a member called __proto__',
    left: {},
    right: JSON.parse('{"labels":{"__proto__":"x"}}') as object,
    merged: JSON.parse('{"labels":{"__proto__":"x"}}') as object,
  },
  {
    name: 'atomic maps as one',
    left: { selector: { a: '1' } },
    right: { selector: { b: '2' } },
    merged: { selector: { b: '2' } },
    shape: service,
  },
  {
    name: 'null for a leaf, and not for what has members',
    left: { generation: 1, labels: { a: '1' } },
    right: { generation: null, labels: null },
    merged: { generation: null, labels: { a: '1' } },
  },
  {
    name: 'entries of the right in its order, those of the left where they stood',
    left: list('abc'),
    right: list('dcxa'),
    merged: list('bdcxa'),
  },
  { name: 'new entries behind those of the left', left: list('ab'), right: list('c'), merged: list('abc') },
  { name: 'shared entries as anchors', left: list('1a2b3'), right: list('axb'), merged: list('1a2xb3') },
  {
    name: 'entries by their keys',
    left: { ports: [{ port: 80, protocol: 'TCP', nodePort: 30_000 }] },
    right: { ports: [{ port: 80, name: 'x' }] },
    merged: { ports: [{ port: 80, protocol: 'TCP', nodePort: 30_000, name: 'x' }] },
    shape: service,
  },
] as readonly { name: string; left: object; right: object; merged: object; shape?: Shape }[]) {
  test(`merge() takes ${name}`, () => {
    const before = structuredClone(left);
    assert.deepEqual(merge(left, right, shape), merged);
    assert.deepEqual(left, before);
  });
}
