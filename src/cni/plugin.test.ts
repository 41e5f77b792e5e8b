import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { KnownError } from '../errors/known-error.ts';
import { silentLog } from '../observability/log.ts';
import { type Attachment, hostLinkOf } from './attachment.ts';
import { Ipam } from './ipam/ipam.ts';
import { CniPlugin } from './plugin.ts';
import { type CallPlugin, type PluginAnswer, type PluginCall, undoUnheard } from './plugin-call.ts';
import { FakeWiring } from './testing/fake-wiring.ts';
import type { Predecessor } from './wiring/predecessor.ts';

// A range of five pods: .2 to .6.
const network = { podCidr: '10.244.1.0/29', gateway: '10.244.1.1', bridge: 'cni0', mtu: 1450 };

class FakeHostPorts {
  readonly open = new Map<string, Attachment>();
  async add(a: Attachment): Promise<void> {
    if (a.hostPorts.length > 0) this.open.set(`${a.containerId}/${a.ifName}`, a);
  }
  async remove(key: string): Promise<void> {
    this.open.delete(key);
  }
}

/** Pods of another plugin: what is written down for them, and who answers. */
class FakePredecessor implements Predecessor {
  readonly addresses = new Set<string>();
  readonly answering = new Set<string>();
  async look(): Promise<number> {
    return this.answering.size;
  }
  async answersTo([ip = '']: readonly string[]): Promise<boolean> {
    if (this.answering.has(ip)) this.addresses.add(ip);
    return this.answering.has(ip);
  }
}

let dir: string;
let ipam: Ipam;
let wiring: FakeWiring;
let hostPorts: FakeHostPorts;
let predecessor: FakePredecessor;
let plugin: CniPlugin;
let warnings: string[];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'fl-cni-'));
  ipam = await Ipam.open(join(dir, 'addresses.jsonl'), silentLog);
  wiring = new FakeWiring();
  hostPorts = new FakeHostPorts();
  predecessor = new FakePredecessor();
  warnings = [];
  plugin = new CniPlugin({ ipam, wiring, hostPorts, predecessor, log: { ...silentLog, warn: (text) => warnings.push(text) } });
});

afterEach(async () => {
  await ipam.close();
  await rm(dir, { recursive: true });
});

function call(command: string, id: string, config: object = {}, env: Record<string, string> = {}): Promise<PluginAnswer> {
  wiring.namespaces.add(`/run/netns/${id}`);
  return plugin.call({
    plugin: 'fairlead',
    env: { CNI_COMMAND: command, CNI_CONTAINERID: id, CNI_NETNS: `/run/netns/${id}`, CNI_IFNAME: 'eth0', ...env },
    stdin: JSON.stringify({ cniVersion: '1.0.0', name: 'fairlead', type: 'fairlead', ...config }),
  });
}

async function ipOf(answer: PluginAnswer | Promise<PluginAnswer>): Promise<string> {
  const { code, stdout } = await answer;
  assert.equal(code, 0, stdout);
  return (JSON.parse(stdout) as { ips: { address: string }[] }).ips[0]?.address ?? '';
}

async function errorOf(answer: Promise<PluginAnswer>): Promise<{ code: number; msg: string }> {
  const { code, stdout } = await answer;
  assert.equal(code, 1, stdout);
  return JSON.parse(stdout) as { code: number; msg: string };
}

