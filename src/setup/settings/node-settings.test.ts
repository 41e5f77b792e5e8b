import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { configMaps } from '../../api/resource-types.ts';
import type { ConfigMap, Node } from '../../api/schema/types.ts';
import { ApiError } from '../../client/api-error.ts';
import type { Client } from '../../client/client.ts';
import { FakeClient } from '../../client/testing/fake-client.ts';
import { systemClock } from '../../clock/clock.ts';
import { eventually } from '../../clock/testing/eventually.ts';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { type Log, silentLog } from '../../observability/log.ts';
import { planCluster } from '../config/cluster-plan.ts';
import { followSettings, keptSettings, type NodeSettingsOptions, readNodeSettings, refuseOtherNetworks } from './node-settings.ts';
import { settingsObjects } from './settings.ts';

const dir = mkdtempSync(join(tmpdir(), 'fairlead-settings-'));
after(() => rmSync(dir, { recursive: true }));
let copies = 0;

const objects = settingsObjects(planCluster({ podSubnet: '10.200.0.0/16', networkBackend: 'host-gw' }, {}, ['192.168.56.10']));
const node = (annotations: Record<string, string> = {}): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'other', annotations },
});
const prefix = 'flannel.alpha.coreos.com/';

interface Cluster {
  /** By name of the ConfigMap, with what code it is refused. */
  readonly refused?: Readonly<Record<string, number>>;
  /** With what code, or who they are. */
  readonly nodes?: number | readonly Node[];
}

function refusal(code: number): ApiError {
  return new ApiError({ apiVersion: 'v1', kind: 'Status', metadata: {}, status: 'Failure', code, message: `code ${code}` });
}

function clientOf({ refused = {}, nodes = [] }: Cluster): Client {
  const client: Pick<Client, 'get' | 'list'> = {
    get: async (_type, name) => {
      const code = refused[name];
      if (code !== undefined) throw refusal(code);
      return objects.find(({ metadata }) => metadata.name === name) as ConfigMap as never;
    },
    list: async () => {
      if (typeof nodes === 'number') throw refusal(nodes);
      return { items: nodes as never[], resourceVersion: '' };
    },
  };
  return client as Client;
}

function options(cluster: Cluster, signal = new AbortController().signal): NodeSettingsOptions & { readonly told: string[] } {
  const told: string[] = [];
  const log: Log = { ...silentLog, warn: (text) => told.push(text) };
  return { client: clientOf(cluster), dir: join(dir, String(copies++)), clock: new FakeClock(), log, signal, told };
}

describe('readNodeSettings()', () => {
  test('gives what the cluster says, and keeps a copy of it', async () => {
    const given = options({});
    const flags = await readNodeSettings(given);
    assert.deepEqual([flags['cluster-cidr'], flags['network-backend']], ['10.200.0.0/16', 'host-gw']);
    assert.deepEqual(given.told, []);
    assert.match(readFileSync(flags['proxy-config'] ?? '', 'utf8'), /KubeProxyConfiguration/);
    assert.match(readFileSync(flags['net-config-path'] ?? '', 'utf8'), /"Type":"host-gw"/);
    // The next start may find nobody to ask.
    const again = { ...given, client: clientOf({ refused: { 'kubeadm-config': 500 } }) };
    assert.deepEqual(await readNodeSettings(again), flags);
    assert.match(given.told.join(), /those of before hold/);
  });

  for (const code of [403, 404])
    test(`goes on in a cluster of kubeadm, where pod network and proxy are answered with ${code}, and says with what`, async () => {
      const given = options({ refused: { 'kube-flannel-cfg': code, 'kube-proxy': code }, nodes: [node()] });
      const flags = await readNodeSettings(given);
      assert.deepEqual(
        ['cluster-cidr', 'network-backend', 'vxlan-vni', 'vxlan-port'].map((flag) => flags[flag]),
        ['10.200.0.0/16', 'vxlan', '1', '8472'],
      );
      assert.equal(given.told.length, 2);
      assert.match(
        given.told.join('\n'),
        /"kube-system\/kube-flannel-cfg" is not there, .*: pods cross nodes by vxlan \(VNI 1, UDP port 8472\)/,
      );
      assert.match(given.told.join('\n'), /"kube-system\/kube-proxy" .* has its presets/);
      assert.deepEqual(JSON.parse(readFileSync(flags['proxy-config'] ?? '', 'utf8')).clusterCIDR, '10.200.0.0/16');
    });

  test('refuses to guess where another node has another pod network', async () => {
    const nodes = [node({ [`${prefix}backend-type`]: 'host-gw' })];
    await assert.rejects(readNodeSettings(options({ refused: { 'kube-flannel-cfg': 403 }, nodes })), { code: 'BAD_CONFIG' });
  });

  test('goes on where the nodes may not be seen', async () => {
    const flags = await readNodeSettings(options({ refused: { 'kube-flannel-cfg': 403 }, nodes: 403 }));
    assert.equal(flags['network-backend'], 'vxlan');
  });

  test('waits while nodes may not see what they all need', async () => {
    const ended = new AbortController();
    const given = options({ refused: { 'kubeadm-config': 403 } }, ended.signal);
    const reading = readNodeSettings(given);
    while (given.told.length === 0) await new Promise((resolve) => setImmediate(resolve));
    assert.match(given.told[0] ?? '', /Cannot read the settings of the cluster yet: code 403/);
    ended.abort();
    await assert.rejects(reading);
  });
});

