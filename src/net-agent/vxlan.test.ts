import assert from 'node:assert/strict';
import { closeSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { eventually } from '../clock/testing/eventually.ts';
import { loadLibc, openLibc } from '../linux/libc.ts';
import { changeLink } from '../linux/netlink/link.ts';
import { encodeMessage, NLM_F_REQUEST } from '../linux/netlink/message.ts';
import { NETLINK_ROUTE } from '../linux/netlink/netlink-socket.ts';
import { inNetns } from '../linux/netns.ts';
import { cannotMakeNamespaces, Namespaces } from '../linux/testing/namespaces.ts';
import { NetCluster } from './testing/cluster.ts';

const addresses = { a: '192.168.120.11', b: '192.168.120.12', c: '192.168.120.13' };
type Name = keyof typeof addresses;

/** Tells of a link ten thousand times, some 40 MB of notices. */
function flood(netns: string): void {
  const { lib } = openLibc();
  const send = lib.func('intptr_t send(int fd, const uint8_t *bytes, uintptr_t length, int flags)');
  const AF_NETLINK = 16;
  const SOCK_RAW = 3;
  const fd = inNetns(netns, () => loadLibc().socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
  for (let round = 0; round < 10; round++) {
    const requests = Array.from({ length: 1000 }, (_, i) => encodeMessage(changeLink('lo', { alias: `${round}.${i}` }), i, NLM_F_REQUEST));
    const bytes = Buffer.concat(requests);
    assert.equal(Number(send(fd, bytes, bytes.length, 0)), bytes.length);
  }
  closeSync(fd);
}

describe('three nodes with VXLAN between them', { skip: cannotMakeNamespaces }, () => {
  let net: Namespaces;
  let dir: string;
  let cluster: NetCluster;

  function startAgent(name: Name): void {
    cluster.start(net, name, addresses[name], join(dir, name));
  }

  before(async () => {
    net = new Namespaces();
    dir = await mkdtemp(join(tmpdir(), 'fl-vxlan-'));
    cluster = new NetCluster(Object.keys(addresses));
    await net.underlay('underlay', addresses);
    for (const name of ['a', 'b', 'c'] as const) startAgent(name);
    await eventually('three agents are ready', () => cluster.ready.size === 3);
    await eventually('all leases are told', () => [...cluster.nodes.values()].every((n) => n.metadata.annotations !== undefined));
  });

  after(async () => {
    await net?.[Symbol.asyncDispose]();
    await rm(dir, { recursive: true, force: true });
  });

  function meet(what: string, from = 'a', to = '10.244.2.1'): Promise<boolean> {
    return eventually(what, () => net.pings(from, to));
  }

  test('carries packets between every pair of nodes', async () => {
    await meet('a reaches b');
    await meet('b reaches c', 'b', '10.244.3.1');
    await meet('c reaches a', 'c', '10.244.1.1');
  });

  test('tells the lease on the Node, in subnet.env, and to whoever attaches pods', async () => {
    const node = cluster.nodes.get('a');
    assert.match(node?.metadata.annotations?.['flannel.alpha.coreos.com/backend-data'] ?? '', /^\{"VNI":1,"VtepMAC":"[0-9a-f:]{17}"\}$/);
    assert.equal(node?.status?.conditions?.[0]?.status, 'False');
    assert.match(await readFile(join(dir, 'a', 'subnet.env'), 'utf8'), /FLANNEL_SUBNET=10\.244\.1\.1\/24\nFLANNEL_MTU=1450\n/);
    assert.deepEqual(
      cluster.networks.find((n) => n.node === 'a'),
      { node: 'a', mtu: 1450 },
    );
  });

  test('leaves its outer packets untracked, while packets of pods are tracked', async () => {
    await net.run('a', 'conntrack', ['-F']);
    assert.ok(await net.pings('a', '10.244.2.1'));
    assert.ok(await net.pings('b', '10.244.1.1'));
    const { stdout } = await net.run('a', 'conntrack', ['-L']);
    assert.match(stdout, /^icmp .* dst=10\.244\.2\.1 /m);
    assert.doesNotMatch(stdout, /dport=8472/);
  });

  const damages: readonly [what: string, command: string][] = [
    ['flannel.1 is deleted', 'link del flannel.1'],
    ['flannel.1 is set down', 'link set flannel.1 down'],
    ['a route is deleted', 'route del 10.244.2.0/24'],
    ['a neighbour is deleted', 'neigh del 10.244.2.0 dev flannel.1'],
    ['the bridge loses its address', 'addr del 10.244.1.1/24 dev cni0'],
  ];
  for (const [what, command] of damages) {
    test(`comes back when ${what}`, async () => {
      await net.ip('a', command);
      await meet('a reaches b again');
      await meet('b reaches a again', 'b', '10.244.1.1');
    });
  }

  test('stops learning where MACs are when somebody has switched that on', async () => {
    const learns = async (): Promise<boolean> => !(await net.ip('a', '-d link show flannel.1')).includes('nolearning');
    assert.equal(await learns(), false);
    await net.ip('a', 'link set flannel.1 type vxlan learning');
    await eventually('it does not learn any more', async () => !(await learns()));
  });

  test('makes the bridge again and says so', async () => {
    const before = cluster.networks.length;
    await net.ip('a', 'link del cni0');
    await eventually('the network is told again', () => cluster.networks.length > before);
    await meet('b reaches the bridge', 'b', '10.244.1.1');
  });

  test('puts a forwarding entry back', async () => {
    const fdb = async (): Promise<string> => (await net.run('a', 'bridge', ['fdb', 'show', 'dev', 'flannel.1'])).stdout;
    const mac = /^(\S+) dst 192\.168\.120\.12 /m.exec(await fdb())?.[1] ?? '';
    await net.run('a', 'bridge', ['fdb', 'del', mac, 'dev', 'flannel.1']);
    await eventually('the entry is back', async () => (await fdb()).includes(`${mac} dst 192.168.120.12`));
  });

  test('writes its rules and forwarding again', async () => {
    await net.run('a', 'nft', ['flush', 'ruleset']);
    await net.run('a', 'sysctl', ['-qw', 'net.ipv4.ip_forward=0']);
    await eventually('the rules are back', async () => (await net.run('a', 'nft', ['list', 'ruleset'])).stdout.includes('masquerade'));
    await eventually('forwarding is on', async () => (await net.run('a', 'sysctl', ['-n', 'net.ipv4.ip_forward'])).stdout.trim() === '1');
  });

  test('follows the MTU of the underlay', async () => {
    await net.ip('a', 'link set eth0 mtu 1400');
    await eventually('the device is smaller', async () => (await net.ip('a', 'link show flannel.1')).includes('mtu 1350'));
    await eventually('the new MTU is told', () => cluster.networks.at(-1)?.mtu === 1350);
    await net.ip('a', 'link set eth0 mtu 1500');
    await eventually('and back', () => cluster.networks.at(-1)?.mtu === 1450);
  });

  test('survives more notices than the kernel keeps for it, and looks at everything then', async () => {
    cluster.signal('a', 'SIGSTOP');
    try {
      flood(net.path('a'));
      await net.ip('a', 'link del flannel.1');
    } finally {
      cluster.signal('a', 'SIGCONT');
    }
    await meet('a reaches b again');
    assert.ok(cluster.runs('a'));
  });

  test('leaves everything in place when an agent is killed, and has the same MAC when it is back', async () => {
    const backend = (): string | undefined => cluster.nodes.get('b')?.metadata.annotations?.['flannel.alpha.coreos.com/backend-data'];
    const before = backend();
    await cluster.kill('b');
    assert.ok(await net.pings('a', '10.244.2.1'));
    await net.ip('b', 'link del flannel.1');
    startAgent('b');
    await meet('a reaches b again');
    assert.equal(backend(), before);
  });

  test("sends nothing to a newer Node that claims another's range, or an address of this node", async () => {
    const entries = async (): Promise<string> =>
      `${await net.ip('a', 'neigh show dev flannel.1 nud permanent')}${await net.ip('a', 'route')}`;
    const before = await entries();
    cluster.claim('aaa', '10.244.2.0/24', '192.168.120.99', { VNI: 1, VtepMAC: '02:00:00:00:00:aa' });
    cluster.claim('twin', '10.244.8.0/24', addresses.a, { VNI: 1, VtepMAC: '02:00:00:00:00:bb' });
    cluster.claim('honest', '10.244.9.0/24', '192.168.120.98', { VNI: 1, VtepMAC: '02:00:00:00:00:cc' });
    cluster.tell();
    await eventually('the honest one is taken', async () => (await entries()).includes('10.244.9.0/24'));
    assert.doesNotMatch(await entries(), /02:00:00:00:00:(aa|bb)|10\.244\.8\.0/);
    for (const name of ['aaa', 'twin', 'honest']) cluster.remove(name);
    await eventually('all is as it was', async () => (await entries()) === before);
  });

  test('forgets a node that leaves', async () => {
    cluster.remove('c');
    await eventually('its route is gone', async () => !(await net.ip('a', 'route')).includes('10.244.3.0/24'));
    await eventually('its neighbour is gone', async () => !(await net.ip('a', 'neigh show dev flannel.1')).includes('10.244.3.0'));
  });
});

describe('a node whose default route leads elsewhere', { skip: cannotMakeNamespaces }, () => {
  test("tells the Node's InternalIP to the others, and follows it", async () => {
    const dir = await mkdtemp(join(tmpdir(), 'fl-underlay-'));
    // Goes last: until the namespaces end, the agent writes into it.
    await using _ = { [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) };
    await using net = new Namespaces();
    const cluster = new NetCluster(['a']);
    const published = (): string | undefined => cluster.nodes.get('a')?.metadata.annotations?.['flannel.alpha.coreos.com/public-ip'];
    const move = (address: string): void => {
      const node = cluster.nodes.get('a');
      assert.ok(node);
      cluster.nodes.set('a', { ...node, status: { ...node.status, addresses: [{ type: 'InternalIP', address }] } });
      cluster.tell();
    };
    // As Vagrant's machines are: eth0 leads to the world, with the same address on each.
    await net.add('a');
    for (const [link, ...addresses] of [
      ['eth0', '10.0.2.15'],
      ['eth1', '192.168.56.11', '192.168.56.12'],
    ]) {
      await net.ip('a', `link add ${link} type bridge`);
      for (const address of addresses) await net.ip('a', `addr add ${address}/24 dev ${link}`);
      await net.ip('a', `link set ${link} up`);
    }
    await net.ip('a', 'route add default dev eth0');
    move('192.168.56.11');
    cluster.start(net, 'a', '', join(dir, 'a'));
    await eventually('the address is told', () => published() !== undefined);
    assert.equal(published(), '192.168.56.11');
    assert.match(await net.ip('a', '-d link show flannel.1'), /local 192\.168\.56\.11 dev eth1/);
    move('192.168.56.12');
    await eventually('the new address is told', () => published() === '192.168.56.12');
    await eventually('packets leave by it', async () => (await net.ip('a', '-d link show flannel.1')).includes('local 192.168.56.12'));
  });
});
