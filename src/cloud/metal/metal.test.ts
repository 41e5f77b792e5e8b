import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { configMaps, namespaces, secrets, services } from '../../api/resource-types.ts';
import type { Service } from '../../api/schema/types.ts';
import type { Reconciler } from '../../client/controller.ts';
import { ServiceController } from '../service/controller.ts';
import { balancedService, CloudBed } from '../testing/cloud-bed.ts';
import { openMetal } from './metal.ts';
import { poolOfRanges } from './pools.ts';

const configMap = 'kube-system/metal-address-pools';

/** The service controller over pools, as they work together. */
class Scene implements AsyncDisposable {
  readonly bed = new CloudBed();
  #controller: Reconciler | undefined;
  #news: { deliver(): Promise<string[]> } | undefined;

  pools(...addresses: string[]): void {
    const config = JSON.stringify({ 'address-pools': [{ name: 'default', protocol: 'layer2', addresses }] });
    this.write(config);
  }

  write(config: string): void {
    const metadata = { name: 'metal-address-pools', namespace: 'kube-system' };
    this.bed.put(configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { config } });
  }

  /** A new process, which knows nothing. */
  restart(ranges: readonly string[] = []): void {
    const provider = openMetal(this.bed.context, { configMap, pools: poolOfRanges(ranges) });
    assert.ok(provider.loadBalancers);
    this.#controller = new ServiceController(this.bed.context, provider.loadBalancers);
    this.#news = this.bed.listen(this.#controller);
  }

  put(name: string, spec: Service['spec'] = {}, metadata: Partial<Service['metadata']> = {}): void {
    const present = this.bed.client.find(services, `default/${name}`);
    const wanted = balancedService(name, spec, metadata);
    this.bed.put(
      services,
      present ? { ...present, spec: { ...present.spec, ...wanted.spec }, metadata: { ...present.metadata, ...metadata } } : wanted,
    );
  }

  /** Passes until nothing is left to do; gives the events. What happens `late` no copy shows at the first pass. */
  async settle(late = (): void => {}): Promise<string[]> {
    const events: string[] = [];
    for (let round = 0; ; round++) {
      assert.ok(round < 20, 'it comes to rest');
      const keys = (await this.#news?.deliver()) ?? [];
      if (keys.length === 0) return events;
      if (round === 0) late();
      for (const key of keys) if (this.#controller) events.push(...(await this.bed.pass(this.#controller, key)).events);
    }
  }

  addressesOf(name: string): string {
    const ingress = this.bed.client.find(services, `default/${name}`)?.status?.loadBalancer?.ingress ?? [];
    return ingress.map(({ ip }) => ip).join(' ');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.bed[Symbol.asyncDispose]();
  }
}

describe('addresses out of pools', () => {
  test('a Service gets one, and shows from which pool it is and who announces it', async () => {
    await using scene = new Scene();
    scene.pools('192.0.2.10-192.0.2.11');
    scene.put('a');
    scene.restart();
    const events = await scene.settle();
    assert.ok(events.includes('Normal IPAllocated Assigned IP ["192.0.2.10"]'), events.join('\n'));
    const service = scene.bed.client.find(services, 'default/a');
    assert.deepEqual(service?.status?.loadBalancer?.ingress, [{ ip: '192.0.2.10', ipMode: 'VIP' }]);
    assert.deepEqual(service?.metadata.annotations, { 'metallb.io/ip-allocated-from-pool': 'default', 'fairlead.dev/announce': 'layer2' });
  });

  test('without pools Services are left to others, and what those gave is never given twice', async () => {
    await using scene = new Scene();
    scene.put('theirs', { loadBalancerClass: 'example.com/other' });
    const theirs = scene.bed.client.find(services, 'default/theirs');
    assert.ok(theirs);
    scene.bed.put(services, { ...theirs, status: { loadBalancer: { ingress: [{ ip: '192.0.2.10' }] } } });
    scene.put('a');
    scene.restart();
    assert.deepEqual(await scene.settle(), []);
    assert.deepEqual(scene.bed.client.find(services, 'default/a')?.metadata.finalizers, undefined);
    scene.pools('192.0.2.10-192.0.2.11');
    await scene.settle();
    assert.deepEqual([scene.addressesOf('a'), scene.addressesOf('theirs')], ['192.0.2.11', '192.0.2.10']);
  });

  test('a restart changes no address, whatever order the Services come in', async () => {
    await using scene = new Scene();
    scene.pools('192.0.2.10-192.0.2.14');
    for (const name of ['d', 'b', 'a', 'c']) {
      scene.put(name);
      if (name === 'd') scene.restart();
      await scene.settle();
    }
    const before = ['a', 'b', 'c', 'd'].map((name) => scene.addressesOf(name));
    assert.deepEqual(before, ['192.0.2.12', '192.0.2.11', '192.0.2.13', '192.0.2.10']);
    scene.restart();
    scene.put('0');
    await scene.settle();
    assert.deepEqual(
      ['a', 'b', 'c', 'd'].map((name) => scene.addressesOf(name)),
      before,
    );
    assert.equal(scene.addressesOf('0'), '192.0.2.14');
  });

  test('who finds none is told, and gets the one that comes free', async () => {
    await using scene = new Scene();
    scene.pools('192.0.2.10');
    scene.put('a');
    scene.restart();
    await scene.settle();
    scene.put('b');
    assert.ok((await scene.settle()).includes('Warning AllocationFailed Failed to allocate IP for "default/b": no available IPs'));
    assert.deepEqual([scene.addressesOf('a'), scene.addressesOf('b')], ['192.0.2.10', '']);
    scene.put('a', { type: 'ClusterIP' });
    await scene.settle();
    assert.deepEqual([scene.addressesOf('a'), scene.addressesOf('b')], ['', '192.0.2.10']);
  });

  test('an address is free only when nobody shows it any more', async () => {
    await using scene = new Scene();
    scene.pools('192.0.2.10');
    scene.put('a');
    scene.put('b');
    const provider = openMetal(scene.bed.context, { configMap, pools: [] });
    await scene.bed.deliver();
    const a = scene.bed.client.find(services, 'default/a');
    const b = scene.bed.client.find(services, 'default/b');
    assert.ok(a && b && provider.loadBalancers);
    const { status } = await provider.loadBalancers.ensure(a, []);
    scene.bed.put(services, { ...a, status: { loadBalancer: status } });
    await scene.bed.deliver();
    await provider.loadBalancers.ensureDeleted(a);
    await assert.rejects(provider.loadBalancers.ensure(b, []), /no available IPs/);
    scene.bed.put(services, { ...a, status: { loadBalancer: {} } });
    await scene.bed.deliver();
    assert.equal((await provider.loadBalancers.ensure(b, [])).status.ingress?.[0]?.ip, '192.0.2.10');
  });

  test('an address that was given and never shown is free at once, when it is not wanted any more', async () => {
    await using scene = new Scene();
    scene.pools('192.0.2.10');
    scene.put('a');
    scene.put('b');
    const provider = openMetal(scene.bed.context, { configMap, pools: [] });
    await scene.bed.deliver();
    const [a, b] = ['a', 'b'].map((name) => scene.bed.client.find(services, `default/${name}`));
    assert.ok(a && b && provider.loadBalancers);
    await provider.loadBalancers.ensure(a, []);
    await assert.rejects(provider.loadBalancers.ensure(b, []), /no available IPs/);
    await provider.loadBalancers.ensureDeleted(a);
    assert.equal((await provider.loadBalancers.ensure(b, [])).status.ingress?.[0]?.ip, '192.0.2.10');
  });

  test('the address of a Service that goes without a word is free for who waits', async () => {
    await using scene = new Scene();
    scene.pools('192.0.2.10');
    scene.put('a');
    scene.restart();
    await scene.settle();
    scene.put('b');
    await scene.settle();
    scene.bed.client.forget(services, 'default/a');
    await scene.settle();
    assert.equal(scene.addressesOf('b'), '192.0.2.10');
  });

  test("the speakers' key is made once, and only where there is something to announce", async () => {
    await using scene = new Scene();
    const key = (): string | undefined => scene.bed.client.find(secrets, 'kube-system/fairlead-speaker')?.data?.key;
    scene.write('address-pools: [{name: far, protocol: routed, addresses: [198.51.100.1]}]');
    scene.put('a');
    scene.restart();
    await scene.settle();
    assert.equal(key(), undefined);
    assert.equal(scene.bed.client.find(services, 'default/a')?.metadata.annotations?.['fairlead.dev/announce'], 'routed');
    scene.pools('192.0.2.10');
    await scene.settle();
    const made = key();
    assert.equal(Buffer.from(made ?? '', 'base64').length, 32);
    scene.restart();
    await scene.settle();
    assert.equal(key(), made);
  });

  test("an API server that cannot make the speakers' key at first keeps nobody from serving Services later", async () => {
    await using scene = new Scene();
    scene.bed.client.refuse(/^create secrets/, new Error('no answer'), 1);
    scene.pools('192.0.2.10');
    scene.restart();
    await scene.settle();
    assert.equal(scene.bed.client.find(secrets, 'kube-system/fairlead-speaker'), undefined);
    scene.put('a');
    await scene.settle();
    assert.equal(scene.addressesOf('a'), '192.0.2.10');
    assert.ok(scene.bed.client.find(secrets, 'kube-system/fairlead-speaker'));
  });

  test('a Service that was refused for its neighbour is served when that one changes', async () => {
    await using scene = new Scene();
    scene.pools('192.0.2.10');
    const shared = { annotations: { 'metallb.io/allow-shared-ip': 'k' } };
    const selector = { app: 'x' };
    scene.put('tcp', { selector }, shared);
    scene.put('udp', { selector, ports: [{ port: 80, protocol: 'UDP' }] }, shared);
    scene.restart();
    await scene.settle();
    assert.deepEqual([scene.addressesOf('tcp'), scene.addressesOf('udp')], ['192.0.2.10', '192.0.2.10']);
    scene.put('tcp', { externalTrafficPolicy: 'Local' });
    await scene.settle();
    assert.deepEqual([scene.addressesOf('tcp'), scene.addressesOf('udp')], ['', '192.0.2.10']);
    scene.put('udp', { externalTrafficPolicy: 'Local', ports: [{ port: 80, protocol: 'UDP' }] });
    await scene.settle();
    assert.deepEqual([scene.addressesOf('tcp'), scene.addressesOf('udp')], ['192.0.2.10', '192.0.2.10']);
  });

  test('a pool that loses an address moves the Service; a slip of the pen moves nobody', async () => {
    await using scene = new Scene();
    scene.pools('192.0.2.10');
    scene.put('a');
    scene.restart();
    await scene.settle();
    for (const broken of ['address-pools: [{name: a}]', '{', 'address-pool: []']) {
      scene.write(broken);
      await scene.settle();
      assert.equal(scene.addressesOf('a'), '192.0.2.10', broken);
    }
    scene.pools('192.0.2.20');
    await scene.settle();
    assert.equal(scene.addressesOf('a'), '192.0.2.20');
  });

  test('a Service shows which nodes may tell its address, and on which links, as long as its pool says so', async () => {
    await using scene = new Scene();
    const wire = (more: string): void => scene.write(`address-pools: [{name: a, addresses: [192.0.2.10]${more}}]`);
    wire(', node-selectors: [{match-labels: {rack: "1"}}, {match-labels: {rack: "2"}}], interfaces: [eth1, eth2]');
    scene.put('a');
    scene.restart();
    await scene.settle();
    const annotations = (): object => scene.bed.client.find(services, 'default/a')?.metadata.annotations ?? {};
    const always = { 'metallb.io/ip-allocated-from-pool': 'a', 'fairlead.dev/announce': 'layer2' };
    assert.deepEqual(annotations(), {
      ...always,
      'fairlead.dev/announce-nodes': 'rack=1; rack=2',
      'fairlead.dev/announce-interfaces': 'eth1,eth2',
    });
    wire('');
    await scene.settle();
    assert.deepEqual([annotations(), scene.addressesOf('a')], [always, '192.0.2.10']);
  });

  test("pools are read from MetalLB's own objects", async () => {
    await using scene = new Scene();
    const object = (kind: string, spec: string): string =>
      `apiVersion: metallb.io/v1beta1\nkind: ${kind}\nmetadata: {name: first}\nspec: ${spec}\n`;
    scene.write(`${object('IPAddressPool', '{addresses: [192.0.2.10/32]}')}---\n${object('L2Advertisement', '{ipAddressPools: [first]}')}`);
    scene.put('a');
    scene.restart();
    await scene.settle();
    assert.equal(scene.addressesOf('a'), '192.0.2.10');
    assert.equal(scene.bed.client.find(services, 'default/a')?.metadata.annotations?.['fairlead.dev/announce'], 'layer2');
  });

  test('a pool is chosen by labels of the namespace, also of one that is as new as its Service', async () => {
    await using scene = new Scene();
    const gold = 'service-allocation: {namespace-selectors: [{match-labels: {tier: gold}}]}';
    scene.write(
      `address-pools: [{name: all, addresses: [192.0.2.10-192.0.2.20]}, {name: gold, addresses: [198.51.100.10-198.51.100.20], ${gold}}]`,
    );
    scene.restart();
    scene.put('a');
    const metadata = { name: 'default', labels: { tier: 'gold' } };
    await scene.settle(() => scene.bed.put(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata }));
    assert.equal(scene.addressesOf('a'), '198.51.100.10');
  });

  test('what a Service asks for is read from its fields and from annotations of both ages', async () => {
    await using scene = new Scene();
    scene.pools('192.0.2.10-192.0.2.20');
    scene.put('field', { loadBalancerIP: '192.0.2.15' });
    scene.put('annotation', {}, { annotations: { 'metallb.universe.tf/loadBalancerIPs': ' 192.0.2.16 ' } });
    scene.put('both', { loadBalancerIP: '192.0.2.17' }, { annotations: { 'metallb.io/loadBalancerIPs': '192.0.2.17' } });
    scene.put('wrong', {}, { annotations: { 'metallb.io/loadBalancerIPs': 'x' } });
    scene.put('pool', {}, { annotations: { 'metallb.io/address-pool': 'other' } });
    scene.restart();
    const events = await scene.settle();
    assert.deepEqual([scene.addressesOf('field'), scene.addressesOf('annotation')], ['192.0.2.15', '192.0.2.16']);
    for (const why of [
      '"default/both": both spec.loadBalancerIP and annotation loadBalancerIPs are set',
      '"default/wrong": invalid requested address "x"',
      '"default/pool": unknown pool "other"',
    ])
      assert.ok(events.includes(`Warning AllocationFailed Failed to allocate IP for ${why}`), why);
  });

  test('pools by flag stand beside those of the ConfigMap, and stay when it goes', async () => {
    await using scene = new Scene();
    scene.put('a');
    scene.restart(['198.51.100.1']);
    await scene.settle();
    assert.equal(scene.addressesOf('a'), '198.51.100.1');
    scene.write('address-pools: [{name: more, addresses: [192.0.2.1]}]');
    scene.put('b');
    await scene.settle();
    assert.equal(scene.addressesOf('b'), '192.0.2.1');
    scene.bed.client.forget(configMaps, configMap);
    await scene.settle();
    assert.deepEqual([scene.addressesOf('a'), scene.addressesOf('b')], ['198.51.100.1', '']);
  });

  test('both families, where the Service has both', async () => {
    await using scene = new Scene();
    scene.pools('192.0.2.10', 'fd00::10');
    scene.put('a', { ipFamilies: ['IPv6', 'IPv4'], ipFamilyPolicy: 'RequireDualStack' });
    scene.put('b', { ipFamilies: ['IPv4', 'IPv6'], ipFamilyPolicy: 'PreferDualStack' });
    scene.restart();
    await scene.settle();
    assert.deepEqual([scene.addressesOf('a'), scene.addressesOf('b')], ['fd00::10 192.0.2.10', '']);
  });
});
