import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ServerTraffic } from '../../../linux/ipvs/ipvs.ts';
import type { Frontend, PortPlan, Protocol, ServicePlan } from '../../plan/service-plan.ts';
import { trafficOf } from './traffic.ts';

const frontend = (port: number, ip?: string): Frontend => ({
  kind: ip === undefined ? 'node-port' : 'cluster-ip',
  port,
  inside: 'cluster',
  outside: 'cluster',
  masquerade: 'always',
  ...(ip === undefined ? {} : { ip }),
});

function plan(key: string, protocol: Protocol, ...frontends: Frontend[]): ServicePlan {
  const port: PortPlan = { name: 'p', protocol, frontends, cluster: [], local: [], serving: new Set() };
  return { key, rank: '', ports: [port] };
}

const held = (ip: string, port: number, protocol: Protocol, connections: number): ServerTraffic => ({
  address: { kind: 'address', ip, port, protocol },
  connections,
  bytesIn: connections * 10,
  bytesOut: connections * 100,
});

test('a port has what all of its virtual servers counted, at its addresses and at every address that serves node ports', () => {
  const plans = [
    plan('n/web', 'tcp', frontend(80, '10.96.0.1'), frontend(80, '198.51.100.1'), frontend(30_080)),
    plan('n/dns', 'udp', frontend(80, '10.96.0.1'), frontend(30_080)),
    plan('n/idle', 'tcp', frontend(30_080, '10.96.0.9')),
  ];
  const traffic: ServerTraffic[] = [
    held('10.96.0.1', 80, 'tcp', 1),
    held('198.51.100.1', 80, 'tcp', 2),
    held('192.168.120.11', 30_080, 'tcp', 4),
    held('192.168.120.12', 30_080, 'tcp', 8),
    held('fd00::11', 30_080, 'tcp', 1000),
    held('10.96.0.1', 80, 'udp', 16),
    held('203.0.113.1', 443, 'tcp', 1000),
    { ...held('10.96.0.1', 80, 'tcp', 1000), address: { kind: 'mark', mark: 7, family: 4 } },
  ];
  const count = (service: string, protocol: Protocol, connections: number) => ({
    service,
    port: 'p',
    protocol,
    connections,
    received: connections * 10,
    sent: connections * 100,
    endpoints: [],
  });
  assert.deepEqual(trafficOf(plans, traffic, 'ip'), [count('n/web', 'tcp', 15), count('n/dns', 'udp', 16), count('n/idle', 'tcp', 0)]);
  assert.deepEqual(trafficOf([plan('n/web', 'tcp', frontend(30_080))], traffic, 'ip6'), [count('n/web', 'tcp', 1000)]);
});

test('an endpoint has what it counted behind all virtual servers of a port, and one that is gone is left out', () => {
  const [web] = [plan('n/web', 'tcp', frontend(80, '10.96.0.1'), frontend(30_080))];
  const endpoint = { name: '10.244.1.2 . 8080', ip: '10.244.1.2', port: 8080, mayBeHere: false };
  const port = {
    ...(web?.ports[0] as PortPlan),
    cluster: [endpoint],
    draining: [{ ...endpoint, name: '10.244.1.3 . 8080', ip: '10.244.1.3' }],
  };
  const real = (ip: string, connections: number) => ({
    ip,
    port: 8080,
    connections,
    bytesIn: connections * 10,
    bytesOut: connections * 100,
  });
  const reals = new Map([
    ['tcp 10.96.0.1 80', [real('10.244.1.2', 1), real('10.244.1.3', 2), real('10.244.1.9', 50), real('10.244.1.4', 0)]],
    ['tcp 192.168.120.11 30080', [real('10.244.1.2', 4)]],
  ]);
  const held80 = [held('10.96.0.1', 80, 'tcp', 53), held('192.168.120.11', 30_080, 'tcp', 4)];
  const [count] = trafficOf([{ key: 'n/web', rank: '', ports: [port] }], held80, 'ip', reals);
  assert.equal(count?.connections, 57);
  assert.deepEqual(count?.endpoints, [
    { endpoint: '10.244.1.2:8080', connections: 5, received: 50, sent: 500 },
    { endpoint: '10.244.1.3:8080', connections: 2, received: 20, sent: 200 },
  ]);
});
