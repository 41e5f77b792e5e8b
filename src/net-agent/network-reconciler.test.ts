import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import type { Node } from '../api/schema/types.ts';
import { FakeClock } from '../clock/testing/fake-clock.ts';
import { isKnownError, KnownError } from '../errors/known-error.ts';
import { FakeIptables } from '../linux/iptables/testing/fake-iptables.ts';
import { FakeNftables } from '../linux/testing/fake-nftables.ts';
import { silentLog } from '../observability/log.ts';
import { PodRules } from './kernel/pod-rules.ts';
import { annotationsOf } from './lease/lease.ts';
import { openNetConf } from './net-conf.ts';
import { NetworkReconciler, type NetworkReconcilerOptions, type PodNetwork } from './network-reconciler.ts';
import { FakeNetworkKernel } from './testing/fake-network-kernel.ts';

const dirs: string[] = [];
after(() => {
  for (const dir of dirs) rmSync(dir, { recursive: true });
});

const prefix = 'flannel.alpha.coreos.com/';

/** A node "a" with one link, whose agent goes pass by pass. */
class Bench {
  readonly kernel = new FakeNetworkKernel();
  readonly nft = new FakeNftables();
  readonly clock = new FakeClock();
  readonly said: string[] = [];
  readonly networks: PodNetwork[] = [];
  readonly commands: string[] = [];
  readonly runDir: string = mkdtempSync(join(tmpdir(), 'fl-pass-'));
  patches = 0;
  #macs = 0;
  readonly nodes = new Map<string, Node>();
  readonly #options: Partial<NetworkReconcilerOptions>;
  reconciler: NetworkReconciler;

  constructor(options: Partial<NetworkReconcilerOptions> = {}, Type = 'vxlan') {
    dirs.push(this.runDir);
    this.#options = { ...openNetConf({ Network: '10.244.0.0/16', Backend: { Type } }), ...options };
    this.kernel.state.links.push({ name: 'eth0', mac: '02:00:00:00:01:01', mtu: 1500, up: true, kind: { kind: 'other' } });
    this.kernel.state.addresses.push({ link: 'eth0', ip: '192.168.120.11', prefix: 24 });
    this.nodes.set('a', this.#node('a', '10.244.1.0/24'));
    this.reconciler = this.restarted();
  }

  restarted(): NetworkReconciler {
    const log = { ...silentLog, info: (text: string) => this.said.push(text), warn: (text: string) => this.said.push(text) };
    const exec = {
      run: async (file: string): Promise<never> => {
        this.commands.push(file);
        throw new KnownError('TOOL_MISSING', file);
      },
    };
    const client = {
      patch: async (_type: unknown, name: string, patch: Partial<Node>): Promise<never> => {
        this.patches++;
        const node = this.nodes.get(name);
        assert.ok(node);
        const annotations = { ...node.metadata.annotations, ...patch.metadata?.annotations };
        this.nodes.set(name, { ...node, metadata: { ...node.metadata, annotations }, status: { ...node.status, ...patch.status } });
        return undefined as never;
      },
    };
    const { kernel, nft, clock } = this;
    const tools = {
      client,
      kernel,
      rules: new PodRules({ nft, openIptables: () => new FakeIptables(), clock }),
      exec,
      clock,
      log,
      randomMac: () => `02:00:00:00:00:0${++this.#macs}`,
      signal: new AbortController().signal,
    };
    const options = { nodeName: 'a', masquerade: true, runDir: this.runDir, onNetwork: (n: PodNetwork) => void this.networks.push(n) };
    this.reconciler = new NetworkReconciler({ ...options, ...this.#options } as NetworkReconcilerOptions, {
      ...tools,
      nodes: { list: () => [...this.nodes.values()] },
    });
    return this.reconciler;
  }

  #node(name: string, podCIDR: string): Node {
    const addresses = [{ type: 'InternalIP', address: '192.168.120.11' }];
    return { apiVersion: 'v1', kind: 'Node', metadata: { name }, spec: { podCIDR }, status: { addresses } };
  }

  /** Another node that tells a lease. */
  other(n: number, data: object | null = { VNI: 1, VtepMAC: `02:00:00:00:00:0${n}` }, type = 'vxlan'): void {
    const lease = { node: `n${n}`, podCidr: `10.244.${n}.0/24`, publicIp: `192.168.120.2${n}`, type, data, since: '' };
    const node = this.#node(lease.node, lease.podCidr);
    this.nodes.set(lease.node, { ...node, metadata: { ...node.metadata, annotations: annotationsOf(lease) } });
  }

  annotate(annotations: Record<string, string>): void {
    const node = this.nodes.get('a');
    assert.ok(node);
    this.nodes.set('a', { ...node, metadata: { ...node.metadata, annotations: { ...node.metadata.annotations, ...annotations } } });
  }

  annotation(name: string): string | undefined {
    return this.nodes.get('a')?.metadata.annotations?.[prefix + name];
  }
}

