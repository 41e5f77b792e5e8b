/** What parts read from flags: the same from their own commands as from those of several parts. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { parseInvocation } from '../../cli/parse-invocation.ts';
import { isKnownError } from '../../errors/known-error.ts';
import { agent } from '../agent-command.ts';
import { optionsOf, type PartsCommand, readerFor } from '../parts-command.ts';
import { server } from '../server-command.ts';
import { apiserver } from './apiserver.ts';
import { controllerManager } from './controller-manager.ts';
import { dns } from './dns.ts';
import { kubelet } from './kubelet.ts';
import { led } from './led.ts';
import { netAgent } from './net-agent.ts';
import type { Part } from './part.ts';
import { proxy } from './proxy.ts';
import { scheduler } from './scheduler.ts';

const dir = mkdtempSync(join(tmpdir(), 'fairlead-settings-'));
after(() => rmSync(dir, { recursive: true }));
const contexts = [{ name: 'it', context: { cluster: 'it', user: 'it' } }];
const clusters = [{ name: 'it', cluster: { server: 'https://192.0.2.10:6443' } }];
const kubeconfig = JSON.stringify({ 'current-context': 'it', contexts, clusters, users: [] });
mkdirSync(join(dir, 'pki'));
const kubeconfigs = ['conf', 'dns.kubeconfig', 'pki/controller-manager.conf', 'pki/cloud-controller-manager.conf'];
const pems = ['ca.crt', 'kubelet.crt', 'kubelet.key', ...['ca.crt', 'apiserver.crt', 'apiserver.key'].map((name) => `pki/${name}`)];
for (const name of kubeconfigs) writeFileSync(join(dir, name), kubeconfig);
for (const name of [...pems, 'pki/apiserver-kubelet-client.crt', 'pki/apiserver-kubelet-client.key'])
  writeFileSync(join(dir, name), `PEM ${name}`);

type Settings = Record<string, unknown>;

/** What `part` reads in `command` from these flags, without its connections. */
async function settingsOf(command: PartsCommand, part: Part, flags: Readonly<Record<string, string>>): Promise<Settings> {
  const args = Object.entries(flags).map(([name, value]) => (value === '' ? `--${name}` : `--${name}=${value}`));
  const { values } = parseInvocation(command.name, { options: optionsOf(command) }, args, {});
  const config = await part.config(readerFor(part, command, values), { parts: command.parts.map(({ name }) => name) });
  return JSON.parse(JSON.stringify(config, (key, value) => (['client', 'isAlone'].includes(key) ? undefined : value))) as Settings;
}

const alone = (part: Part): PartsCommand => ({ name: part.name, summary: '', parts: [part] });

