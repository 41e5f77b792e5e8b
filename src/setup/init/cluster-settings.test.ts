import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stringify } from 'yaml';
import { configMaps, nodes } from '../../api/resource-types.ts';
import type { ConfigMap, Node } from '../../api/schema/types.ts';
import { FakeClient } from '../../client/testing/fake-client.ts';
import { systemClock } from '../../clock/clock.ts';
import { type ClusterWish, planCluster } from '../config/cluster-plan.ts';
import { settingsKeys, settingsNames, settingsNamespace, settingsObjects } from '../settings/settings.ts';
import { changedBackend, changedClusterSettings, changeNetworkBackend, refuseFarNodes } from './cluster-settings.ts';

const plan = (wish: ClusterWish): ReturnType<typeof planCluster> => planCluster(wish, {}, ['192.168.56.10']);
const textOf = (wish: ClusterWish): string =>
  settingsObjects(plan(wish)).find(({ metadata }) => metadata.name === settingsNames.cluster)?.data?.[settingsKeys.cluster] ?? '';

test('changedClusterSettings() finds nothing to change in what init has written', () => {
  for (const wish of [
    {},
    { controlPlaneEndpoint: 'cluster.example', store: 'etcd=https://a:2379?ca-file=/ca.crt' },
    { store: 'redis://a' },
  ])
    assert.equal(changedClusterSettings(textOf(wish), plan(wish)), undefined);
});

test('changedClusterSettings() keeps what nobody wishes to be another, comments too', () => {
  const text = `# ours\n${stringify({ kind: 'ClusterConfiguration', controlPlaneEndpoint: 'a:6443', etcd: { external: { endpoints: ['https://a'] } } })}`;
  assert.equal(changedClusterSettings(text, plan({})), undefined);
  assert.equal(
    changedClusterSettings(text, plan({ controlPlaneEndpoint: 'b:7443', store: 'etcd=https://b?ca-file=/ca.crt' })),
    '# ours\nkind: ClusterConfiguration\ncontrolPlaneEndpoint: b:7443\netcd:\n  external:\n    endpoints:\n      - https://b\n    caFile: /ca.crt\n',
  );
});

test('changedClusterSettings() adds names of the API server to those that it has', () => {
  const text = 'kind: ClusterConfiguration\napiServer:\n  certSANs:\n    - a.example\n';
  assert.equal(changedClusterSettings(text, plan({ certSans: ['a.example'] })), undefined);
  assert.equal(changedClusterSettings(text, plan({})), undefined);
  assert.equal(changedClusterSettings(text, plan({ certSans: ['b.example'] })), `${text}    - b.example\n`);
});

test('changedClusterSettings() adds what was not there', () => {
  assert.equal(
    changedClusterSettings('kind: ClusterConfiguration\n', plan({ controlPlaneEndpoint: 'b', store: 'etcd=http://b' })),
    'kind: ClusterConfiguration\ncontrolPlaneEndpoint: b:6443\netcd:\n  external:\n    endpoints:\n      - http://b\n',
  );
});

test('changedBackend() changes the type alone, also in what somebody has written by hand', () => {
  const text = '{"Network": "10.9.0.0/16", "Backend": {"Type": "vxlan", "VNI": 7,}, # ours\n}';
  assert.equal(changedBackend(text, 'vxlan'), undefined);
  assert.deepEqual(JSON.parse(changedBackend(text, 'host-gw') ?? ''), { Network: '10.9.0.0/16', Backend: { Type: 'host-gw', VNI: 7 } });
  assert.deepEqual(JSON.parse(changedBackend('', 'host-gw') ?? ''), { Backend: { Type: 'host-gw' } });
});

const near = ['192.168.56.0/24', 'fd00:192:168:56::/64'];
const nodeAt = (name: string, ips: Record<string, string>): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, annotations: Object.fromEntries(Object.entries(ips).map(([key, ip]) => [`flannel.alpha.coreos.com/${key}`, ip])) },
});