test('refuseOtherNetworks() takes nodes that say the same, or nothing', () => {
  const backend = { type: 'vxlan', vni: 1, port: 8472 };
  const said = (type: string, data: string): Node => node({ [`${prefix}backend-type`]: type, [`${prefix}backend-data`]: data });
  const check = (...nodes: Node[]): void => refuseOtherNetworks(nodes, backend);
  check(node(), said('vxlan', '{"VNI":1,"VtepMAC":"02:00:00:00:00:01"}'), said('vxlan', 'null'));
  assert.throws(() => check(node(), said('vxlan', '{"VNI": 4096}')), {
    code: 'BAD_CONFIG',
    message: /node "other" has vxlan with VNI 4096/,
  });
  assert.throws(() => check(said('host-gw', 'null')), { message: /node "other" has host-gw, and no ConfigMap says so/ });
});

test('followSettings() writes what is edited of proxy and pod network, and keeps what was before where that cannot be read', async () => {
  const client = new FakeClient(systemClock);
  for (const object of objects) client.put(configMaps, object);
  const ended = new AbortController();
  const told: string[] = [];
  const log: Log = { ...silentLog, error: (text) => told.push(text) };
  const at = join(dir, 'followed');
  const following = followSettings({ client, dir: at, clock: systemClock, log, signal: ended.signal });
  const has = (file: string, text: RegExp): Promise<unknown> =>
    eventually(`${file} has ${text}`, () => text.test(readFileSync(join(at, file), 'utf8')));
  await has('kube-proxy.conf', /KubeProxyConfiguration/);
  await has('net-conf.json', /"host-gw"/);
  const edit = (name: string, data: Record<string, string>): unknown =>
    client.put(configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'kube-system' }, data });
  edit('kube-flannel-cfg', { 'net-conf.json': '{"Backend": {"Type": "vxlan"}}' });
  await has('net-conf.json', /"vxlan"/);
  for (const [text, said] of [
    ['{', /net-conf\.json/],
    ['{"Backend": {"Type": "udp"}}', /Backend\.Type "udp"/],
  ] as const) {
    edit('kube-flannel-cfg', { 'net-conf.json': text });
    await eventually('it is told', () => told.some((one) => one.includes('kube-flannel-cfg') && said.test(one)));
  }
  edit('kube-proxy', { 'config.conf': 'mode: ipvs' });
  await has('kube-proxy.conf', /^mode: ipvs$/);
  await has('net-conf.json', /"vxlan"/);
  ended.abort();
  await following;
});

test('keptSettings() are the copy with what was edited since', async () => {
  assert.equal(await keptSettings(join(dir, 'nowhere')), undefined);
  const given = options({});
  await readNodeSettings(given);
  writeFileSync(join(given.dir, 'net-conf.json'), '{"Backend":{"Type":"vxlan","VNI":7}}');
  writeFileSync(join(given.dir, 'kube-proxy.conf'), 'mode: ipvs');
  const kept = await keptSettings(given.dir);
  assert.deepEqual([kept?.backend, kept?.proxyConfiguration], [{ type: 'vxlan', vni: 7, port: 8472 }, 'mode: ipvs']);
  for (const name of ['net-conf.json', 'kube-proxy.conf']) writeFileSync(join(given.dir, name), '');
  assert.equal((await keptSettings(given.dir))?.backend.vni, 1, 'what a power cut has left empty says nothing');
  writeFileSync(join(given.dir, 'settings.json'), '');
  assert.equal(await keptSettings(given.dir), undefined);
});

test('a node whose copy is of before it followed the pod network follows it, also when its first start finds nobody to ask', async () => {
  const given = options({ refused: { 'kubeadm-config': 500 } });
  mkdirSync(given.dir);
  const backend = { type: 'vxlan', vni: 7, port: 4789 };
  writeFileSync(join(given.dir, 'settings.json'), JSON.stringify({ podSubnet: '10.200.0.0/16', backend, proxyConfiguration: '' }));
  const flags = await readNodeSettings(given);
  assert.equal(flags['vxlan-vni'], '7');
  assert.deepEqual(JSON.parse(readFileSync(flags['net-config-path'] ?? '', 'utf8')), { Backend: { Type: 'vxlan', VNI: 7, Port: 4789 } });
});