describe('the plugin', () => {
  test('asks to try again while the node has no range', async () => {
    assert.equal((await errorOf(call('ADD', 'a'))).code, 11);
    assert.equal((await errorOf(call('STATUS', 'a'))).code, 50);
    assert.equal((await call('DEL', 'a')).code, 0);
  });

  test('gives addresses in turn and says how to reach the gateway', async () => {
    await plugin.setNetwork(network);
    assert.equal(await ipOf(call('ADD', 'a')), '10.244.1.2/29');
    const { stdout } = await call('ADD', 'b');
    assert.deepEqual(JSON.parse(stdout), {
      cniVersion: '1.0.0',
      interfaces: [
        { name: hostLinkOf({ containerId: 'b', ifName: 'eth0' }), mac: '0e:58:0a:f4:01:03' },
        { name: 'eth0', mac: '0a:58:0a:f4:01:03', sandbox: '/run/netns/b' },
      ],
      ips: [{ address: '10.244.1.3/29', gateway: '10.244.1.1', interface: 1 }],
      routes: [{ dst: '0.0.0.0/0', gw: '10.244.1.1' }],
      dns: {},
    });
  });

  test('refuses a second ADD and leaves the first one alone', async () => {
    await plugin.setNetwork(network);
    await call('ADD', 'a');
    assert.match((await errorOf(call('ADD', 'a'))).msg, /added before/);
    assert.equal((await call('CHECK', 'a')).code, 0);
  });

  test('refuses a namespace that is not there', async () => {
    await plugin.setNetwork(network);
    const error = await errorOf(call('ADD', 'a', {}, { CNI_NETNS: '/run/netns/nowhere' }));
    assert.equal(error.code, 3);
    assert.equal(error.msg, 'Cannot add "eth0" to "/run/netns/nowhere": not a network namespace');
    assert.equal(ipam.all().length, 0);
    await call('ADD', 'a');
    const { msg } = await errorOf(call('CHECK', 'a', {}, { CNI_NETNS: '/run/netns/nowhere' }));
    assert.equal(msg, 'Cannot check "eth0" in "/run/netns/nowhere": not a network namespace');
  });

  test('gives the address back when the kernel refuses the link', async () => {
    await plugin.setNetwork(network);
    const refusals: readonly (readonly [Error, code: number])[] = [
      [new Error('no'), 999],
      [new KnownError('KERNEL_REFUSED', 'no'), 5],
      [new KnownError('NAMESPACE_GONE', 'no'), 3],
    ];
    for (const [refusal, code] of refusals) {
      wiring.refuse = refusal;
      assert.deepEqual(await errorOf(call('ADD', 'a')), { cniVersion: '1.0.0', code, msg: 'no' });
      assert.deepEqual(ipam.all(), []);
    }
  });

  test('deletes as often as it is asked, with and without a namespace', async () => {
    await plugin.setNetwork(network);
    await call('ADD', 'a');
    for (const env of [{}, { CNI_NETNS: '' }]) assert.equal((await call('DEL', 'a', {}, env)).code, 0);
    assert.equal(wiring.links.size, 0);
    assert.equal(ipam.all().length, 0);
  });

  test('uses an address that became free only after all others', async () => {
    await plugin.setNetwork(network);
    await call('ADD', 'a');
    await call('DEL', 'a');
    assert.equal(await ipOf(call('ADD', 'b')), '10.244.1.3/29');
  });

  test('says that it is full, and takes back what dead pods left', async () => {
    await plugin.setNetwork(network);
    for (const id of ['a', 'b', 'c', 'd', 'e']) await ipOf(call('ADD', id));
    assert.equal((await errorOf(call('ADD', 'f'))).code, 11);
    assert.equal((await errorOf(call('STATUS', 'f'))).code, 50);
    wiring.endNamespace('/run/netns/c');
    assert.equal((await call('STATUS', 'f')).code, 0);
    assert.equal(await ipOf(call('ADD', 'f')), '10.244.1.4/29');
    // An ADD looks for itself, too.
    wiring.endNamespace('/run/netns/a');
    assert.equal(await ipOf(call('ADD', 'g')), '10.244.1.2/29');
  });

  test("gives nobody an address that another plugin's pod has, and is full when those are all", async () => {
    predecessor.addresses.add('10.244.1.2');
    predecessor.answering.add('10.244.1.3').add('10.244.1.5');
    await plugin.setNetwork(network);
    assert.equal(await ipOf(call('ADD', 'a')), '10.244.1.4/29');
    assert.equal(await ipOf(call('ADD', 'b')), '10.244.1.6/29');
    assert.equal(ipam.all().length, 2);
    assert.equal((await errorOf(call('STATUS', 'x'))).code, 50);
    assert.equal((await errorOf(call('ADD', 'c'))).code, 11);
    predecessor.answering.clear();
    predecessor.addresses.clear();
    assert.equal(await ipOf(call('ADD', 'c')), '10.244.1.2/29');
  });

  test('is not full because of pods that have addresses of an earlier range', async () => {
    await plugin.setNetwork({ ...network, podCidr: '10.244.9.0/29', gateway: '10.244.9.1' });
    for (let i = 0; i < 5; i++) assert.equal((await call('ADD', `old${i}`)).code, 0);
    await plugin.setNetwork(network);
    assert.equal((await call('STATUS', 'x', { cniVersion: '1.1.0' })).code, 0);
    assert.equal((await call('ADD', 'new')).code, 0);
  });

  test('keeps the address of a pod whose link is there though its namespace path is gone', async () => {
    await plugin.setNetwork(network);
    await call('ADD', 'a');
    wiring.namespaces.delete('/run/netns/a');
    assert.equal(await plugin.reclaim(), 0);
  });

  test('collects what the runtime does not know, of its own network only', async () => {
    await plugin.setNetwork(network);
    for (const id of ['a', 'b']) await call('ADD', id);
    await call('ADD', 'c', { name: 'other' });
    const keep = { 'cni.dev/valid-attachments': [{ containerID: 'a', ifname: 'eth0' }] };
    assert.equal((await call('GC', '', { cniVersion: '1.1.0', ...keep })).code, 0);
    assert.deepEqual([...wiring.links.keys()], ['a/eth0', 'c/eth0']);
    assert.equal((await errorOf(call('GC', ''))).code, 7);
    // As Go writes an empty list.
    assert.equal((await call('GC', '', { cniVersion: '1.1.0', 'cni.dev/valid-attachments': null })).code, 0);
    assert.deepEqual([...wiring.links.keys()], ['c/eth0']);
  });

  test('leaves alone in DEL what belongs to a network of another name, and does not find it in CHECK', async () => {
    await plugin.setNetwork(network);
    await call('ADD', 'a', { name: 'one' });
    assert.equal((await call('DEL', 'a', { name: 'two' })).code, 0);
    assert.match((await errorOf(call('CHECK', 'a', { name: 'two' }))).msg, /no "eth0" of network "two"/);
    assert.deepEqual([...wiring.links.keys()], ['a/eth0']);
    assert.equal((await call('CHECK', 'a', { name: 'one' })).code, 0);
    assert.equal((await call('DEL', 'a', { name: 'one' })).code, 0);
    assert.deepEqual([wiring.links.size, ipam.all().length], [0, 0]);
  });

  test('finds in CHECK what is not as it was made', async () => {
    await plugin.setNetwork(network);
    await call('ADD', 'a');
    assert.equal((await call('CHECK', 'a', { prevResult: { ips: [{ address: '10.244.1.2/29' }] } })).code, 0);
    assert.match(
      (await errorOf(call('CHECK', 'a', { prevResult: { ips: [{ address: '10.9.9.9/29' }] } }))).msg,
      /10.244.1.2, not 10.9.9.9/,
    );
    wiring.links.clear();
    assert.equal((await errorOf(call('CHECK', 'a'))).code, 100);
    assert.equal((await errorOf(call('CHECK', 'b'))).code, 3);
  });

  test('learns from the links what a lost journal knew', async () => {
    await plugin.setNetwork(network);
    await call('ADD', 'a');
    await call('ADD', 'b');
    const empty = await Ipam.open(join(dir, 'lost.jsonl'), silentLog);
    const again = new CniPlugin({ ipam: empty, wiring, hostPorts, predecessor, log: silentLog });
    assert.equal(await again.adopt(), 2);
    assert.deepEqual(
      empty.all().map((a) => a.ip),
      ['10.244.1.2', '10.244.1.3'],
    );
    await empty.close();
  });

  test('answers many calls at once, each with an address of its own', async () => {
    await plugin.setNetwork({ ...network, podCidr: '10.244.1.0/24' });
    const ids = Array.from({ length: 100 }, (_, i) => `pod${i}`);
    const ips = await Promise.all(ids.map((id) => ipOf(call('ADD', id))));
    assert.equal(new Set(ips).size, 100);
    await Promise.all(ids.map((id) => call('DEL', id)));
    assert.deepEqual([ipam.all().length, wiring.links.size], [0, 0]);
  });

  test('opens host ports with the pod and closes them with it', async () => {
    await plugin.setNetwork(network);
    const runtimeConfig = { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'TCP' }] };
    await call('ADD', 'a', { runtimeConfig });
    assert.deepEqual(hostPorts.open.get('a/eth0')?.hostPorts, [{ hostPort: 8080, containerPort: 80, protocol: 'tcp', hostIp: '' }]);
    await call('DEL', 'a', { runtimeConfig });
    assert.equal(hostPorts.open.size, 0);
  });

  test('puts links back when the bridge is new', async () => {
    await plugin.setNetwork(network);
    await call('ADD', 'a');
    await plugin.setNetwork({ ...network, bridge: 'cni1' });
    assert.equal((await call('CHECK', 'a')).code, 0);
  });

  test('puts links back that others took out of the bridge, and does nothing while there is no network', async () => {
    await plugin.repair();
    await plugin.setNetwork(network);
    await call('ADD', 'a');
    for (const link of wiring.links.values()) link.bridge = 'elsewhere';
    await plugin.repair();
    assert.equal((await call('CHECK', 'a')).code, 0);
  });

  const mtus = (): number[] => [...wiring.links.values()].map(({ mtu }) => mtu);

  test('gives pods the MTU that the network has now, also one whose link was made while that changed', async () => {
    await plugin.setNetwork(network);
    await call('ADD', 'a');
    wiring.beforeLink = () => plugin.setNetwork({ ...network, mtu: 1500 });
    await call('ADD', 'b');
    assert.deepEqual(mtus(), [1500, 1450]);
    await plugin.repair();
    assert.deepEqual(mtus(), [1500, 1500]);
  });

  test('says which pod keeps another MTU, and takes the network all the same', async () => {
    await plugin.setNetwork(network);
    for (const id of ['a', 'b', 'c']) await call('ADD', id);
    wiring.stuck.add('b/eth0');
    await plugin.setNetwork({ ...network, mtu: 1500 });
    assert.deepEqual([mtus(), warnings], [[1500, 1450, 1500], ['Cannot set the MTU of b/eth0']]);
    await call('ADD', 'd');
    assert.deepEqual(mtus(), [1500, 1450, 1500, 1500]);
  });

  test('takes back the ADD of a caller that has given up, and nothing else', async () => {
    const asked: unknown[] = [];
    const deleting: CallPlugin = async ({ env }) => {
      asked.push(env);
      return { code: 0, stdout: '' };
    };
    const add: PluginCall = { plugin: 'fairlead', env: { CNI_COMMAND: 'ADD', CNI_CONTAINERID: 'a' }, stdin: '' };
    await undoUnheard(add, { code: 0, stdout: '' }, deleting);
    await undoUnheard(add, { code: 1, stdout: '' }, deleting);
    await undoUnheard({ ...add, env: { CNI_COMMAND: 'CHECK' } }, { code: 0, stdout: '' }, deleting);
    assert.deepEqual(asked, [{ CNI_COMMAND: 'DEL', CNI_CONTAINERID: 'a' }]);
  });

  test('is the loopback plugin, too', async () => {
    wiring.namespaces.add('/run/netns/a');
    const env = { CNI_COMMAND: 'ADD', CNI_CONTAINERID: 'a', CNI_NETNS: '/run/netns/a', CNI_IFNAME: 'lo' };
    const ask = (CNI_COMMAND: string, more: object = {}): Promise<PluginAnswer> => {
      const stdin = JSON.stringify({ cniVersion: '0.3.1', name: 'cni-loopback', ...more });
      return plugin.call({ plugin: 'loopback', env: { ...env, CNI_COMMAND }, stdin });
    };
    assert.deepEqual(JSON.parse((await ask('ADD')).stdout), {
      cniVersion: '0.3.1',
      interfaces: [{ name: 'lo', mac: '00:00:00:00:00:00', sandbox: '/run/netns/a' }],
      ips: [{ version: '4', address: '127.0.0.1/8', interface: 0 }],
      routes: [],
      dns: {},
    });
    assert.ok(wiring.loopbacks.has('/run/netns/a'));
    const prevResult = { ips: [{ address: '10.0.0.1/24' }] };
    assert.equal(await ipOf(ask('ADD', { cniVersion: '1.0.0', prevResult })), '10.0.0.1/24');
    for (const command of ['CHECK', 'DEL']) assert.deepEqual(await ask(command), { code: 0, stdout: '' });
    assert.match((await ask('VERSION')).stdout, /"supportedVersions":\["0\.3\.0",/);
    wiring.namespaces.clear();
    assert.match((await errorOf(ask('ADD'))).msg, /^Cannot bring up "lo" in "\/run\/netns\/a": not a network namespace$/);
    assert.equal(
      (await plugin.call({ plugin: 'loopback', env: { ...env, CNI_COMMAND: 'DEL' }, stdin: '{"name":"cni-loopback"}' })).code,
      1,
    );
  });
});
