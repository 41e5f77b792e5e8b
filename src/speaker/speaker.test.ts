/** Speakers on nodes that are network namespaces: what a machine on the same segment hears when it asks for an address. */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { endpointSlices, nodes, secrets, services } from '../api/resource-types.ts';
import { FakeApiServer } from '../client/testing/fake-api-server.ts';
import { eventually } from '../clock/testing/eventually.ts';
import { listenInNetns } from '../linux/listen-in-netns.ts';
import { cannotMakeNamespaces, Namespaces } from '../linux/testing/namespaces.ts';

const program = fileURLToPath(new URL('./testing/speaker-process.ts', import.meta.url));
const addresses: Readonly<Record<string, string>> = { a: '192.168.120.11', b: '192.168.120.12', c: '192.168.120.13' };
const [ip, ip6] = ['192.168.120.200', 'fd00:120::200'];

describe('speakers on one segment', { skip: cannotMakeNamespaces, concurrency: false }, () => {
  let net: Namespaces;
  let api: FakeApiServer;
  const running = new Map<string, ChildProcess>();
  /** Of each node's link. */
  const macs = new Map<string, string>();

  const start = (node: string): void =>
    void running.set(node, net.start(node, process.execPath, [program, node, 'http://192.168.120.1:8080']));
  const end = async (node: string, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> => {
    const child = running.get(node);
    if (!child) return;
    const closed = once(child, 'close');
    child.kill(signal);
    await closed;
    running.delete(node);
  };

  before(async () => {
    net = new Namespaces();
    await net.underlay('underlay', addresses);
    await net.ip('underlay', 'addr add fd00:120::1/64 dev br0 nodad');
    for (const [i, node] of Object.keys(addresses).entries()) {
      await net.ip(node, `addr add fd00:120::1${i + 1}/64 dev eth0 nodad`);
      macs.set((/link\/ether (\S+)/.exec(await net.ip(node, 'link show eth0')) ?? [])[1] ?? '', node);
    }
    const fd = listenInNetns(net.path('underlay'), 'tcp', '192.168.120.1', 8080);
    api = new FakeApiServer([nodes, services, endpointSlices, secrets], (server) => void server.listen({ fd }));
    const conditions = [{ type: 'Ready', status: 'True' }];
    for (const [name, address] of Object.entries(addresses))
      api.put(nodes, { metadata: { name }, status: { conditions, addresses: [{ type: 'InternalIP', address }] } });
    api.put(secrets, { metadata: { name: 'fairlead-speaker', namespace: 'kube-system' }, data: { key: 'a2V5' } });
    api.put(services, serviceWith('Cluster'));
    api.put(endpointSlices, sliceOn('a', 'b', 'c'));
    for (const node of Object.keys(addresses)) start(node);
  });

  after(async () => {
    await api?.close();
    await net?.[Symbol.asyncDispose]();
  });

  const serviceWith = (externalTrafficPolicy: string) => ({
    metadata: { name: 'web', namespace: 'default', annotations: { 'fairlead.dev/announce': 'layer2' } },
    spec: { type: 'LoadBalancer', externalTrafficPolicy, ports: [{ port: 80 }] },
    status: { loadBalancer: { ingress: [{ ip }, { ip: ip6 }] } },
  });
  const sliceOn = (...names: string[]) => ({
    metadata: { name: 'web-1', namespace: 'default', labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv4',
    endpoints: names.map((nodeName) => ({ addresses: ['10.244.1.2'], nodeName, conditions: { ready: true } })),
  });

  /** Nodes whose MACs answer to one question by broadcast. */
  const answering = async (): Promise<string[]> => {
    const { stdout } = await net.run('underlay', 'busybox', ['arping', '-b', '-c', '1', '-w', '1', '-I', 'br0', ip]);
    const found = [...stdout.matchAll(/reply from \S+ \[(\S+)\]/g)].map(
      (match) => macs.get((match[1] ?? '').toLowerCase()) ?? 'somebody else',
    );
    return found.toSorted();
  };
  /** Where the segment's other machine believes an address to be. */
  const believed = async (address: string): Promise<string | undefined> => {
    const line = await net.ip('underlay', `neigh show ${address} dev br0`);
    return macs.get((/lladdr (\S+)/.exec(line) ?? [])[1] ?? '');
  };
  const ask = async (address: string): Promise<string | undefined> => {
    await net.ip('underlay', `neigh flush to ${address} dev br0`);
    await net.run('underlay', 'busybox', ['ping', '-c', '1', '-W', '1', address]);
    return await believed(address);
  };
  /** The one that answers, once it is one. */
  const theOne = async (): Promise<string> => {
    let found: string[] = [];
    await eventually('one node answers', async () => {
      found = await answering();
      return found.length === 1;
    });
    return found[0] ?? '';
  };

  test('one node answers for an address, in both families', async () => {
    const one = await theOne();
    assert.ok(one in addresses, one);
    assert.equal(await ask(ip), one);
    assert.equal(await ask(ip6), one);
  });

  test('nobody answers for another address', async () => {
    await net.run('underlay', 'busybox', ['ping', '-c', '1', '-W', '1', '192.168.120.201']);
    assert.equal(await believed('192.168.120.201'), undefined);
  });

  test('when it is killed another one tells everybody, who believes it without asking', async (t) => {
    const [before, before6] = [await ask(ip), await ask(ip6)];
    assert.ok(before);
    assert.equal(before6, before);
    const killedAt = performance.now();
    await end(before, 'SIGKILL');
    await eventually('the neighbour knows of another node', async () => {
      const now = await believed(ip);
      return now !== undefined && now !== before;
    });
    t.diagnostic(`taken over after ${Math.round(performance.now() - killedAt)} ms`);
    const after = await theOne();
    assert.notEqual(after, before);
    await eventually('in IPv6, too', async () => (await believed(ip6)) === after);
    start(before);
    await eventually('the address goes back', async () => (await answering()).join() === before);
  });

  test('who leaves hands over, and nobody waits', async () => {
    const before = await theOne();
    await end(before, 'SIGTERM');
    assert.notEqual(await theOne(), before);
    start(before);
    await eventually('the address goes back', async () => (await answering()).join() === before);
  });

  test('one that stood still, and comes to again, does not answer beside another', async () => {
    const before = await theOne();
    running.get(before)?.kill('SIGSTOP');
    await eventually('another one has taken over', async () => {
      const now = await answering();
      return now.length === 1 && now[0] !== before;
    });
    running.get(before)?.kill('SIGCONT');
    await eventually('it is back', async () => (await answering()).join() === before);
  });

  test('one that was cut off tells everybody, when it is back, what another one has told meanwhile', async () => {
    const before = await theOne();
    assert.deepEqual([await ask(ip), await ask(ip6)], [before, before]);
    // Who has forgotten an address, since nobody answered at it, asks; who remembers does not.
    const known = async (address: string): Promise<string | undefined> => (await believed(address)) ?? (await ask(address));
    const isAt = (wanted: (node: string | undefined) => boolean): Promise<unknown> =>
      eventually('both addresses', async () => wanted(await known(ip)) && wanted(await known(ip6)));
    await net.ip('underlay', `link set to-${before} nomaster`);
    await isAt((node) => node !== undefined && node !== before);
    await net.ip('underlay', `link set to-${before} master br0`);
    await isAt((node) => node === before);
    assert.equal(await theOne(), before);
  });

  test('under externalTrafficPolicy Local a node with an endpoint answers, and the address follows the endpoint', async () => {
    api.put(services, serviceWith('Local'));
    for (const node of ['a', 'b', 'c']) {
      api.put(endpointSlices, sliceOn(node));
      await eventually(`${node} answers`, async () => (await answering()).join() === node);
    }
  });

  test('without endpoints nobody answers', async () => {
    api.put(endpointSlices, sliceOn());
    await eventually('silence', async () => (await answering()).length === 0);
    api.put(endpointSlices, sliceOn('a', 'b', 'c'));
    await theOne();
  });

  test('a node that is excluded does not answer', async () => {
    api.put(services, serviceWith('Cluster'));
    const before = await theOne();
    const conditions = [{ type: 'Ready', status: 'True' }];
    const status = { conditions, addresses: [{ type: 'InternalIP', address: addresses[before] }] };
    api.put(nodes, { metadata: { name: before, labels: { 'node.kubernetes.io/exclude-from-external-load-balancers': '' } }, status });
    await eventually('another one answers', async () => {
      const now = await answering();
      return now.length === 1 && now[0] !== before;
    });
    api.put(nodes, { metadata: { name: before }, status });
    await eventually('it may again', async () => (await answering()).join() === before);
  });

  test('where a proxy gives every node the address, still one alone answers', async () => {
    for (const node of Object.keys(addresses)) await net.ip(node, `addr add ${ip}/32 dev lo`);
    const one = await theOne();
    assert.ok(one in addresses);
    for (const node of Object.keys(addresses)) await net.ip(node, `addr del ${ip}/32 dev lo`);
  });

  test('a Service that loses its address is announced no more', async () => {
    api.put(services, { ...serviceWith('Cluster'), status: { loadBalancer: {} } });
    await eventually('silence', async () => (await answering()).length === 0);
    api.put(services, serviceWith('Cluster'));
    await theOne();
  });

  test('goes on answering, and moves, while the API server is away', async () => {
    const before = await theOne();
    await api.close();
    assert.equal(await theOne(), before);
    await end(before, 'SIGKILL');
    await eventually('another one answers', async () => {
      const now = await answering();
      return now.length === 1 && now[0] !== before;
    });
  });
});
