/** The APIServices of what a server serves itself: which there are, what brings them back, and what is let alone. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { eventually } from '../../clock/testing/eventually.ts';
import { type Json, TestServer } from '../testing/test-server.ts';

const all = '/apis/apiregistration.k8s.io/v1/apiservices';
const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const type = 'application/merge-patch+json';
const label = 'kube-aggregator.kubernetes.io/automanaged';

const version = (name: string, storage: boolean): object => ({
  ...{ name, served: true, storage, schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } } },
});

describe('APIServices of what is served here', () => {
  let s: TestServer;
  before(async () => {
    s = await TestServer.start();
  });
  after(() => s.stop());

  const names = async (): Promise<string[]> => (await s.call('GET', all)).body.items.map(({ metadata }: Json) => metadata.name).toSorted();
  const get = async (name: string): Promise<Json> => (await s.call('GET', `${all}/${name}`)).body;
  const isThere = (name: string): Promise<boolean> => eventually(name, async () => (await get(name)).kind === 'APIService');
  const isGone = (name: string): Promise<boolean> =>
    eventually(`the end of ${name}`, async () => (await s.call('GET', `${all}/${name}`)).status === 404);
  const conditionOf = ({ status }: Json): Json[] =>
    (status.conditions ?? []).map((one: Json) => [one.type, one.status, one.reason, one.message]);
  const local = [['Available', 'True', 'Local', 'Local APIServices are always available']];

  test('are one for each version of each group, but their own', async () => {
    const groups = (await s.call('GET', '/apis')).body.groups as Json[];
    const wanted = groups.flatMap(({ name, versions }) => versions.map((one: Json) => `${one.version}.${name}`));
    const known = ['v1.', ...wanted.filter((name) => name !== 'v1.apiregistration.k8s.io')].toSorted();
    await eventually(async () => assert.deepEqual(await names(), known));
    const { metadata, spec, status } = await get('v2.autoscaling');
    assert.equal(metadata.labels[label], 'onstart');
    assert.deepEqual(spec, { group: 'autoscaling', version: 'v2', groupPriorityMinimum: 17_500, versionPriority: 30 });
    assert.deepEqual(conditionOf({ status }), local);
    assert.deepEqual((await get('v1.')).spec, { version: 'v1', groupPriorityMinimum: 18_000, versionPriority: 1 });
  });

  test('come and go with the versions of definitions', async () => {
    const names = { plural: 'pears', singular: 'pear', kind: 'Pear' };
    const spec = { group: 'fruit.example.com', scope: 'Namespaced', names, versions: [version('v1', true), version('v2', false)] };
    assert.equal((await s.call('POST', definitions, { metadata: { name: 'pears.fruit.example.com' }, spec })).status, 201);
    await isThere('v1.fruit.example.com');
    await isThere('v2.fruit.example.com');
    const object = await get('v1.fruit.example.com');
    assert.equal(object.metadata.labels[label], 'true');
    assert.deepEqual(object.spec, { group: 'fruit.example.com', version: 'v1', groupPriorityMinimum: 1000, versionPriority: 100 });
    assert.deepEqual(conditionOf(object), local);

    await s.call('DELETE', `${all}/v1.fruit.example.com`);
    await eventually('another one', async () => {
      const { metadata } = await get('v1.fruit.example.com');
      return metadata.uid !== undefined && metadata.uid !== object.metadata.uid;
    });
    const remote = { spec: { service: { namespace: 'default', name: 'thief' }, groupPriorityMinimum: 9 } };
    assert.equal((await s.call('PATCH', `${all}/v1.fruit.example.com`, remote, { type })).status, 200);
    await eventually(async () => assert.deepEqual((await get('v1.fruit.example.com')).spec, object.spec));

    await s.call('PATCH', `${definitions}/pears.fruit.example.com`, { spec: { versions: [version('v1', true)] } }, { type });
    await isGone('v2.fruit.example.com');
    await s.call('DELETE', `${definitions}/pears.fruit.example.com`);
    await isGone('v1.fruit.example.com');
  });

  test('that somebody else makes are his', async () => {
    const spec = { group: 'own.example.com', version: 'v1', groupPriorityMinimum: 5, versionPriority: 5 };
    const made = (await s.call('POST', all, { metadata: { name: 'v1.own.example.com' }, spec })).body;
    assert.deepEqual(conditionOf(made), local);
    const at = `${all}/v1.own.example.com`;
    await s.call('PATCH', at, { spec: { service: { namespace: 'default', name: 'none' } } }, { type });
    await eventually(async () => assert.equal(conditionOf(await get('v1.own.example.com'))[0]?.[2], 'ServiceNotFound'));
    await s.call('PATCH', at, { spec: { service: null } }, { type });
    await eventually(async () => assert.deepEqual(conditionOf(await get('v1.own.example.com')), local));
    assert.deepEqual((await get('v1.own.example.com')).spec, spec);
  });

  test('that are built in come again with the next start of a server, which changes no others', async () => {
    await s.call('DELETE', `${all}/v1.batch`);
    await s.call('PATCH', `${all}/v1.apps`, { spec: { groupPriorityMinimum: 7 } }, { type });
    const before = await get('v1.policy');
    const beside = await TestServer.start(s.store, { beside: s });
    try {
      await isThere('v1.batch');
      await eventually(async () => assert.equal((await get('v1.apps')).spec.groupPriorityMinimum, 17_800));
      assert.deepEqual(await get('v1.policy'), before);
    } finally {
      await beside.server.close();
      beside.disconnect();
    }
  });
});
