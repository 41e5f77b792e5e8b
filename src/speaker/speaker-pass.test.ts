/** What news leads to, without a kernel. The real one is in speaker.test.ts. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { endpointSlices, nodes, services } from '../api/resource-types.ts';
import type { Node, Service } from '../api/schema/types.ts';
import { FakeCluster, turn } from '../client/testing/fake-cluster.ts';
import { mustCidr } from '../ip/ip.ts';
import { silentLog } from '../observability/log.ts';
import { Announcer } from './announcer.ts';
import { announcerOf } from './choose.ts';
import { encodeHello } from './hello.ts';
import type { NodeLink } from './links.ts';
import { RollCall } from './roll-call.ts';
import { Speaker } from './speaker.ts';

const eth0: NodeLink = {
  index: 2,
  name: 'eth0',
  mac: Buffer.from('020000000001', 'hex'),
  isOpen: true,
  addresses: ['192.0.2.11'],
  networks: [mustCidr('192.0.2.0/24')],
};

class Scene implements AsyncDisposable {
  readonly cluster = new FakeCluster();
  readonly events: string[] = [];
  readonly quiet: string[] = [];
  readonly said: string[] = [];
  links: NodeLink[] = [eth0];
  reads = 0;
  frames = 0;
  readonly announcer = new Announcer(
    { open: () => ({ send: () => this.frames++ >= 0, [Symbol.dispose]() {} }), join() {}, leave() {} },
    { clock: this.cluster.clock, log: silentLog },
  );
  readonly speaker = new Speaker({
    nodeName: 'me',
    informers: this.cluster.informers,
    announcer: this.announcer,
    recorder: { event: (about, type, reason, message) => void this.events.push(`${about.metadata.name} ${type} ${reason} ${message}`) },
    interfaces: [],
    readLinks: async () => {
      this.reads++;
      return this.links;
    },
    quieten: (names) => void this.quiet.push(...names),
    clock: this.cluster.clock,
    log: { ...silentLog, warn: (msg) => void this.said.push(msg) },
  });
  readonly rollCall = new RollCall({
    nodeName: 'me',
    send: () => {},
    expected: () => this.speaker.expected(),
    onChange: () => this.speaker.poke(),
    clock: this.cluster.clock,
  });

  async start(): Promise<void> {
    this.rollCall.setKey(Buffer.from('key'));
    await this.cluster.deliver();
    await this.speaker.start(this.rollCall);
    await this.settle();
  }

  async settle(): Promise<void> {
    await this.cluster.deliver();
    for (let i = 0; i < 4; i++) {
      await this.cluster.clock.advance(100);
      await turn();
    }
  }

  node(name: string, more: Partial<Node['metadata']> = {}, ready = 'True'): void {
    const status = { conditions: [{ type: 'Ready', status: ready }], addresses: [{ type: 'InternalIP', address: '192.0.2.11' }] };
    this.cluster.put(nodes, { apiVersion: 'v1', kind: 'Node', metadata: { name, ...more }, status });
  }

  service(name: string, ips: readonly string[], announce = 'layer2', more: Record<string, string> = {}): void {
    const service: Service = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace: 'default', annotations: { 'fairlead.dev/announce': announce, ...more } },
      spec: { type: 'LoadBalancer' },
      status: { loadBalancer: { ingress: ips.map((ip) => ({ ip })) } },
    };
    this.cluster.put(services, service);
    this.cluster.put(endpointSlices, {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: `${name}-1`, namespace: 'default', labels: { 'kubernetes.io/service-name': name } },
      addressType: 'IPv4',
      endpoints: [{ addresses: ['10.244.1.2'], nodeName: 'me' }],
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.speaker.end();
    await this.cluster[Symbol.asyncDispose]();
  }
}

describe('a speaker', () => {
  test('announces what falls to its node, and tells it once', async () => {
    await using scene = new Scene();
    scene.node('me');
    scene.service('web', ['192.0.2.100', '192.0.2.101']);
    await scene.start();
    assert.deepEqual([scene.announcer.has('192.0.2.100'), scene.announcer.has('192.0.2.101')], [true, true]);
    scene.speaker.poke();
    await scene.settle();
    assert.deepEqual(scene.events, ['web Normal nodeAssigned announcing from node "me" with protocol "layer2"']);
  });

  test('tells again where an address is when somebody comes who may have told it otherwise', async () => {
    await using scene = new Scene();
    scene.node('me');
    scene.service('web', ['192.0.2.100']);
    const [service] = scene.cluster.client.selected(services, {});
    const [slice] = scene.cluster.client.selected(endpointSlices, {});
    assert.ok(service && slice);
    const isFirst = (other: string): boolean => announcerOf(service, [slice], ['me', other]) === 'me';
    const other = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].find(isFirst) ?? '';
    scene.node(other);
    await scene.start();
    for (let i = 0; i < 80; i++) await scene.cluster.clock.advance(100);
    const told = scene.frames;
    assert.ok(told > 0 && scene.announcer.has('192.0.2.100'));
    scene.speaker.poke();
    await scene.settle();
    assert.equal(scene.frames, told);
    // The wire between them is mended.
    scene.rollCall.hear(encodeHello({ node: other, life: 'x', count: 1, isReady: true }, Buffer.from('key')));
    await scene.settle();
    assert.ok(scene.announcer.has('192.0.2.100'));
    assert.ok(scene.frames > told, 'its neighbours go on sending to the other');
  });

  test('looks at nothing while there is nothing to announce, and ends with the Service', async () => {
    await using scene = new Scene();
    scene.node('me');
    scene.service('routed', ['192.0.2.100'], 'routed');
    await scene.start();
    assert.deepEqual([scene.reads, scene.announcer.has('192.0.2.100')], [0, false]);
    scene.service('web', ['192.0.2.101']);
    await scene.settle();
    assert.ok(scene.announcer.has('192.0.2.101'));
    scene.cluster.client.forget(services, 'default/web');
    await scene.settle();
    assert.ok(!scene.announcer.has('192.0.2.101'));
  });

  test('leaves it to others while its node may not', async () => {
    await using scene = new Scene();
    scene.node('me', { labels: { 'node.kubernetes.io/exclude-from-external-load-balancers': '' } });
    scene.service('web', ['192.0.2.100']);
    await scene.start();
    assert.ok(!scene.announcer.has('192.0.2.100'));
    scene.node('me', { labels: {} });
    await scene.settle();
    assert.ok(scene.announcer.has('192.0.2.100'));
  });

  test('leaves to others what its node, by its labels, is not to tell', async () => {
    await using scene = new Scene();
    scene.node('me', { labels: { rack: '1' } });
    scene.service('web', ['192.0.2.100'], 'layer2', { 'fairlead.dev/announce-nodes': 'rack=2' });
    await scene.start();
    assert.ok(!scene.announcer.has('192.0.2.100'));
    scene.node('me', { labels: { rack: '2' } });
    await scene.settle();
    assert.ok(scene.announcer.has('192.0.2.100'));
  });

  test('tells an address on the links that the Service names, and says when there is none', async () => {
    await using scene = new Scene();
    scene.node('me');
    scene.service('web', ['192.0.2.100'], 'layer2', { 'fairlead.dev/announce-interfaces': 'eth1' });
    await scene.start();
    assert.ok(!scene.announcer.has('192.0.2.100'));
    assert.deepEqual(scene.said, ['Cannot announce "192.0.2.100": no link of this node that is up is one of eth1']);
    scene.links = [eth0, { ...eth0, index: 7, name: 'eth1', addresses: [], networks: [] }];
    scene.speaker.poke();
    await scene.settle();
    assert.ok(scene.announcer.has('192.0.2.100'));
  });

  test('expects hellos of nodes that run and may announce', async () => {
    await using scene = new Scene();
    scene.node('me');
    scene.node('other');
    scene.node('away', {}, 'Unknown');
    scene.node('excluded', { labels: { 'node.kubernetes.io/exclude-from-external-load-balancers': '' } });
    await scene.start();
    assert.deepEqual(scene.speaker.expected(), ['other']);
  });

  test('makes a link quiet on which the kernel would answer for an address that a proxy has given the node', async () => {
    await using scene = new Scene();
    scene.node('me');
    scene.service('web', ['192.0.2.100']);
    await scene.start();
    assert.deepEqual(scene.quiet, []);
    scene.links = [
      eth0,
      { ...eth0, index: 9, name: 'kube-ipvs0', isOpen: false, addresses: ['192.0.2.100'], networks: [mustCidr('192.0.2.100/32')] },
    ];
    scene.speaker.poke();
    await scene.settle();
    assert.deepEqual(scene.quiet, ['eth0']);
  });

  test('says which address it has no link for', async () => {
    await using scene = new Scene();
    scene.node('me');
    scene.links = [{ ...eth0, isOpen: false }];
    scene.service('web', ['192.0.2.100']);
    await scene.start();
    assert.equal(scene.said[0], 'Cannot announce "192.0.2.100": no link of this node that is up has its network or the node\'s address');
    assert.deepEqual(scene.events, []);
  });

  test('says so once, however often it looks, and again when it comes to lack it again', async () => {
    await using scene = new Scene();
    scene.node('me');
    scene.service('a', ['192.0.2.100'], 'layer2', { 'fairlead.dev/announce-interfaces': 'eth1' });
    scene.service('b', ['192.0.2.101']);
    await scene.start();
    const again = async (links: NodeLink[]): Promise<number> => {
      scene.links = links;
      scene.speaker.poke();
      await scene.settle();
      return scene.said.length;
    };
    assert.equal(await again([eth0]), 1);
    assert.equal(await again([eth0, { ...eth0, index: 7, name: 'eth1' }]), 1);
    assert.equal(await again([eth0]), 2);
  });

  test('ends with all that it announced', async () => {
    await using scene = new Scene();
    scene.node('me');
    scene.service('web', ['192.0.2.100']);
    await scene.start();
    await scene.speaker.end();
    assert.ok(!scene.announcer.has('192.0.2.100'));
    scene.speaker.poke();
    await scene.settle();
    assert.ok(!scene.announcer.has('192.0.2.100'));
  });
});
