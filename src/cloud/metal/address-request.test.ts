import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Service } from '../../api/schema/types.ts';
import { addressRequest, claimOf } from './address-request.ts';

const service = (spec: Service['spec'], annotations: Record<string, string> = {}): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'a', namespace: 'default', annotations, labels: { tier: 'web' } },
  spec,
});

test('a Service asks for an address of each of its families, and for none by name', () => {
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default', labels: { team: 'x' } } };
  assert.deepEqual(addressRequest(service({ ipFamilies: ['IPv6', 'IPv4'] }), namespace), {
    service: 'default/a',
    families: [6, 4],
    mayLackSecond: false,
    wanted: [],
    pool: undefined,
    namespaceLabels: { team: 'x' },
    labels: { tier: 'web' },
    claim: { ports: [], sharingKey: '', backendKey: '' },
  });
});

for (const [what, spec, annotations, wanted] of [
  ['may do without the second family only when it prefers two', { ipFamilyPolicy: 'PreferDualStack' }, {}, { mayLackSecond: true }],
  ['may not when it requires two', { ipFamilyPolicy: 'RequireDualStack' }, {}, { mayLackSecond: false }],
  ['without families has those of its ClusterIPs', { clusterIPs: ['fd00::1', 'None'] }, {}, { families: [6] }],
  ['without either has IPv4', { clusterIPs: ['None'] }, {}, { families: [4] }],
  ['may ask by its field', { loadBalancerIP: '192.0.2.1' }, {}, { wanted: ['192.0.2.1'] }],
  ['may ask by the annotation', {}, { 'metallb.io/loadBalancerIPs': '192.0.2.1, fd00::1' }, { wanted: ['192.0.2.1', 'fd00::1'] }],
  ['may name a pool by the older annotation', {}, { 'metallb.universe.tf/address-pool': 'p' }, { pool: 'p' }],
  [
    'with both names of an annotation means the newer',
    {},
    { 'metallb.universe.tf/address-pool': 'p', 'metallb.io/address-pool': 'q' },
    { pool: 'q' },
  ],
  ['cannot ask for what is no address', { loadBalancerIP: 'x' }, {}, { why: 'invalid requested address "x"' }],
  [
    'cannot ask in two ways',
    { loadBalancerIP: '192.0.2.1' },
    { 'metallb.io/loadBalancerIPs': '192.0.2.1' },
    { why: 'both spec.loadBalancerIP and annotation loadBalancerIPs are set' },
  ],
] as const)
  test(`a Service ${what}`, () =>
    assert.partialDeepStrictEqual(addressRequest(service(spec as Service['spec'], annotations), undefined), wanted));

test('Services under policy Local share an address only with the same selector, in whatever order it is written', () => {
  const ports = [{ port: 80 }, { port: 53, protocol: 'UDP' }];
  const local = claimOf(
    service({ ports, externalTrafficPolicy: 'Local', selector: { b: '2', a: '1' } }, { 'metallb.io/allow-shared-ip': 'key' }),
  );
  assert.deepEqual(local, { ports: ['TCP/80', 'UDP/53'], sharingKey: 'key', backendKey: 'a=1,b=2' });
  assert.equal(claimOf(service({ ports, externalTrafficPolicy: 'Cluster', selector: { a: '1' } })).backendKey, '');
});
