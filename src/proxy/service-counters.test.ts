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
    udp,
  ]);
});

test('endpoints are summed over families and relays, too', () => {
  const at = (endpoint: string, connections: number, received?: number) => ({
    endpoint,
    connections,
    ...(received === undefined ? {} : { received }),
  });
  const [sum] = summed([
    { ...web, endpoints: [at('10.0.0.1:80', 1, 10), at('10.0.0.2:80', 2)] },
    { ...web, endpoints: [at('10.0.0.1:80', 4, 5), at('[fd00::1]:80', 8)] },
  ]);
  assert.deepEqual(sum?.endpoints, [at('10.0.0.1:80', 5, 15), at('10.0.0.2:80', 2), at('[fd00::1]:80', 8)]);
});

test('metrics of endpoints have a registry of their own, and leave out what is 0', async () => {
  const endpoints = [
    { endpoint: '10.244.1.2:8080', connections: 2, sent: 7 },
    { endpoint: '10.244.2.2:8080', connections: 0 },
  ];
  const text = await registerServiceCounters(new Registry(), async () => [{ ...web, endpoints }]).metrics();
  const labels = '{namespace="n",service="web",port="http",protocol="TCP",endpoint="10.244.1.2:8080"}';
  assert.deepEqual(
    text.split('\n').filter((line) => line.startsWith('fairlead')),
    [`fairlead_service_endpoint_connections_total${labels} 2`, `fairlead_service_endpoint_transmit_bytes_total${labels} 7`],
  );
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
