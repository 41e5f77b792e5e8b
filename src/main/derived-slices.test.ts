/** Endpoints of manifests without EndpointSlices. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readManifests } from '../proxy/inspect/cluster-objects.ts';
import { deriveSlices } from './derived-slices.ts';

const service = (spec: object, name = 'web'): object => ({
  kind: 'Service',
  metadata: { name },
  spec: { clusterIP: '10.96.0.1', selector: { app: 'web' }, ports: [{ port: 80, targetPort: 'http' }], ...spec },
});
const pod = (name: string, status: object | undefined, more: { labels?: object; namespace?: string } = {}): object => ({
  kind: 'Pod',
  metadata: { name, labels: { app: 'web' }, ...more },
  spec: { nodeName: 'n1', containers: [{ name: 'c', ports: [{ name: 'http', containerPort: 8080 }] }] },
  ...(status ? { status } : {}),
});
const running = (...ips: string[]): object => ({
  podIP: ips[0],
  podIPs: ips.map((ip) => ({ ip })),
  phase: 'Running',
  conditions: [{ type: 'Ready', status: 'True' }],
});
const derive = (...objects: object[]): ReturnType<typeof deriveSlices> =>
  deriveSlices(readManifests([{ name: 'a file', text: JSON.stringify({ kind: 'List', items: objects }) }]));
const endpointsOf = ({ slices }: ReturnType<typeof deriveSlices>): string[] =>
  slices.flatMap(({ addressType, ports, endpoints }) =>
    (endpoints ?? []).map((one) =>
      `${addressType} ${one.addresses.join()} ${ports?.[0]?.port} ${one.conditions?.ready} ${one.zone ?? ''}`.trim(),
    ),
  );
const hint = ', without addresses before they run: "kubectl get pods -A -o yaml" prints them with theirs';

describe('deriveSlices()', () => {
  test('has the pods that a Service selects, with their ports and zones, and says so', () => {
    const node = { kind: 'Node', metadata: { name: 'n1', labels: { 'topology.kubernetes.io/zone': 'z' } } };
    const found = derive(
      service({}),
      pod('a', running('10.244.1.2')),
      pod('b', running('10.244.1.3')),
      pod('c', running('10.244.1.4'), { labels: {} }),
      node,
    );
    assert.deepEqual(endpointsOf(found), ['IPv4 10.244.1.2 8080 true z', 'IPv4 10.244.1.3 8080 true z']);
    assert.deepEqual(found.notes, ['endpoints derived from Pods: default/web: 10.244.1.2, 10.244.1.3']);
    assert.deepEqual(
      found.slices.map(({ metadata }) => [metadata.name, metadata.namespace]),
      [['web-0', 'default']],
    );
  });

  test('has both families of a Service with addresses of both', () => {
    const found = derive(service({ clusterIPs: ['10.96.0.1', 'fd00::1'] }), pod('a', running('10.244.1.2', 'fd00:1::2')));
    assert.deepEqual(endpointsOf(found), ['IPv4 10.244.1.2 8080 true', 'IPv6 fd00:1::2 8080 true']);
    assert.deepEqual(endpointsOf(derive(service({ clusterIP: 'fd00::1' }), pod('a', running('fd00:1::2')))), ['IPv6 fd00:1::2 8080 true']);
  });

  test('tells of pods that are not ready', () => {
    const found = derive(service({}), pod('a', running('10.244.1.2')), pod('b', { podIP: '10.244.1.3' }));
    assert.deepEqual(endpointsOf(found), ['IPv4 10.244.1.2 8080 true', 'IPv4 10.244.1.3 8080 false']);
    assert.deepEqual(found.notes, ['endpoints derived from Pods: default/web: 10.244.1.2, 10.244.1.3 (1 not ready)']);
  });

  test('says which pods have no address, and who would make some', () => {
    const bare = derive(service({}), pod('a', running('10.244.1.2')), pod('b', undefined));
    assert.deepEqual(bare.notes, [
      'endpoints derived from Pods: default/web: 10.244.1.2',
      `Service default/web has no endpoints of Pod b${hint}`,
    ]);
    const deployment = {
      kind: 'Deployment',
      metadata: { name: 'web' },
      spec: { template: { metadata: { labels: { app: 'web', more: 'x' } } } },
    };
    const made = derive(service({}), deployment);
    assert.deepEqual(made.notes, [`Service default/web has no endpoints of pods of Deployment web${hint}`]);
    assert.deepEqual(endpointsOf(made), []);
    assert.deepEqual(derive(service({}), deployment, pod('a', running('10.244.1.2'))).notes, [
      'endpoints derived from Pods: default/web: 10.244.1.2',
    ]);
  });

  const silent: readonly [what: string, objects: readonly object[]][] = [
    [
      'a Service that has a slice',
      [service({}), { kind: 'EndpointSlice', metadata: { name: 's', labels: { 'kubernetes.io/service-name': 'web' } } }],
    ],
    ['a Service without a selector', [service({ selector: {} })]],
    ['a headless Service', [service({ clusterIP: 'None' })]],
    ['a name alone', [service({ type: 'ExternalName' })]],
  ];
  for (const [what, objects] of silent)
    test(`leaves ${what} as it is`, () => assert.deepEqual(derive(...objects, pod('a', running('10.244.1.2'))), { slices: [], notes: [] }));

  test('takes no pods of another namespace, and says nothing where there are none', () =>
    assert.deepEqual(derive(service({}), pod('a', running('10.244.1.2'), { namespace: 'other' })), { slices: [], notes: [] }));
});
