/** A cluster that changes from one backend to another, node by node, while pods talk. */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { eventually } from '../clock/testing/eventually.ts';
import { listenInNetns } from '../linux/listen-in-netns.ts';
import { cannotMakeNamespaces, Namespaces } from '../linux/testing/namespaces.ts';
import type { BackendConfig } from './backend/backend.ts';
import { NetCluster } from './testing/cluster.ts';

const addresses = { a: '192.168.120.11', b: '192.168.120.12', c: '192.168.120.13' };
type Name = keyof typeof addresses;
const names = Object.keys(addresses) as Name[];
const chatter = fileURLToPath(new URL('./testing/chatter.ts', import.meta.url));

describe('nodes that change their backend one after the other', { skip: cannotMakeNamespaces }, () => {
  let net: Namespaces;
  let dir: string;
  let cluster: NetCluster;
  let server: Server;
  const sockets: Socket[] = [];

  before(async () => {
    net = new Namespaces();
    dir = await mkdtemp(join(tmpdir(), 'fl-change-'));
    cluster = new NetCluster(names, 'vxlan');
    await net.underlay('underlay', addresses);
    for (const name of names) cluster.start(net, name, addresses[name], join(dir, name));
    await eventually('all pairs reach each other', meetAll);
    server = createServer((socket) => void socket.on('error', () => {}).pipe(socket));
    server.listen({ fd: listenInNetns(net.path('b'), 'tcp', '10.244.2.1', 7000) });
    const udp = createSocket('udp4');
    udp.on('message', (datagram, { port, address }) => udp.send(datagram, port, address));
    udp.bind({ fd: listenInNetns(net.path('b'), 'udp', '10.244.2.1', 7000) });
    sockets.push(udp);
  });

  after(async () => {
    for (const socket of sockets) socket.close();
    server?.close();
    await net?.[Symbol.asyncDispose]();
    await rm(dir, { recursive: true, force: true });
  });

  async function meetAll(): Promise<boolean> {
    for (const from of names)
      for (const [i, to] of names.entries()) if (from !== to && !(await net.pings(from, `10.244.${i + 1}.1`))) return false;
    return true;
  }

  /** Talk from a pod of a to one of b. */
  async function talk(): Promise<ChildProcess> {
    const child = net.start('a', process.execPath, [chatter, '10.244.1.1', '10.244.2.1', '7000']);
    assert.ok(child.stdout);
    await once(child.stdout, 'data');
    return child;
  }

  async function changeOver(backend: BackendConfig, order: readonly Name[]): Promise<void> {
    const talking = await talk();
    for (const name of order) {
      cluster.use(name, backend);
      await eventually(`${name} says so`, () => saysSo(name, backend));
      await eventually(`all pairs reach each other once ${name} has changed`, meetAll);
    }
    talking.stdin?.end();
    const { sent, ...back } = JSON.parse(await text(talking.stdout!)) as Record<'sent' | 'bytes' | 'datagrams', number>;
    assert.deepEqual(back, { bytes: sent, datagrams: sent }, 'what came back of what was sent');
  }

  function saysSo(name: Name, { Type, VNI = 1 }: BackendConfig): boolean {
    const data = JSON.parse(cluster.told(name, 'backend-data') ?? 'null') as { readonly VNI: number } | null;
    return cluster.told(name, 'backend-type') === Type && (data === null || data.VNI === VNI);
  }

  const routesOf = async (name: Name): Promise<string> =>
    (await net.ip(name, 'route'))
      .split('\n')
      .filter((line) => line.includes('proto 70'))
      .join('\n');

  test('from vxlan to host-gw: nothing is lost, and the devices go with the last', async () => {
    await changeOver({ Type: 'host-gw' }, ['a', 'c', 'b']);
    for (const name of names)
      await eventually(`${name} has plain routes alone, and no device`, async () => {
        assert.doesNotMatch(await routesOf(name), /flannel/);
        assert.doesNotMatch(await net.ip(name, 'link'), /flannel/);
      });
    assert.match(await net.ip('a', 'link show cni0'), /mtu 1500/);
  });

  test('and back', async () => {
    await changeOver({ Type: 'vxlan' }, ['b', 'a', 'c']);
    for (const name of names)
      await eventually(`${name} goes by its device alone`, async () => assert.doesNotMatch(await routesOf(name), /eth0/));
    assert.match(await net.ip('a', 'link show cni0'), /mtu 1450/);
  });

  test('a node that is told under another address changes to host-gw too, and learns of a new node', async () => {
    cluster.annotate('b', { 'flannel.alpha.coreos.com/public-ip-overwrite': '203.0.113.7' });
    await eventually('b tells it', () => cluster.told('b', 'public-ip') === '203.0.113.7');
    for (const name of names) cluster.use(name, { Type: 'host-gw' });
    for (const name of names) await eventually(`${name} says so`, () => saysSo(name, { Type: 'host-gw' }));
    assert.equal(cluster.told('b', 'public-ip'), addresses.b);
    await eventually('all pairs reach each other', meetAll);
    assert.ok(cluster.warnings.some((text) => text.includes('in place of 203.0.113.7')));
    cluster.claim('new', '10.244.9.0/24', '192.168.120.19', null);
    cluster.tell();
    await eventually('b has a route to it', async () => assert.match(await routesOf('b'), /10\.244\.9\.0\/24 via 192\.168\.120\.19/));
    cluster.remove('new');
    cluster.annotate('b', { 'flannel.alpha.coreos.com/public-ip-overwrite': '' });
  });

  test('to another VNI: by plain routes where the two differ', async () => {
    await changeOver({ Type: 'vxlan', VNI: 7 }, ['c', 'b', 'a']);
    await eventually('flannel.7 alone is there', async () =>
      assert.deepEqual((await net.ip('a', '-br link show type vxlan')).match(/flannel\S+/g), ['flannel.7']),
    );
  });
});
