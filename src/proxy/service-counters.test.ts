import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Registry } from 'prom-client';
import type { ServiceCount } from './mode/mode.ts';
import { registerServiceCounters, summed } from './service-counters.ts';

const web: ServiceCount = { service: 'n/web', port: 'http', protocol: 'tcp', connections: 3, received: 100, sent: 2000, refused: 1 };

test('ports are summed over families and relays, and those where nothing was counted are left out', () => {
  const relayed = { ...web, connections: 1, received: 7, sent: 8, refused: 0 };
  const { received: _, sent: __, ...bare } = { ...web, connections: 10 };
  const udp = { ...bare, protocol: 'udp' as const, refused: 5, connections: 0 };
  assert.deepEqual(summed([web, relayed, bare, udp, { ...web, service: 'n/idle', connections: 0, received: 0, sent: 0, refused: 0 }]), [
    { ...web, connections: 14, received: 107, sent: 2008, refused: 2 },
    { ...udp, received: 0, sent: 0 },
  ]);
});

test('metrics of Services are read once for all of them, whenever somebody asks', async () => {
  let reads = 0;
  const registry = new Registry();
  registerServiceCounters(registry, async () => {
    reads++;
    return [{ ...web, connections: web.connections + reads }];
  });
  await registry.metrics();
  const text = await registry.metrics();
  assert.equal(reads, 2);
  const labels = '{namespace="n",service="web",port="http",protocol="TCP"}';
  assert.deepEqual(
    text.split('\n').filter((line) => line.startsWith('fairlead')),
    [
      `fairlead_service_connections_total${labels} 5`,
      `fairlead_service_receive_bytes_total${labels} 100`,
      `fairlead_service_transmit_bytes_total${labels} 2000`,
      `fairlead_service_refused_total${labels} 1`,
    ],
  );
});