describe('settings of a part', () => {
  const both = { 'kubeconfig-dir': dir, kubeconfig: join(dir, 'conf'), 'tls-dir': dir, 'node-name': 'n1', 'node-ip': '192.0.2.11' };
  const own = { kubeconfig: join(dir, 'conf'), 'hostname-override': 'n1' };
  const cases: [Part, Record<string, string>, Record<string, string>][] = [
    [
      kubelet,
      { 'runtime-endpoint': 'unix:///a.sock', 'node-labels': 'a=b', 'register-with-taints': 'c:NoExecute', 'cluster-dns': '10.9.0.10' },
      {
        'container-runtime-endpoint': 'unix:///a.sock',
        'node-labels': 'a=b',
        'register-with-taints': 'c:NoExecute',
        'cluster-dns': '10.9.0.10',
        'node-ip': '192.0.2.11',
        'client-ca-file': join(dir, 'ca.crt'),
        'tls-cert-file': join(dir, 'kubelet.crt'),
        'tls-private-key-file': join(dir, 'kubelet.key'),
      },
    ],
    [
      proxy,
      { 'cluster-cidr': '10.1.0.0/16', 'proxy-metrics-address': ':9' },
      {
        'bind-address': '192.0.2.11',
        'cluster-cidr': '10.1.0.0/16',
        'service-cidr': '10.96.0.0/16',
        'metrics-bind-address': ':9',
      },
    ],
    [
      netAgent,
      { 'network-backend': 'host-gw', 'no-masquerade-pods': '', 'run-dir': '/r', iface: 'eth1,eth2' },
      { 'public-ip': '192.0.2.11', backend: 'host-gw', 'no-ip-masq': '', 'run-dir': '/r', iface: 'eth1,eth2' },
    ],
    [
      dns,
      { 'dns-lameduck': '9s', 'dns-health-address': ':1', 'dns-max-watch-age': '2m' },
      {
        'bind-address': '192.0.2.11',
        lameduck: '9s',
        'healthz-bind-address': ':1',
        'ready-bind-address=': '',
        'metrics-bind-address=': '',
        'max-watch-age': '2m',
      },
    ],
  ];
  for (const [part, amongOthers, byItself] of cases)
    test(`${part.name} reads the same from "fairlead agent" as from its own command`, async () => {
      const settings = await settingsOf(agent, part, { ...both, ...amongOthers });
      assert.deepEqual(settings, await settingsOf(alone(part), part, { ...own, ...byItself }));
    });

  test('of the kubelet are what the flags and files say', async () => {
    const settings = await settingsOf(agent, kubelet, { ...both, 'pod-manifest-path=': '' });
    const tls = { cert: 'PEM kubelet.crt', key: 'PEM kubelet.key', clientCa: 'PEM ca.crt' };
    assert.deepEqual(settings, {
      nodeName: 'n1',
      nodeIps: ['192.0.2.11'],
      runtimeEndpoint: 'unix:///run/containerd/containerd.sock',
      rootDir: '/var/lib/kubelet',
      clusterDns: ['10.96.0.10'],
      clusterDomain: 'cluster.local',
      resolvConf: '/etc/resolv.conf',
      taints: [],
      labels: {},
      tls,
      certificates: { certDir: '/var/lib/kubelet/pki', rotatesClient: false, rotatesServing: false },
    });
  });

  test('of the kubelet hold a certificate that it signs itself when it has no files', async () => {
    const { tls } = await settingsOf(alone(kubelet), kubelet, { ...own, 'node-ip': '192.0.2.11', 'client-ca-file': join(dir, 'ca.crt') });
    assert.match((tls as { cert: string }).cert, /BEGIN CERTIFICATE/);
  });

  test("of the proxy yield to a KubeProxyConfiguration, but for the node's name", async () => {
    const file = join(dir, 'proxy.yaml');
    const fields = `clusterCIDR: 10.7.0.0/16\nhostnameOverride: n7\nclientConnection: { kubeconfig: ${join(dir, 'conf')} }\n`;
    writeFileSync(file, `apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n${fields}`);
    const flags = { config: file, 'cluster-cidr': '10.1.0.0/16' };
    const read = async (more: Record<string, string>): Promise<unknown[]> => {
      const { configuration, nodeName } = await settingsOf(alone(proxy), proxy, { ...flags, ...more });
      return [(configuration as { clusterCIDR: string }).clusterCIDR, nodeName];
    };
    assert.deepEqual(await read({ 'hostname-override': 'n1' }), ['10.7.0.0/16', 'n1']);
    assert.deepEqual(await read({}), ['10.7.0.0/16', 'n7']);
  });

  test('of DNS take ranges of both families, none of which is asked of others', async () => {
    const ranges = { 'cluster-cidr': '10.244.0.0/16,fd00:10:244::/56', 'service-cidr': '10.96.0.0/16,fd00:10:96::/112' };
    const settings = await settingsOf(alone(dns), dns, { ...own, ...ranges, 'bind-address': '192.0.2.11' });
    assert.deepEqual(
      settings.ranges,
      Object.values(ranges).flatMap((range) => range.split(',')),
    );
    await settingsOf(agent, dns, { ...both, ...ranges });
  });

  test('of the API server name as foreign what does not run beside it', async () => {
    const flags = { 'pki-dir': join(dir, 'pki'), 'data-dir': '/d d', 'advertise-address': '192.0.2.10' };
    const { store, foreign, listen } = await settingsOf(server, apiserver, flags);
    assert.deepEqual(
      [store, foreign, listen],
      [{ url: 'sqlite:///d%20d/state.db', acceptDataLoss: false }, [], { host: '0.0.0.0', port: 6443 }],
    );
    assert.deepEqual((await settingsOf(alone(apiserver), apiserver, flags)).foreign, ['controller-manager', 'scheduler']);
  });

  test('of the controllers come from the directory of the server, and give Nodes ranges only when there is one', async () => {
    const { autoscalerTimes: _usual, ...beside } = await settingsOf(server, controllerManager, {
      'pki-dir': join(dir, 'pki'),
      controllers: 'job-controller',
    });
    assert.deepEqual(beside, {
      names: ['job-controller'],
      rootCa: 'PEM pki/ca.crt',
      podRanges: [{ clusterCidr: '10.244.0.0/16', maskSize: 24 }],
    });
    const { autoscalerTimes: _same, ...byThemselves } = await settingsOf(alone(controllerManager), controllerManager, {
      kubeconfig: join(dir, 'conf'),
      controllers: 'job-controller',
    });
    assert.deepEqual(byThemselves, { names: ['job-controller'], rootCa: '' });
  });

  test('of the controllers have the times of autoscalers as upstream, or as they are given', async () => {
    const times = async (flags: Record<string, string>): Promise<unknown> =>
      (await settingsOf(alone(controllerManager), controllerManager, { kubeconfig: join(dir, 'conf'), ...flags })).autoscalerTimes;
    const usual = { syncPeriodMs: 15_000, downWindowMs: 300_000, tolerance: 0.1, cpuBeginningMs: 300_000, readinessBeginningMs: 30_000 };
    assert.deepEqual(await times({}), usual);
    const given = {
      'horizontal-pod-autoscaler-sync-period': '5s',
      'horizontal-pod-autoscaler-downscale-stabilization': '0s',
      'horizontal-pod-autoscaler-tolerance': '0.25',
      'horizontal-pod-autoscaler-cpu-initialization-period': '1m',
      'horizontal-pod-autoscaler-initial-readiness-delay': '10s',
    };
    const changed = { syncPeriodMs: 5000, downWindowMs: 0, tolerance: 0.25, cpuBeginningMs: 60_000, readinessBeginningMs: 10_000 };
    assert.deepEqual(await times(given), changed);
  });

  test('of the controllers take as many parts of a range of IPv4 as there are', async () => {
    const flags = { kubeconfig: join(dir, 'conf'), 'cluster-cidr': '10.0.0.0/8', 'node-cidr-mask-size': '25' };
    const { podRanges } = await settingsOf(alone(controllerManager), controllerManager, flags);
    assert.deepEqual(podRanges, [{ clusterCidr: '10.0.0.0/8', maskSize: 25 }]);
  });

  test("name the node as the host in lower case when nothing says its name, as upstream's parts do", async () => {
    const { nodeName } = await settingsOf(alone(proxy), proxy, { kubeconfig: join(dir, 'conf') });
    assert.equal(nodeName, hostname().toLowerCase());
  });

  const nowhere = { kubeconfig: '/nowhere' };
  const wrong: [Part, Record<string, string>][] = [
    [apiserver, { 'pki-dir': '/nowhere', 'secure-port': 'x' }],
    [apiserver, { 'pki-dir': '/nowhere', 'service-cluster-ip-range': '10.0.0.0' }],
    [controllerManager, { ...nowhere, 'cluster-cidr': '10.244.0.0' }],
    [led(scheduler, 'kube-scheduler'), { ...nowhere, 'leader-elect-retry-period': '2' }],
    [kubelet, { ...nowhere, 'register-with-taints': 'a=b' }],
    [kubelet, { ...nowhere, 'node-ip': 'x' }],
    [netAgent, { ...nowhere, 'vxlan-port': '0' }],
    [netAgent, { ...nowhere, 'iface-regex': '(' }],
    [proxy, { ...nowhere, 'cluster-cidr': '10.1.0.0' }],
    [dns, { ...nowhere, lameduck: '5' }],
    [dns, { ...nowhere, 'bind-address': 'x' }],
  ];
  for (const [part, flags] of wrong)
    test(`of ${part.name} are refused for --${Object.keys(flags)[1]} before a file is asked for`, async () => {
      await assert.rejects(settingsOf(alone(part), part, flags), (err) => isKnownError(err) && !err.message.includes('/nowhere'));
    });

  for (const [what, text, wanted, problem] of [
    ['the file', '{"Backend":{"Type":"host-gw"}}', { Type: 'host-gw' }, undefined],
    ['flags where it has no JSON', '{', { Type: 'vxlan', VNI: 7, Port: 8472 }, /net-conf\.json/],
    ['flags where it has no usable option', '{"Backend":{"MTU":100}}', { Type: 'vxlan', VNI: 7, Port: 8472 }, /MTU 100/],
    ['flags where it has no backend that is known', '{"Backend":{"Type":"udp"}}', { Type: 'vxlan', VNI: 7, Port: 8472 }, /"udp"/],
  ] as const)
    test(`of the pod network are what ${what} says`, async () => {
      const path = join(dir, 'net-conf.json');
      writeFileSync(path, text);
      const settings = await settingsOf(alone(netAgent), netAgent, { ...own, 'net-config-path': path, 'vxlan-vni': '7' });
      assert.deepEqual((settings.network as { config: { Backend: unknown } }).config.Backend, wanted);
      assert.match(String(settings.problem), problem ?? /^undefined$/);
    });

  test('are refused before anything starts: a range, a mask that is no part of it, a backend that cannot be', async () => {
    const refused: [Part, Record<string, string>][] = [
      [netAgent, { ...own, 'cluster-cidr': '10.244.0.0' }],
      [netAgent, { ...own, 'cluster-cidr': '10.244.0.0/16,10.9.0.0/16' }],
      [controllerManager, { kubeconfig: join(dir, 'conf'), 'cluster-cidr': '10.244.0.0/16', 'node-cidr-mask-size': '15' }],
      [controllerManager, { kubeconfig: join(dir, 'conf'), 'cluster-cidr': 'fd00::/48', 'node-cidr-mask-size': '65' }],
      [controllerManager, { kubeconfig: join(dir, 'conf'), 'cluster-cidr': '10.0.0.0/8,fd00::/48', 'node-cidr-mask-size': '24' }],
      [controllerManager, { kubeconfig: join(dir, 'conf'), controllers: 'job-control' }],
    ];
    for (const [part, flags] of refused)
      await assert.rejects(settingsOf(alone(part), part, flags), (err) => isKnownError(err, 'USAGE') || isKnownError(err, 'BAD_CONFIG'));
  });
});
