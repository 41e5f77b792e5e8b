import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Frontend, ServicePlan } from '../plan/service-plan.ts';
import { sampleNode } from '../testing/sample-node.ts';
import { frontendOf, MetTallies, PastCounts } from './met-tallies.ts';
import { talliesOf } from './tallies.ts';

const common = { inside: 'cluster', outside: 'cluster', masquerade: 'always' } as const;

function plan(name: string, ip: string, ...ips: readonly string[]): ServicePlan {
  const frontends: Frontend[] = [
    { kind: 'cluster-ip', ip, port: 80, ...common },
    { kind: 'node-port', port: 30_001, ...common },
  ];
  const cluster = ips.map((one) => ({ name: `${one} . 8080`, ip: one, port: 8080, mayBeHere: false }));
  const port = { name: 'http', protocol: 'tcp', frontends, cluster, local: [], serving: new Set<string>() } as const;
  return { key: `n/${name}`, rank: name, ports: [port] };
}

const web = plan('web', '10.96.0.1', '10.244.1.2');
const pair = (to: string, endpoint = '10.244.1.2'): string => `${to} . ${endpoint} . 8080`;
const amounts = { connections: 1, received: 10, sent: 100 };

function gather(past: PastCounts, pairs: readonly string[], needsRoom = false, plans = [web]) {
  const met = new MetTallies(plans, sampleNode, { frontends: pairs.map(frontendOf), past: [past] });
  const counted = pairs.map((one) => [one, amounts] as const);
  const gone = past.addTo(met, counted, needsRoom);
  return { gone, counts: Array.from(met.all, ({ count }) => count) };
}

describe('counts of pairs', () => {
  test('go to the port that has the frontend, or the node port at an address of the node', () => {
    const { gone, counts } = gather(new PastCounts(), [pair('10.96.0.1 . tcp . 80'), pair('192.168.120.11 . tcp . 30001')]);
    assert.deepEqual(gone, []);
    const sum = { connections: 2, received: 20, sent: 200 };
    assert.deepEqual(counts, [
      { service: 'n/web', port: 'http', protocol: 'tcp', ...sum, endpoints: [{ endpoint: '10.244.1.2:8080', ...sum }] },
    ]);
  });

  test('of nobody are to be taken away', () => {
    const pairs = [pair('10.96.0.9 . tcp . 80'), pair('10.96.0.9 . tcp . 30001'), pair('10.96.0.1 . udp . 80')];
    const { gone, counts } = gather(new PastCounts(), pairs);
    assert.deepEqual(gone, pairs);
    assert.ok(counts.every(({ connections }) => connections === 0));
  });

  test('of an endpoint that is gone stay in the sum of their port, also once they made room', () => {
    const past = new PastCounts();
    const old = pair('10.96.0.1 . tcp . 80', '10.244.1.9');
    assert.deepEqual(gather(past, [old]).gone, []);
    const { gone, counts } = gather(past, [old, pair('10.96.0.1 . tcp . 80')], true);
    assert.deepEqual(gone, [old]);
    assert.deepEqual([counts[0]?.connections, counts[0]?.received, counts[0]?.sent], [2, 20, 200]);
    assert.deepEqual(
      counts[0]?.endpoints?.map(({ connections }) => connections),
      [1],
    );
    assert.equal(gather(past, []).counts[0]?.received, 10);
    gather(past, [old], true);
    assert.deepEqual(
      gather(past, []).counts.map(({ sent }) => sent),
      [200],
    );
  });

  test('of the past go with their Service', () => {
    const past = new PastCounts();
    gather(past, [pair('10.96.0.1 . tcp . 80', '10.244.1.9')], true);
    assert.equal(past.size, 1);
    assert.deepEqual(gather(past, [], false, []).counts, []);
  });

  test('are added to tallies that are there', () => {
    const known = talliesOf([web]);
    const past = new PastCounts();
    const met = new MetTallies([web], sampleNode, { frontends: ['10.96.0.1 . tcp . 80'], past: [past], known });
    past.addTo(met, [[pair('10.96.0.1 . tcp . 80'), amounts]], false);
    assert.equal(known[0]?.count.received, 10);
  });
});
