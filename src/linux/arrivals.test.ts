/** Real packets to addresses of a network namespace. */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { describe, test } from 'node:test';
import { isKnownError } from '../errors/known-error.ts';
import { Arrivals } from './arrivals.ts';
import { enterNetns } from './netns.ts';
import { cannotMakeNamespaces, Namespaces } from './testing/namespaces.ts';

/** A connection that is over: taken, or refused. */
async function knock(host: string, port: number): Promise<void> {
  const socket = connect({ host, port });
  socket.on('error', () => {});
  socket.end();
  await new Promise((resolve) => socket.on('close', resolve));
}

async function send(host: string, port: number): Promise<void> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  socket.on('error', () => {});
  await new Promise((resolve) => socket.send('x', port, host, resolve));
  socket.close();
}

describe('Arrivals', { skip: cannotMakeNamespaces }, () => {
  for (const [ip, other, any] of [
    ['10.96.0.1', '10.96.0.2', '0.0.0.0'],
    ['fd00::1', 'fd00::2', '::'],
  ] as const)
    test(`counts what begins at ${ip} and its port, and nothing else`, async () => {
      await using net = new Namespaces();
      await net.add('n');
      for (const address of [ip, other]) await net.ip('n', `addr add ${address}/${ip.includes(':') ? 128 : 32} dev lo`);
      using _ = enterNetns(net.path('n'));
      using tcp = new Arrivals('tcp', { ip, port: 80 });
      using udp = new Arrivals('udp', { ip, port: 53 });
      using everywhere = new Arrivals('tcp', { ip: any, port: 80 });
      for (const [address, port] of [
        [ip, 80],
        [ip, 81],
        [other, 80],
        [ip, 80],
      ] as const)
        await knock(address, port);
      for (const [address, port] of [
        [ip, 53],
        [ip, 54],
        [other, 53],
      ] as const)
        await send(address, port);
      assert.deepEqual([tcp.take(), udp.take(), everywhere.take()], [2, 1, 3]);
      await knock(ip, 80);
      assert.deepEqual([tcp.take(), udp.take(), everywhere.take()], [1, 0, 1]);
    });

  test('says so when the node does not have the address', async () => {
    await using net = new Namespaces();
    await net.add('n');
    using _ = enterNetns(net.path('n'));
    assert.throws(
      () => new Arrivals('tcp', { ip: '10.96.0.9', port: 80 }),
      (err) => isKnownError(err, 'KERNEL_REFUSED') && err.message.includes('EADDRNOTAVAIL'),
    );
  });
});
