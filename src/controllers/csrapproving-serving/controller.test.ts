import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { certificateSigningRequests, configMaps, endpointSlices, nodes, serviceCidrs } from '../../api/resource-types.ts';
import type { Node } from '../../api/schema/types.ts';
import type { OwnNames } from '../../x509/new-request.ts';
import { condition, nodeNames, type RequestOptions, requestOf } from '../testing/certificate-requests.ts';
import { TestBed } from '../testing/test-bed.ts';
import { CsrServingApprovingController } from './controller.ts';
import { hostOf } from './desired.ts';

const serving = { signerName: 'kubernetes.io/kubelet-serving', usages: ['digital signature', 'server auth'], groups: ['system:nodes'] };
const n1 = { ...serving, username: 'system:node:n1' };

function nodeOf(name: string, ...addresses: readonly string[]): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name },
    status: { addresses: [...addresses.map((address) => ({ type: 'InternalIP', address })), { type: 'Hostname', address: 'other' }] },
  };
}

/** One pass over a request in a cluster of two nodes; the conditions that it has then. */
async function pass(options: RequestOptions, ...more: readonly Node[]): Promise<unknown> {
  await using bed = new TestBed();
  for (const node of [
    nodeOf('n1', '192.0.2.1', '2001:db8::1', '10.96.0.9', '127.0.0.2', '192.0.2.10', '192.0.2.11'),
    nodeOf('n2', '192.0.2.2'),
    ...more,
  ])
    bed.put(nodes, node);
  bed.put(serviceCidrs, {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'ServiceCIDR',
    metadata: { name: 'kubernetes' },
    spec: { cidrs: ['10.96.0.0/16'] },
  });
  bed.put(endpointSlices, {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'kubernetes', namespace: 'default', labels: { 'kubernetes.io/service-name': 'kubernetes' } },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['192.0.2.10'] }],
  });
  bed.put(configMaps, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'cluster-info', namespace: 'kube-public' },
    data: { kubeconfig: 'clusters:\n- cluster:\n    server: https://192.0.2.11:6443\n' },
  });
  bed.put(certificateSigningRequests, requestOf(options));
  const controller = new CsrServingApprovingController(bed.context);
  await bed.deliver();
  const { writes, requeueAfter } = await bed.pass(controller, 'it');
  return { writes, requeueAfter };
}

const approves = { writes: ['update certificatesigningrequests/approval it'], requeueAfter: undefined };
const waits = { writes: [], requeueAfter: 30_000 };
const ignores = { writes: [], requeueAfter: undefined };

type Case = readonly [what: string, names: Partial<OwnNames>, spec: RequestOptions['spec'], does: unknown];

const cases: readonly Case[] = [
  ['its own name and addresses are approved', { dnsNames: ['n1'], ips: ['192.0.2.1', '2001:db8:0::1'] }, n1, approves],
  ['its name alone is approved', { dnsNames: ['n1'] }, n1, approves],
  ['a name that is not its own waits', { dnsNames: ['n1', 'other'] }, n1, waits],
  ['the name of another node waits', { dnsNames: ['n2'] }, n1, waits],
  ['an address that it does not have waits', { ips: ['192.0.2.7'] }, n1, waits],
  ['an address of another node waits', { ips: ['192.0.2.2'] }, n1, waits],
  ['an address of the API server waits', { ips: ['192.0.2.10'] }, n1, waits],
  ['the address in cluster-info waits', { ips: ['192.0.2.11'] }, n1, waits],
  ['an address of Services waits', { ips: ['10.96.0.9'] }, n1, waits],
  ['an address of loopback waits', { ips: ['127.0.0.2'] }, n1, waits],
  ['no name at all waits', {}, n1, waits],
  ['what another node asks for it waits', { dnsNames: ['n1'] }, { ...n1, username: 'system:node:n2' }, waits],
  ['what a person asks for it waits', { dnsNames: ['n1'] }, { ...n1, username: 'jane' }, waits],
  ['what somebody in no group of nodes asks waits', { dnsNames: ['n1'] }, { ...n1, groups: [] }, waits],
  ['a node that is not there waits', { commonName: 'system:node:n9', dnsNames: ['n9'] }, { ...n1, username: 'system:node:n9' }, waits],
  ['more usages wait', { dnsNames: ['n1'] }, { ...n1, usages: ['server auth', 'client auth', 'digital signature'] }, waits],
  ["a kubelet's client certificate is another's matter", {}, { username: 'system:node:n1' }, ignores],
];

describe('of the certificate that a kubelet serves with,', () => {
  for (const [what, names, spec, does] of cases)
    test(what, async () => assert.deepEqual(await pass({ names: { ...nodeNames, ...names }, ...(spec ? { spec } : {}) }), does));

  for (const name of ['localhost', 'kubernetes', 'kubernetes.default.svc'])
    test(`a node of the name ${name} waits`, async () => {
      const names = { commonName: `system:node:${name}`, organizations: ['system:nodes'], dnsNames: [name] };
      assert.deepEqual(await pass({ names, spec: { ...n1, username: `system:node:${name}` } }, nodeOf(name, '192.0.2.5')), waits);
    });

  test("the API server's address is that of a node of the control plane, too", async () => {
    const server = nodeOf('n3', '192.0.2.10', '192.0.2.11', '127.0.0.2');
    const labels = { 'node-role.kubernetes.io/control-plane': '' };
    const node = { ...server, metadata: { ...server.metadata, labels } };
    const ask = (ip: string, by: Node): Promise<unknown> => {
      const names = { ...nodeNames, commonName: 'system:node:n3', ips: [ip] };
      // Here n1 does not claim these addresses.
      return pass({ names, spec: { ...n1, username: 'system:node:n3' } }, by, nodeOf('n1', '192.0.2.1'));
    };
    for (const ip of ['192.0.2.10', '192.0.2.11']) assert.deepEqual(await ask(ip, node), approves);
    assert.deepEqual(await ask('192.0.2.10', server), waits);
    assert.deepEqual(await ask('127.0.0.2', node), waits);
  });

  test('an address that a second node claims waits', async () => {
    assert.deepEqual(await pass({ names: { ...nodeNames, ips: ['192.0.2.1'] }, spec: n1 }, nodeOf('n3', '192.0.2.1')), waits);
  });

  test('what somebody has decided on stays so', async () => {
    const names = { ...nodeNames, dnsNames: ['n1'] };
    assert.deepEqual(await pass({ names, spec: n1, status: { conditions: [condition('Denied')] } }), ignores);
  });
});

test('hostOf() finds the host in a kubeconfig, YAML or JSON', () => {
  assert.deepEqual(hostOf('  server: https://[2001:db8::1]:6443\n'), ['2001:db8::1']);
  assert.deepEqual(hostOf('{"cluster":{"server":"https://api.example:6443"}}'), ['api.example']);
  assert.deepEqual([hostOf(undefined), hostOf('server: x')], [[], []]);
});
