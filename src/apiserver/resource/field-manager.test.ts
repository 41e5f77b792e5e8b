import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { KubeObject } from '../../api/resource-types.ts';
import type { RequestContext } from '../http/request-context.ts';
import { isStatusError } from '../status/status-error.ts';
import { givenManager, keepTimes, managerOf, optionsKind } from './field-manager.ts';

const request = (query: string, agent?: string, verb = 'create'): RequestContext =>
  ({ query: new URLSearchParams(query), info: { verb }, req: { headers: { 'user-agent': agent } } }) as unknown as RequestContext;

describe('managerOf()', () => {
  const long = 'x'.repeat(200);
  const cases: Readonly<Record<string, readonly [RequestContext, string]>> = {
    'the one that is given': [request('fieldManager=me', 'kubectl/1.36'), 'me'],
    'the program': [request('', 'kubectl/1.36 (linux/amd64)'), 'kubectl'],
    'a program without a version': [request('', 'curl'), 'curl'],
    'nothing of a user agent that begins with a slash': [request('', '/x'), ''],
    'nothing of a client that says nothing': [request(''), ''],
    'the first 128 letters': [request('', `${long}/1`), long.slice(0, 128)],
  };
  for (const [what, [ctx, manager]] of Object.entries(cases)) test(`is ${what}`, () => assert.equal(managerOf(ctx), manager));

  test('is nobody by default where only a given one counts', () => {
    assert.deepEqual([givenManager(request('', 'kubectl/1.36')), givenManager(request('fieldManager='))], ['', '']);
  });

  test('refuses a name that is too long, by the options of the verb', () => {
    for (const [verb, kind] of [
      ['create', 'CreateOptions'],
      ['update', 'UpdateOptions'],
      ['patch', 'PatchOptions'],
      ['delete', 'DeleteOptions'],
      ['deletecollection', 'DeleteOptions'],
    ] as const) {
      const ctx = request(`fieldManager=${'x'.repeat(129)}`, undefined, verb);
      assert.equal(optionsKind(ctx), kind);
      assert.throws(
        () => managerOf(ctx),
        (err) => isStatusError(err, 'Invalid') && err.message.startsWith(`${kind}.meta.k8s.io "" is invalid: fieldManager: Too long`),
      );
    }
  });
});

describe('keepTimes()', () => {
  const entry = (time: string, manager = 'me'): object => ({ manager, operation: 'Update', time, fieldsType: 'FieldsV1', fieldsV1: {} });
  const object = (data: string, ...managedFields: object[]): KubeObject =>
    ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', managedFields }, data: { data } }) as unknown as KubeObject;

  test('puts the old times back where nothing else is new, in whatever order the managers stand', () => {
    const old = object('a', entry('1'), entry('2', 'you'));
    const next = object('a', entry('4', 'you'), entry('3'));
    keepTimes(next, old);
    assert.deepEqual(next, old);
  });

  test('says nothing of an object without managers', () => {
    const plain = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' } } as KubeObject;
    for (const old of [plain, object('a', entry('1'))]) {
      const next = structuredClone(plain);
      keepTimes(next, old);
      assert.deepEqual(next, plain);
    }
  });

  for (const [what, next] of Object.entries({
    'the object has changed': object('b', entry('3')),
    'another manager writes': object('a', entry('3', 'you')),
    'there is one manager more': object('a', entry('3'), entry('3', 'you')),
  }))
    test(`leaves the new times where ${what}`, () => {
      const before = structuredClone(next);
      keepTimes(next, object('a', entry('1')));
      assert.deepEqual(next, before);
    });
});
