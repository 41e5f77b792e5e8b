import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ApiError } from '../../client/api-error.ts';
import { isKnownError } from '../../errors/known-error.ts';
import { listObjects, readManifests } from './cluster-objects.ts';
import { noPlanWhy } from './unproxied.ts';

const read = (...texts: string[]): ReturnType<typeof readManifests> => readManifests(texts.map((text, i) => ({ name: `file ${i}`, text })));

const presets = { sessionAffinity: 'None', internalTrafficPolicy: 'Cluster' };

describe('readManifests()', () => {
  test('takes documents, lists and JSON, and passes over kinds that say nothing of rules', () => {
    const { services, slices, nodes, serviceCidrs } = read(
      'kind: Deployment\nmetadata: { name: web }\n---\nkind: Service\nmetadata: { name: a }\n---\n',
      JSON.stringify({
        kind: 'List',
        items: [
          { kind: 'EndpointSlice', metadata: { name: 's', namespace: 'n' } },
          { kind: 'Node', metadata: { name: 'x' } },
        ],
      }),
      'kind: ServiceCIDRList\nitems: [{ kind: ServiceCIDR, metadata: { name: k } }]',
    );
    assert.deepEqual(
      services.map(({ metadata }) => metadata.namespace),
      ['default'],
    );
    assert.deepEqual(
      slices.map(({ metadata }) => metadata.namespace),
      ['n'],
    );
    assert.deepEqual([nodes.length, serviceCidrs.length], [1, 1]);
    assert.equal(nodes[0]?.metadata.namespace, undefined);
  });

  test('keeps what endpoints can be made of', () => {
    const kinds = ['Deployment', 'ReplicaSet', 'StatefulSet', 'DaemonSet'];
    const { pods, workloads } = read(
      kinds.map((kind) => `kind: ${kind}\nmetadata: { name: a }\n`).join('---\n'),
      'kind: Pod\nmetadata: { name: p }\n',
    );
    assert.deepEqual(
      workloads.map(({ kind, metadata }) => `${kind} ${metadata.namespace}`),
      kinds.map((kind) => `${kind} default`),
    );
    assert.deepEqual(
      pods.map(({ metadata }) => `${metadata.namespace} ${metadata.name}`),
      ['default p'],
    );
  });

  test('lets a later file add to an object what the cluster made of it', () => {
    const { services } = read(
      'kind: Service\nmetadata: { name: a }\nspec: { selector: { app: a }, type: ClusterIP }\n',
      'kind: Service\nmetadata: { name: a, namespace: default }\nspec: { clusterIP: 10.96.0.1 }\nstatus: { loadBalancer: {} }\n',
    );
    assert.deepEqual(
      services.map(({ spec }) => spec),
      [{ selector: { app: 'a' }, type: 'ClusterIP', clusterIP: '10.96.0.1', ...presets }],
    );
  });

  test('fills in what an API server would', () => {
    const { services, slices } = read(
      'kind: Service\nmetadata: { name: a }\nspec: { ports: [{ port: 80 }] }\n---\nkind: EndpointSlice\nmetadata: { name: a-1 }\nports: [{ port: 1 }]',
    );
    assert.deepEqual(services[0]?.spec, { type: 'ClusterIP', ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }], ...presets });
    assert.deepEqual(slices[0]?.ports, [{ name: '', protocol: 'TCP', port: 1 }]);
  });

  for (const text of ['a: [', 'just words', '- a\n- b'])
    test(`refuses ${JSON.stringify(text)}, naming the file`, () =>
      assert.throws(
        () => read('', text),
        (err) => isKnownError(err, 'BAD_CONFIG') && /"file 1"/.test(err.message),
      ));
});

test('listObjects() goes without ServiceCIDRs where there are none', async () => {
  const client = {
    server: 'https://192.0.2.1:6443',
    list: async ({ resource }: { resource: string }) => {
      if (resource === 'servicecidrs') throw new ApiError({ code: 404 } as never);
      return { items: [{ metadata: { name: resource } }], resourceVersion: '1' };
    },
  };
  const { services, slices, nodes, serviceCidrs, server } = await listObjects(client as never);
  assert.deepEqual(
    [services, slices, nodes].map((list) => list[0]?.metadata.name),
    ['services', 'endpointslices', 'nodes'],
  );
  assert.deepEqual([serviceCidrs, server], [[], 'https://192.0.2.1:6443']);
});

describe('noPlanWhy()', () => {
  const cases: readonly [spec: object, labels: Record<string, string>, why: RegExp | undefined, isLack?: boolean][] = [
    [{ clusterIP: '10.96.0.1' }, {}, undefined],
    [{ clusterIP: 'None' }, {}, /headless/],
    [{ type: 'ExternalName' }, {}, /just a name/],
    [{ clusterIP: '10.96.0.1' }, { 'service.kubernetes.io/service-proxy-name': 'x' }, /another proxy/],
    [{ clusterIP: '10.96.0.1' }, { 'service.kubernetes.io/headless': '' }, /headless/],
    [{}, {}, /no clusterIP/, true],
  ];
  for (const [spec, labels, why, isLack = false] of cases)
    test(`of ${JSON.stringify({ spec, labels })}`, () => {
      const found = noPlanWhy({ metadata: { name: 'a', labels }, spec } as never);
      if (!why) assert.equal(found, undefined);
      else assert.ok(why.test(found?.text ?? '') && found?.isLack === isLack);
    });
});