describe('NetworkReconciler', () => {
  test('waits for its Node and for its range, and says so once', async () => {
    const bench = new Bench();
    bench.nodes.clear();
    await bench.reconciler.reconcile();
    await bench.reconciler.reconcile();
    bench.nodes.set('a', { apiVersion: 'v1', kind: 'Node', metadata: { name: 'a' } });
    await bench.reconciler.reconcile();
    assert.deepEqual(bench.said, ['Waiting for Node "a"', 'Waiting for the podCIDR of the Node']);
    assert.deepEqual([bench.reconciler.isReady, bench.networks, bench.kernel.state.links.length], [false, [], 1]);
  });

  test('brings everything about in one pass, and does nothing in the next', async () => {
    const bench = new Bench();
    bench.other(2);
    await bench.reconciler.reconcile();
    assert.ok(bench.reconciler.isReady);
    assert.deepEqual(bench.networks, [{ podCidr: '10.244.1.0/24', gateway: '10.244.1.1', bridge: 'cni0', mtu: 1450 }]);
    assert.deepEqual(
      bench.kernel.state.routes.map((r) => [r.dst, r.link]),
      [['10.244.2.0/24', 'flannel.1']],
    );
    assert.match(bench.nft.dump('ip', 'fairlead-net'), /ip saddr 10\.244\.0\.0\/16 masquerade/);
    assert.match(readFileSync(join(bench.runDir, 'subnet.env'), 'utf8'), /FLANNEL_SUBNET=10\.244\.1\.1\/24\nFLANNEL_MTU=1450/);
    assert.equal(bench.annotation('public-ip'), '192.168.120.11');
    assert.equal(bench.annotation('backend-data'), '{"VNI":1,"VtepMAC":"02:00:00:00:00:01"}');
    // The links whose changes matter: the underlay, the device and the bridge, as the fake counts them.
    assert.deepEqual([...bench.reconciler.watched], [1, 2, 3]);
    const [said, state] = [bench.said.length, structuredClone(bench.kernel.state)];
    await bench.reconciler.reconcile();
    assert.deepEqual([bench.said.length, bench.patches, bench.networks.length, bench.commands.length], [said, 1, 1, 1]);
    assert.deepEqual(bench.kernel.state, state);
  });

  test('looks at the FORWARD chain once a minute', async () => {
    const bench = new Bench();
    const looks = async (ms: number): Promise<number> => {
      await bench.clock.advance(ms);
      await bench.reconciler.reconcile();
      return bench.commands.length;
    };
    assert.deepEqual([await looks(0), await looks(59_999), await looks(1)], [1, 1, 2]);
  });

  test('tells the network again when the bridge was made anew, and when telling had failed', async () => {
    let fails = true;
    const told: string[] = [];
    const bench = new Bench({
      onNetwork: ({ bridge }) => {
        if (fails) throw new Error('nobody listens');
        told.push(bridge);
      },
    });
    await assert.rejects(bench.reconciler.reconcile(), /nobody listens/);
    assert.equal(bench.reconciler.isReady, false);
    fails = false;
    await bench.reconciler.reconcile();
    bench.kernel.deleteLink('cni0');
    await bench.reconciler.reconcile();
    assert.deepEqual(told, ['cni0', 'cni0']);
  });

  test('keeps the MAC that it told, over a restart and without its device', async () => {
    const bench = new Bench();
    bench.annotate({ [`${prefix}backend-data`]: '{"VNI":1,"VtepMAC":"02:00:00:00:00:77"}' });
    await bench.reconciler.reconcile();
    bench.kernel.deleteLink('flannel.1');
    await bench.restarted().reconcile();
    assert.equal(bench.annotation('backend-data'), '{"VNI":1,"VtepMAC":"02:00:00:00:00:77"}');
    assert.equal(bench.kernel.state.links.find((l) => l.name === 'flannel.1')?.mac, '02:00:00:00:00:77');
  });

  test('draws a MAC once, though somebody takes away what it told', async () => {
    const bench = new Bench();
    await bench.reconciler.reconcile();
    bench.annotate({ [`${prefix}backend-data`]: 'null' });
    bench.kernel.deleteLink('flannel.1');
    await bench.reconciler.reconcile();
    assert.match(bench.annotation('backend-data') ?? '', /02:00:00:00:00:01/);
  });

  test('says once whom it leaves out and why, and does without', async () => {
    const bench = new Bench();
    bench.other(2);
    bench.other(3, { VNI: 1, VtepMAC: 'none' });
    for (let pass = 0; pass < 2; pass++) await bench.reconciler.reconcile();
    assert.deepEqual(
      bench.said.filter((s) => s.startsWith('Left out')),
      ['Left out node "n3": its VtepMAC "none" is no link\'s'],
    );
    assert.equal(bench.kernel.state.routes.length, 1);
  });

  test('changes over to another backend, keeps its device while a node still sends by it, and says once that they differ', async () => {
    const bench = new Bench();
    bench.other(2);
    await bench.reconciler.reconcile();
    const links = (): string[] => bench.kernel.state.links.map(({ name }) => name).toSorted();
    const differ = (): string[] => bench.said.filter((text) => text.includes('another backend than'));
    bench.reconciler.use(openNetConf({ Network: '10.244.0.0/16', Backend: { Type: 'host-gw' } }).backend);
    for (let pass = 0; pass < 2; pass++) await bench.reconciler.reconcile();
    assert.deepEqual(links(), ['cni0', 'eth0', 'flannel.1']);
    assert.deepEqual([bench.kernel.state.routes.map(({ link }) => link), differ().length], [['eth0'], 1]);
    assert.deepEqual([bench.annotation('backend-type'), bench.annotation('backend-data')], ['host-gw', 'null']);
    bench.other(2, null, 'host-gw');
    await bench.reconciler.reconcile();
    assert.deepEqual(links(), ['cni0', 'eth0']);
    assert.match(differ()[1] ?? '', /^Over: /);
  });

  test('goes on with the backend of its beginning when another is taken into use meanwhile', async () => {
    const bench = new Bench({}, 'host-gw');
    const { kernel, reconciler } = bench;
    const nodeAddresses = kernel.nodeAddresses.bind(kernel);
    kernel.nodeAddresses = async (family) => {
      reconciler.use(openNetConf({ Network: '10.244.0.0/16', Backend: { Type: 'vxlan' } }).backend);
      return await nodeAddresses(family);
    };
    const told: (string | undefined)[] = [];
    for (let pass = 0; pass < 2; pass++) {
      await reconciler.reconcile();
      told.push(bench.annotation('backend-type'));
    }
    assert.deepEqual(told, ['host-gw', 'vxlan']);
  });

  const addresses: readonly [
    what: string,
    options: Partial<NetworkReconcilerOptions>,
    annotations: Record<string, string>,
    told: string,
  ][] = [
    ['the address of the underlay', {}, {}, '192.168.120.11'],
    ['--public-ip', { underlay: { publicIp: '203.0.113.1' } }, {}, '203.0.113.1'],
    ['no --public-ip of the other family', { underlay: { publicIp: '2001:db8::1' } }, {}, '192.168.120.11'],
    [
      'what its Node asks for, before --public-ip',
      { underlay: { publicIp: '203.0.113.1' } },
      { [`${prefix}public-ip-overwrite`]: '203.0.113.2' },
      '203.0.113.2',
    ],
  ];
  for (const [what, options, annotations, told] of addresses)
    test(`tells others ${what}`, async () => {
      const bench = new Bench(options);
      bench.annotate(annotations);
      await bench.reconciler.reconcile();
      assert.equal(bench.annotation('public-ip'), told);
    });

  test("tells the link's own address where host-gw needs it, whatever the Node asks for, and says so once", async () => {
    const bench = new Bench({}, 'host-gw');
    bench.annotate({ [`${prefix}public-ip-overwrite`]: '203.0.113.2' });
    for (let pass = 0; pass < 2; pass++) await bench.reconciler.reconcile();
    assert.equal(bench.annotation('public-ip'), '192.168.120.11');
    const said = bench.said.filter((text) => text.includes('203.0.113.2'));
    assert.deepEqual(said.length, 1);
    assert.match(said[0] ?? '', /192\.168\.120\.11 of link "eth0" in place of 203\.0\.113\.2, as host-gw needs/);
  });

  test('refuses a range that is not inside the network', async () => {
    const bench = new Bench({ networks: openNetConf({ Network: '10.9.0.0/16', Backend: { Type: 'vxlan' } }).networks });
    await assert.rejects(
      bench.reconciler.reconcile(),
      (err) => isKnownError(err, 'BAD_CONFIG') && /not inside 10\.9\.0\.0\/16/.test(err.message),
    );
  });

  for (const [what, underlay, why] of [
    ['as asked for', { iface: ['wlan0'] }, /none is as it was asked for/],
    ['with the InternalIP', {}, /no link has the Node's InternalIP, and there is no default route/],
  ] as const)
    test(`says which links there are when none is ${what}`, async () => {
      const bench = new Bench({ underlay });
      bench.kernel.state.addresses = [{ link: 'eth0', ip: '192.0.2.1', prefix: 24 }];
      await assert.rejects(
        bench.reconciler.reconcile(),
        (err) => isKnownError(err, 'NETWORK_NOT_READY') && why.test(err.message) && /192\.0\.2\.1 \(eth0\)/.test(err.hint ?? ''),
      );
    });

  test("follows the underlay: another MTU is the pods', too", async () => {
    const bench = new Bench({}, 'host-gw');
    await bench.reconciler.reconcile();
    const eth0 = bench.kernel.state.links[0];
    assert.ok(eth0);
    bench.kernel.state.links[0] = { ...eth0, mtu: 1400 };
    await bench.reconciler.reconcile();
    assert.deepEqual(
      bench.networks.map((n) => n.mtu),
      [1500, 1400],
    );
    assert.equal(bench.kernel.state.links.find((l) => l.name === 'cni0')?.mtu, 1400);
  });
});
