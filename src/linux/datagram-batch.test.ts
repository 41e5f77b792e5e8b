import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { test } from 'node:test';
import { DatagramBatch, openUdpSocket } from './datagram-batch.ts';

async function bound(address: string, fd?: number): Promise<Socket> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  await new Promise<void>((done, fail) => {
    socket.once('error', fail);
    if (fd === undefined) socket.bind(0, address, done);
    else socket.bind({ fd }, done);
  });
  return socket;
}

for (const address of ['127.0.0.1', '::1']) {
  test(`datagrams over ${address} are taken and answered in batches, each to its sender`, async (t) => {
    const clients = await Promise.all([bound(address), bound(address)]).catch(() => undefined);
    if (!clients) return t.skip('no such address here');
    const fd = openUdpSocket(address, 0);
    assert.ok(fd !== undefined);
    const server = await bound(address, fd);
    const batch = new DatagramBatch(fd, { size: 8, maxReceive: 64, maxSend: 64 });
    t.after(() => {
      for (const socket of [...clients, server]) socket.close();
      batch.close();
    });
    const got: string[][] = [[], []];
    const senders = new Set<string>();
    for (const [i, client] of clients.entries()) client.on('message', (bytes) => got[i]?.push(bytes.toString()));
    let seen = 0;
    server.on('message', (first, from) => {
      // dgram took this one; what stands behind it is ours.
      server.send(`${first}!`, from.port, from.address);
      seen++;
      for (let count = batch.size; count === batch.size; ) {
        count = batch.receive();
        for (let i = 0; i < count; i++) {
          seen++;
          const message = batch.message(i);
          if (!message) continue;
          senders.add(`${batch.sender(i).port}`);
          batch.queued(i, batch.room().write(`${message}!`));
        }
        batch.send();
      }
    });
    const { port } = server.address();
    for (let n = 0; n < 50; n++) for (const [i, client] of clients.entries()) client.send(`${i}-${n}`, port, address);
    clients[0].send(Buffer.alloc(500), port, address);
    const end = performance.now() + 90_000;
    while ((got[0]?.length ?? 0) + (got[1]?.length ?? 0) < 100) {
      assert.ok(performance.now() < end, `${seen} seen, ${got[0]?.length} and ${got[1]?.length} answered`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    for (const [i, mine] of got.entries()) {
      const expected = Array.from({ length: 50 }, (_, n) => `${i}-${n}!`);
      assert.deepEqual(mine.filter((text) => text.length < 10).toSorted(), expected.toSorted());
    }
    const ports = new Set(clients.map((c) => String(c.address().port)));
    assert.ok([...senders].every((p) => ports.has(p)));
  });
}

test('a taken port and an address with a scope give no socket', async () => {
  const first = await bound('127.0.0.1');
  assert.equal(openUdpSocket('127.0.0.1', first.address().port), undefined);
  assert.equal(openUdpSocket('fe80::1%eth0', 0), undefined);
  first.close();
});
