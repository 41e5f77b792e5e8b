import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { test } from 'node:test';
import packet from 'dns-packet';
import { silentLog } from '../../observability/log.ts';
import { addressRecord } from '../message/records.ts';
import type { Reply } from '../message/reply.ts';
import { startDnsServer } from './server.ts';

const question = (name: string, id: number): Buffer => packet.encode({ type: 'query', id, questions: [{ type: 'A', name }] });
const reply = (...ips: string[]): Reply => ({
  rcode: 0,
  authoritative: true,
  answers: ips.map((ip) => addressRecord(undefined, 5, ip)),
  authority: [],
  additional: [],
});
for (const batch of [true, false]) {
  test(`a burst of questions is answered, each under its id, ${batch ? 'in batches' : 'one by one'}`, async (t) => {
    const server = await startDnsServer({
      address: '127.0.0.1',
      port: 0,
      log: silentLog,
      batch,
      answer({ query }) {
        const n = Number(query.name.split('.')[0]);
        const found = reply(`10.0.${n >> 8}.${n & 255}`);
        return n % 3 === 0 ? new Promise((resolve) => setImmediate(() => resolve(found))) : found;
      },
    });
    const client = createSocket('udp4');
    t.after(async () => {
      client.close();
      await server.close();
    });
    const got = new Map<number, string>();
    client.on('message', (bytes) => {
      const message = packet.decode(bytes);
      const [first] = message.answers ?? [];
      got.set(message.id ?? -1, first?.type === 'A' ? first.data : '');
    });
    const expected = new Map<number, string>();
    // No more than the client's own buffer holds.
    for (let id = 0; id < 150; id++) {
      const n = id;
      expected.set(id, `10.0.0.${n}`);
      client.send(question(`${n}.x`, id), server.port, '127.0.0.1');
    }
    const end = performance.now() + 90_000;
    while (got.size < expected.size && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.deepEqual([...got].toSorted(), [...expected].toSorted());
  });
}

test('an answer that is there only when the server has begun to close is dropped', async (t) => {
  const [asked, answered] = [Promise.withResolvers<void>(), Promise.withResolvers<Reply>()];
  const server = await startDnsServer({
    address: '127.0.0.1',
    port: 0,
    log: silentLog,
    answer() {
      asked.resolve();
      return answered.promise;
    },
  });
  const client = createSocket('udp4');
  t.after(() => client.close());
  client.send(question('web.x', 1), server.port, '127.0.0.1');
  await asked.promise;
  const closed = server.close();
  // To send now would throw where nobody catches it, which ends the process.
  answered.resolve(reply('192.0.2.1'));
  await closed;
});

test('a port that another server holds is told as such, with how to find out whose it is', async (t) => {
  const options = { address: '127.0.0.1', log: silentLog, answer: () => reply('192.0.2.1') };
  const server = await startDnsServer({ ...options, port: 0 });
  t.after(() => server.close());
  const message = `Cannot listen on 127.0.0.1:${server.port}/tcp: the port is in use`;
  await assert.rejects(startDnsServer({ ...options, port: server.port }), { code: 'PORT_TAKEN', message });
});
