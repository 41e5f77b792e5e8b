/** The end of a server: what was asked is answered, and what is asked meanwhile. */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { test } from 'node:test';
import packet from 'dns-packet';
import { systemClock } from '../../src/clock/clock.ts';
import { eventually } from '../../src/clock/testing/eventually.ts';
import type { Answer } from '../../src/dns/plugin/plugin.ts';
import { DnsCluster, dig, resolverAnswer, startResolver } from './cluster.ts';

const lameduckMs = 7_777;

test('after the signal probes are told, everything is answered until the lameduck time is over, and then what is under way', async (t) => {
  const cluster = await DnsCluster.start();
  t.after(() => cluster.stop());
  const open: (() => void)[] = [];
  const slow = await startResolver((request) => {
    if (!request.query.name.startsWith('slow')) return resolverAnswer(request);
    return new Promise<Answer>((resolve) => open.push(() => resolve(resolverAnswer(request))));
  });
  t.after(() => slow.close());
  const lameduck = Promise.withResolvers<void>();
  let isLame = false;
  const { dns, port, stop } = await cluster.dns(await cluster.client('admin', 'system:masters'), {
    upstreams: () => [slow],
    healthAddress: '127.0.0.1:0',
    readyAddress: 'localhost:0',
    lameduckMs: lameduckMs,
    clock: {
      ...systemClock,
      sleep(ms, signal) {
        if (ms !== lameduckMs) return systemClock.sleep(ms, signal);
        isLame = true;
        return lameduck.promise;
      },
    },
  });
  const page = async (address: string, path: string): Promise<number> =>
    (await fetch(`http://${address.replace(/:0$/, '')}:${dns.ports.get(address)}${path}`)).status;
  assert.deepEqual([await page('127.0.0.1:0', '/health'), await page('localhost:0', '/ready')], [200, 200]);

  const client = createSocket('udp4');
  t.after(() => client.close());
  const codes: number[] = [];
  client.on('message', (m) => codes.push((m[3] ?? 0) & 15));
  const askSlowly = (count: number, from: number): void => {
    for (let id = from; id < from + count; id++)
      client.send(packet.encode({ type: 'query', id, questions: [{ type: 'A', name: `slow${id}.example.com` }] }), port, '127.0.0.1');
  };
  askSlowly(54, 0);
  await eventually('54 questions are under way', () => open.length >= 54);
  const stopped = stop();
  await eventually('it is lame', () => isLame);
  assert.deepEqual([await page('127.0.0.1:0', '/health'), await page('localhost:0', '/ready')], [503, 503]);
  assert.equal((await dig(port, 'example.com')).status, 'NOERROR');
  assert.equal((await dig(port, 'default.svc.cluster.local +tcp')).status, 'NOERROR');
  askSlowly(6, 100);
  await eventually('6 more', () => open.length >= 60);
  lameduck.resolve();
  for (const answer of open) answer();
  await eventually('every one is answered', () => codes.length === 60);
  assert.deepEqual(new Set(codes), new Set([0]));
  await stopped;
});