test('refuseFarNodes() names the nodes that are not on the link of this one', () => {
  const there = [nodeAt('a', { 'public-ip': '192.168.56.11', 'public-ipv6': 'fd00:192:168:56::11' }), nodeAt('new', {})];
  refuseFarNodes(there, near);
  const far = [nodeAt('b', { 'public-ip': '192.168.57.12' }), nodeAt('c', { 'public-ip': '192.168.56.13', 'public-ipv6': 'fd01::13' })];
  assert.throws(() => refuseFarNodes([...there, ...far], near), {
    code: 'BAD_CONFIG',
    message: /are "b" \(192\.168\.57\.12\), "c" \(fd01::13\)$/,
  });
  // Without a network of that family on this node it is not the pods'.
  refuseFarNodes([nodeAt('c', { 'public-ip': '192.168.56.13', 'public-ipv6': 'fd01::13' })], near.slice(0, 1));
});

test('refuseFarNodes() takes a node beside an address of DHCPv6, which tells of no network', () => {
  refuseFarNodes(
    [nodeAt('c', { 'public-ip': '192.168.56.13', 'public-ipv6': 'fd00:192:168:56::13' })],
    [...near.slice(0, 1), 'fd00:192:168:56::11/128'],
  );
});

test('refuseFarNodes() names the nodes that tell another address than their own, though it be on the link', () => {
  const node = (annotations: Record<string, string>): Node => ({
    ...nodeAt('a', { 'public-ip': '192.168.56.11', ...annotations }),
    status: { addresses: [{ type: 'InternalIP', address: '192.168.56.11' }] },
  });
  refuseFarNodes([node({ 'public-ip-overwrite': '192.168.56.11' }), node({ 'public-ip-overwrite': 'none' })], near);
  for (const [key, ip] of [
    ['public-ip-overwrite', '192.168.56.200'],
    ['public-ipv6-overwrite', 'fd00:192:168:56::200'],
  ] as const)
    assert.throws(() => refuseFarNodes([node({ [key]: ip })], near), {
      code: 'BAD_CONFIG',
      message: new RegExp(`are "a" \\(it tells ${ip} by the annotation flannel\\.alpha\\.coreos\\.com/${key}\\)$`),
    });
  refuseFarNodes([node({ 'public-ipv6-overwrite': 'fd00:192:168:56::200' })], near.slice(0, 1));
});

test('changeNetworkBackend() refuses host-gw for nodes on several links, and leaves all as it was', async () => {
  const client = new FakeClient(systemClock);
  for (const object of settingsObjects(plan({}))) client.put(configMaps, object);
  client.put(nodes, nodeAt('far', { 'public-ip': '192.168.57.12' }));
  const text = async (): Promise<unknown> =>
    (await client.get<ConfigMap>(configMaps, settingsNames.network, { namespace: settingsNamespace })).data;
  const before = await text();
  await assert.rejects(changeNetworkBackend(client, 'host-gw', near), { code: 'BAD_CONFIG', message: /"far"/ });
  assert.deepEqual(await text(), before);
});

test('changeNetworkBackend() changes it in a living cluster, and nothing where nobody asks for one', async () => {
  const client = new FakeClient(systemClock);
  for (const object of settingsObjects(plan({ networkBackend: 'host-gw' }))) client.put(configMaps, object);
  const backend = async (): Promise<unknown> => {
    const { data } = await client.get<ConfigMap>(configMaps, settingsNames.network, { namespace: settingsNamespace });
    return JSON.parse(data?.[settingsKeys.network] ?? '').Backend.Type;
  };
  assert.equal(await changeNetworkBackend(client, undefined, near), false);
  assert.equal(await changeNetworkBackend(client, 'host-gw', near), false);
  assert.equal(await backend(), 'host-gw');
  assert.equal(await changeNetworkBackend(client, 'vxlan', near), true);
  assert.equal(await backend(), 'vxlan');
});
