import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { EndpointAddress } from '../plan/service-plan.ts';
import { type BalancedPort, PortBalancer } from './balancer.ts';

function endpoints(...numbers: readonly number[]): EndpointAddress[] {
  return numbers.map((n) => ({ name: `e${n}`, ip: `10.0.0.${n}`, port: 80, mayBeHere: false }));
}

function port(more: Partial<BalancedPort> = {}): BalancedPort {
  return { cluster: endpoints(1, 2, 3), local: endpoints(2), ...more };
}

function chosen(balancer: PortBalancer, times: number, client = 'c'): (string | undefined)[] {
  return Array.from({ length: times }, () => balancer.choose('cluster', client)?.name);
}

const now = (): number => 0;

describe('PortBalancer', () => {
  test('takes any endpoint by chance, by itself', () => {
    const draws = [0, 0.34, 0.99];
    const balancer = new PortBalancer(port(), { now, random: () => draws.shift() ?? 0 });
    assert.deepEqual(chosen(balancer, 3), ['e1', 'e2', 'e3']);
  });

  test('takes endpoints of the list that is asked for, and none when there is none', () => {
    assert.equal(new PortBalancer(port(), { now }).choose('local', 'c')?.name, 'e2');
    assert.equal(new PortBalancer(port({ local: [] }), { now }).choose('local', 'c'), undefined);
  });

  test('passes by those that failed', () => {
    const balancer = new PortBalancer(port(), { now });
    assert.equal(balancer.choose('cluster', 'c', new Set(['e1', 'e3']))?.name, 'e2');
    assert.equal(balancer.choose('cluster', 'c', new Set(['e1', 'e2', 'e3'])), undefined);
  });

  test('alternates exactly in turn', () => {
    const balancer = new PortBalancer(port({ algorithm: 'round-robin' }), { now });
    assert.deepEqual(chosen(balancer, 5), ['e1', 'e2', 'e3', 'e1', 'e2']);
    balancer.update(port({ algorithm: 'round-robin', cluster: endpoints(1, 2) }));
    assert.equal(new Set(chosen(balancer, 2)).size, 2);
  });

  test('takes the endpoint with fewest open connections', () => {
    const balancer = new PortBalancer(port({ algorithm: 'least-connection' }), { now });
    for (const name of ['e1', 'e2', 'e1']) balancer.opened(name);
    assert.deepEqual(chosen(balancer, 1), ['e3']);
    balancer.opened('e3');
    balancer.closed('e1');
    balancer.closed('e1');
    assert.deepEqual([chosen(balancer, 1), balancer.openTo('e1')], [['e1'], 0]);
  });

  test('keeps a client on one endpoint by its address, and moves only those whose endpoint went', () => {
    const balancer = new PortBalancer(port({ algorithm: 'source-hash', cluster: endpoints(1, 2, 3, 4) }), { now });
    const clients = Array.from({ length: 200 }, (_, i) => `10.1.0.${i}`);
    const before = new Map(clients.map((client) => [client, chosen(balancer, 2, client)]));
    for (const [first, second] of before.values()) assert.equal(first, second);
    const shares = Object.values(Object.groupBy([...before.values()], ([name]) => String(name))).map((all) => all?.length ?? 0);
    assert.ok(shares.length === 4 && shares.every((share) => share > 25), String(shares));
    balancer.update(port({ algorithm: 'source-hash', cluster: endpoints(1, 2, 4) }));
    for (const [client, [was]] of before)
      if (was !== 'e3') assert.equal(balancer.choose('cluster', client)?.name, was);
      else assert.notEqual(balancer.choose('cluster', client)?.name, 'e3');
  });

  test('keeps a client with session affinity for its time, from its last connection on', () => {
    let time = 0;
    const draws = [0, 0.9, 0.9];
    const balancer = new PortBalancer(port({ affinitySeconds: 10 }), { now: () => time, random: () => draws.shift() ?? 0.5 });
    assert.deepEqual(chosen(balancer, 2), ['e1', 'e1']);
    time = 9_000;
    assert.deepEqual(chosen(balancer, 1), ['e1']);
    time = 19_000;
    assert.deepEqual(chosen(balancer, 1), ['e1']);
    time = 29_001;
    assert.deepEqual(chosen(balancer, 1), ['e3']);
    assert.deepEqual(chosen(balancer, 1, 'other'), ['e3']);
  });

  test('gives a client another endpoint when its own is gone or failed', () => {
    const balancer = new PortBalancer(port({ affinitySeconds: 10 }), { now, random: () => 0 });
    assert.deepEqual(chosen(balancer, 1), ['e1']);
    assert.equal(balancer.choose('cluster', 'c', new Set(['e1']))?.name, 'e2');
    assert.deepEqual(chosen(balancer, 1), ['e2']);
    balancer.update(port({ affinitySeconds: 10, cluster: endpoints(3) }));
    assert.deepEqual(chosen(balancer, 1), ['e3']);
  });
});
