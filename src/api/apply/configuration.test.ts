import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ApiType, typeNamed } from '../schema/schema.ts';
import { checkConfiguration, errorsText } from './configuration.ts';
import { shapeOfType } from './shape.ts';

const shape = shapeOfType(typeNamed('PodSpec') as ApiType);
const c = { name: 'c' };

for (const { name, config, errors } of [
  { name: 'a field that is not declared', config: { foo: 1 }, errors: ['.foo: field not declared in schema'] },
  {
    name: 'such a field of an entry',
    config: { containers: [{ ...c, foo: 1 }] },
    errors: ['.containers[name="c"].foo: field not declared in schema'],
  },
  { name: 'an entry twice', config: { containers: [c, c] }, errors: ['.containers: duplicate entries for key [name="c"]'] },
  {
    name: 'an entry twice by the default of a key',
    config: { containers: [{ ...c, ports: [{ containerPort: 80 }, { containerPort: 80, protocol: 'TCP' }] }] },
    errors: ['.containers[name="c"].ports: duplicate entries for key [containerPort=80,protocol="TCP"]'],
  },
  {
    name: 'an entry that is none',
    config: { containers: [null] },
    errors: ['.containers: element 0: associative list with keys may not have a null element'],
  },
  {
    name: 'values of a wrong kind',
    config: { containers: {}, nodeSelector: [], hostname: 5, priority: 'x', hostNetwork: 'x' },
    errors: [
      '.containers: expected list, got map',
      '.nodeSelector: expected map, got list',
      '.hostname: expected string, got 5',
      '.priority: expected numeric (int or float), got "x"',
      '.hostNetwork: expected boolean, got "x"',
    ],
  },
  { name: 'prototype names', config: JSON.parse('{"__proto__":1}') as object, errors: ['.__proto__: field not declared in schema'] },
  { name: 'no null', config: { containers: null, hostname: null }, errors: [] },
]) {
  test(`checkConfiguration() names ${name}`, () => assert.deepEqual(checkConfiguration(config, shape), errors));
}

test('checkConfiguration() writes quantities as objects have them', () => {
  const config = { overhead: { cpu: '1000m', memory: 'no quantity' } };
  assert.deepEqual(checkConfiguration(config, shape), []);
  assert.deepEqual(config, { overhead: { cpu: '1', memory: 'no quantity' } });
});

test('errorsText() is one line for one error', () => {
  assert.equal(errorsText(['.a: b']), '.a: b');
  assert.equal(errorsText(['.a: b', '.c: d']), 'errors:\n  .a: b\n  .c: d');
});
