import assert from 'node:assert/strict';
import { closeSync } from 'node:fs';
import { createServer } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { eventually } from '../clock/testing/eventually.ts';
import { listenInNetns } from '../linux/listen-in-netns.ts';
import { inNetns } from '../linux/netns.ts';
import { cannotMakeNamespaces, Namespaces } from '../linux/testing/namespaces.ts';
import { KernelRelayHost } from './mode/userspace/relay-host.ts';
import { KernelNodeHost } from './node-host.ts';
import type { Listener } from './plan/reserved.ts';

describe('KernelNodeHost', { skip: cannotMakeNamespaces, concurrency: false }, () => {
  const net = new Namespaces();
  const closers: (() => void)[] = [];
  let host: KernelNodeHost;
  before(async () => {
    await net.add('a');
    await net.ip('a', 'addr add 192.0.2.1/32 dev lo');
    host = inNetns(net.path('a'), () => new KernelNodeHost());
  });
  after(async () => {
    host?.close();
    for (const close of closers) close();
    await net[Symbol.asyncDispose]();
  });

  const listen = (kind: 'tcp' | 'udp', ip: string, port: number): void => {
    const fd = listenInNetns(net.path('a'), kind, ip, port);
    closers.push(() => closeSync(fd));
  };

  test('knows who listens where: not clients, not what is in another namespace', async () => {
    assert.deepEqual(await host.listeners(), []);
    listen('tcp', '0.0.0.0', 22);
    listen('tcp', '192.0.2.1', 9100);
    // Of TCP, the range that the kernel hands out is no reason to doubt it.
    listen('tcp', '0.0.0.0', 40_000);
    listen('udp', '192.0.2.1', 53);
    listen('udp', '0.0.0.0', 40_000);
    const six = createServer();
    closers.push(() => six.close());
    inNetns(net.path('a'), () => six.listen(6443));
    const wanted: Listener[] = [
      { protocol: 'tcp', port: 22 },
      { protocol: 'tcp', port: 6443 },
      { protocol: 'tcp', port: 9100, ip: '192.0.2.1' },
      { protocol: 'tcp', port: 40_000 },
      { protocol: 'udp', port: 53, ip: '192.0.2.1' },
    ];
    const byPort = (a: Listener, b: Listener): number => a.protocol.localeCompare(b.protocol) || a.port - b.port;
    assert.deepEqual([...(await host.listeners())].sort(byPort), wanted);
  });

  test('tells at once of addresses that come and go', async () => {
    let told = 0;
    host.watch(() => told++);
    for (const [command, ip] of [
      ['add', '192.0.2.2/32'],
      ['del', '192.0.2.2/32'],
      ['add', 'fd00::2/128'],
    ]) {
      const before = told;
      await net.ip('a', `addr ${command} ${ip} dev lo`);
      await eventually(() => told > before);
    }
    const held = (await host.addresses()).map(({ ip, prefix }) => `${ip}/${prefix}`);
    assert.deepEqual(held.sort(), ['127.0.0.1/8', '192.0.2.1/32', '::1/128', 'fd00::2/128']);
    assert.equal(await host.addresses(), await host.addresses(), 'what nobody told of is not read again');
  });

  test('does not take an address of a Service, which mode userspace gave to the node, for one of the node', async () => {
    const relays = inNetns(net.path('a'), () => new KernelRelayHost());
    closers.push(() => relays.close());
    const before = await host.addresses();
    await relays.change(['10.96.0.1', 'fd00:96::1'], []);
    assert.deepEqual([...(await relays.held('ip')), ...(await relays.held('ip6'))], ['10.96.0.1', 'fd00:96::1']);
    assert.deepEqual(await host.addresses(), before);
  });

  test('does not take those that mode ipvs has on a device for addresses of the node, and hears nothing of them', async () => {
    const before = await host.addresses();
    // Any device of this name.
    await net.ip('a', 'link add kube-ipvs0 type bridge');
    await net.ip('a', 'addr add 10.96.0.2/32 dev kube-ipvs0');
    const other = inNetns(net.path('a'), () => new KernelNodeHost());
    closers.push(() => other.close());
    assert.deepEqual(await other.addresses(), before);
    let told = 0;
    other.watch(() => told++);
    await net.ip('a', 'addr add 10.96.0.3/32 dev kube-ipvs0');
    await net.ip('a', 'addr del 10.96.0.2/32 dev kube-ipvs0');
    await net.ip('a', 'addr add 192.0.2.3/32 dev lo');
    // In the order in which they came.
    await eventually(() => told > 0);
    assert.equal(told, 1);
  });
});
