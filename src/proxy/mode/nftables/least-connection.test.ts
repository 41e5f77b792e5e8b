import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { eventually } from '../../../clock/testing/eventually.ts';
import { FakeClock } from '../../../clock/testing/fake-clock.ts';
import { type FlowFilter, IPPROTO } from '../../../linux/netlink/tracked-flow.ts';
import { FakeNftables } from '../../../linux/testing/fake-nftables.ts';
import type { Frontend, ServicePlan } from '../../plan/service-plan.ts';
import { bareNode as node } from '../../testing/sample-node.ts';
import { type CountedFlow, countConnections, filtersOf } from '../least-connection.ts';
import { tableName } from './layout.ts';
import { NftablesMode } from './nftables-mode.ts';

function plan(name: string, ips: readonly string[], endpoints: readonly string[] = [], nodePort?: number): ServicePlan {
  const target = { inside: 'cluster', outside: 'cluster', masquerade: 'always' } as const;
  const frontends: Frontend[] = ips.map((ip) => ({ kind: 'cluster-ip', ip, port: 80, ...target }));
  if (nodePort !== undefined) frontends.push({ kind: 'node-port', port: nodePort, ...target });
  const cluster = endpoints.map((ip) => ({ name: `${ip} . 8080`, ip, port: 8080, mayBeHere: false }));
  return {
    key: `n/${name}`,
    rank: name,
    algorithm: 'least-connection',
    ports: [{ name: '', protocol: 'tcp', frontends, cluster, local: [], serving: new Set() }],
  };
}

let ids = 0;
/** A connection that asked for `to` and is answered by `by`. */
function flow(to: string, port: number, by: string, more: Partial<CountedFlow> = {}): CountedFlow {
  const client = { src: '192.0.2.1', srcPort: 40_000 };
  return {
    protocol: IPPROTO.tcp,
    orig: { ...client, dst: to, dstPort: port },
    reply: { src: by, srcPort: 8080, dst: client.src, dstPort: client.srcPort },
    id: ++ids,
    isClosing: false,
    ...more,
  };
}

describe('filtersOf()', () => {
  test('asks for each address once, and for node ports by their number', () => {
    const plans = [plan('a', ['10.96.0.1', '198.51.100.1'], [], 30_080), plan('b', ['10.96.0.1'])];
    assert.deepEqual(filtersOf(plans), [{ to: '10.96.0.1' }, { to: '198.51.100.1' }, { protocol: 6, port: 30_080 }]);
  });
  test('asks for all at once when there are many', () => {
    const ips = ['10.96.0.1', '10.96.0.2', '10.96.0.3', '10.96.0.4'];
    assert.equal(filtersOf([plan('a', ips)]).length, 4);
    assert.deepEqual(filtersOf([plan('a', [...ips, '10.96.0.5'])]), ['translated']);
  });
});

describe('countConnections()', () => {
  const plans = [plan('a', ['10.96.0.1'], [], 30_080), plan('b', ['10.96.0.2'])];
  const counted = (flows: CountedFlow[], before: ReturnType<typeof countConnections> = new Map()): Record<string, unknown> =>
    Object.fromEntries(
      [...countConnections(plans, flows, before)].map(([port, { connections, expected }]) => [
        port,
        [Object.fromEntries(connections), expected],
      ]),
    );

  test('counts by endpoint, whichever frontend was asked, and each connection once', () => {
    const twice = flow('10.96.0.1', 80, '10.244.1.2');
    const flows = [twice, twice, flow('192.168.120.11', 30_080, '10.244.1.2'), flow('10.96.0.1', 80, '10.244.1.3')];
    assert.deepEqual(counted(flows), {
      'n/a:/tcp': [{ '10.244.1.2 . 8080': 2, '10.244.1.3 . 8080': 1 }, 0],
      'n/b:/tcp': [{}, 0],
    });
  });

  test('counts one that ends for little, and none of another port or protocol', () => {
    const flows = [
      flow('10.96.0.1', 80, '10.244.1.2', { isClosing: true }),
      flow('10.96.0.1', 81, '10.244.1.2'),
      flow('10.96.0.1', 80, '10.244.1.2', { protocol: IPPROTO.udp }),
      flow('10.96.0.9', 80, '10.244.1.2'),
    ];
    assert.deepEqual(counted(flows)['n/a:/tcp'], [{ '10.244.1.2 . 8080': 1 / 256 }, 0]);
  });

  test('expects as many as came since the last time', () => {
    const old = flow('10.96.0.1', 80, '10.244.1.2');
    const before = countConnections(plans, [old], new Map());
    const now = [old, flow('10.96.0.1', 80, '10.244.1.3'), flow('10.96.0.1', 80, '10.244.1.3')];
    assert.deepEqual(counted(now, before)['n/a:/tcp'], [{ '10.244.1.2 . 8080': 1, '10.244.1.3 . 8080': 2 }, 2]);
  });

  test('expects as many to end as ended since the last time, also of those that came in between', () => {
    const [stays, ends] = [flow('10.96.0.1', 80, '10.244.1.2'), flow('10.96.0.1', 80, '10.244.1.2')];
    const before = countConnections(plans, [stays, ends], new Map());
    const short = flow('10.96.0.1', 80, '10.244.1.3', { isClosing: true });
    const ending = countConnections(plans, [stays, short, flow('10.96.0.1', 80, '10.244.1.4')], before).get('n/a:/tcp')?.ending;
    assert.deepEqual(Object.fromEntries(ending ?? []), { '10.244.1.2 . 8080': 1, '10.244.1.3 . 8080': 1 - 1 / 256 });
  });
});

describe('least-connection in a table', () => {
  /** How many slots each endpoint has at the cluster IP of Service a. */
  const slots = (nft: FakeNftables): Record<string, number> => {
    const counts: Record<string, number> = {};
    for (const [key, endpoint] of nft.table('ip', tableName)?.elements.get('endpoints') ?? [])
      if (key.startsWith('10.96.0.1 ')) counts[endpoint] = (counts[endpoint] ?? 0) + 1;
    return counts;
  };
  /** Once the next count is due. */
  const holds = async (nft: FakeNftables, clock: FakeClock, wanted: Record<string, number>): Promise<void> => {
    await eventually(() => clock.pending === 1);
    assert.deepEqual(slots(nft), wanted);
  };
  const three = ['10.244.1.2', '10.244.1.3', '10.244.1.4'];

  test('weighs as connections are counted, each second, and asks no more when no Service wants it', async () => {
    const nft = new FakeNftables();
    const clock = new FakeClock();
    let flows: CountedFlow[] = [];
    let asked = 0;
    const connections = {
      flowsOf: async (family: number, filter: FlowFilter) => {
        asked++;
        assert.deepEqual([family, filter], [4, { to: '10.96.0.1' }]);
        return flows;
      },
      close: () => {},
    };
    const mode = new NftablesMode(nft, { clock, connections });
    const rules = await mode.open(node);
    rules.put('n/a', plan('a', ['10.96.0.1'], three));
    await rules.sync();
    assert.deepEqual(slots(nft), { '10.244.1.2 . 8080': 22, '10.244.1.3 . 8080': 21, '10.244.1.4 . 8080': 21 });
    flows = [flow('10.96.0.1', 80, '10.244.1.2'), flow('10.96.0.1', 80, '10.244.1.3')];
    await clock.advance(999);
    assert.equal(asked, 0);
    await clock.advance(1);
    await holds(nft, clock, { '10.244.1.4 . 8080': 64 });
    flows.push(...[1, 2, 3].map(() => flow('10.96.0.1', 80, '10.244.1.4')));
    await clock.advance(1000);
    await holds(nft, clock, { '10.244.1.2 . 8080': 32, '10.244.1.3 . 8080': 32 });
    assert.deepEqual(await rules.sync(), { full: false, steps: 0 });
    rules.put('n/a', { ...plan('a', ['10.96.0.1'], three), algorithm: 'round-robin' });
    await rules.sync();
    assert.deepEqual(slots(nft), { '10.244.1.2 . 8080': 1, '10.244.1.3 . 8080': 1, '10.244.1.4 . 8080': 1 });
    await clock.advance(1000);
    await eventually(() => clock.pending === 0);
    const before = asked;
    await clock.advance(5000);
    assert.equal(asked, before);
    mode.close();
  });

  test('gives an endpoint that comes its connections, and one that goes none, before the next count', async () => {
    const nft = new FakeNftables();
    const clock = new FakeClock();
    const connections = { flowsOf: async () => three.map((ip) => flow('10.96.0.1', 80, ip)), close: () => {} };
    const mode = new NftablesMode(nft, { clock, connections });
    const rules = await mode.open(node);
    rules.put('n/a', plan('a', ['10.96.0.1'], three));
    await rules.sync();
    await clock.advance(1000);
    await eventually(() => clock.pending === 1);
    rules.put('n/a', plan('a', ['10.96.0.1'], [...three.slice(1), '10.244.1.9']));
    await rules.sync();
    assert.deepEqual(slots(nft), { '10.244.1.9 . 8080': 64 });
    mode.close();
    assert.equal(clock.pending, 0);
  });

  test('goes on with what it has while the kernel does not answer, and leaves what it cannot change to the next sync', async () => {
    const nft = new FakeNftables();
    const clock = new FakeClock();
    let answer = async (): Promise<CountedFlow[]> => Promise.reject(new Error('away'));
    const mode = new NftablesMode(nft, { clock, connections: { flowsOf: () => answer(), close: () => {} } });
    const rules = await mode.open(node);
    rules.put('n/a', plan('a', ['10.96.0.1'], three));
    await rules.sync();
    const before = slots(nft);
    await clock.advance(1000);
    assert.deepEqual(slots(nft), before);
    answer = async () => three.slice(1).map((ip) => flow('10.96.0.1', 80, ip));
    await mode.cleanUp();
    await clock.advance(1000);
    await eventually(() => clock.pending === 1);
    const { full } = await rules.sync();
    assert.ok(full);
    assert.deepEqual(slots(nft), { '10.244.1.2 . 8080': 64 });
    mode.close();
  });

  test('spreads evenly when nothing can be counted, whatever an earlier proxy left', async () => {
    const nft = new FakeNftables();
    const clock = new FakeClock();
    const counting = { flowsOf: async () => three.slice(1).map((ip) => flow('10.96.0.1', 80, ip)), close: () => {} };
    const earlier = new NftablesMode(nft, { clock, connections: counting });
    const before = await earlier.open(node);
    before.put('n/a', plan('a', ['10.96.0.1'], three));
    await before.sync();
    await clock.advance(1000);
    await holds(nft, clock, { '10.244.1.2 . 8080': 64 });
    earlier.close();
    const mode = new NftablesMode(nft, { clock, connections: { flowsOf: () => Promise.reject(new Error('away')), close: () => {} } });
    const rules = await mode.open(node);
    rules.put('n/a', plan('a', ['10.96.0.1'], three));
    assert.deepEqual(await rules.sync(), { full: true, steps: 0 });
    await clock.advance(1000);
    await holds(nft, clock, { '10.244.1.2 . 8080': 22, '10.244.1.3 . 8080': 21, '10.244.1.4 . 8080': 21 });
    mode.close();
  });

  test('leaves doubts about the kernel that come while weights change to the next sync', async () => {
    const nft = new FakeNftables();
    const clock = new FakeClock();
    const flows = [flow('10.96.0.1', 80, '10.244.1.2')];
    const mode = new NftablesMode(nft, { clock, connections: { flowsOf: async () => flows, close: () => {} } });
    const rules = await mode.open(node);
    rules.put('n/a', plan('a', ['10.96.0.1'], three));
    await rules.sync();
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    const commit = nft.commit.bind(nft);
    let isHeld = false;
    nft.commit = async (transaction) => {
      isHeld = true;
      await held;
      return commit(transaction);
    };
    await clock.advance(1000);
    await eventually(() => isHeld);
    rules.distrust();
    release();
    assert.deepEqual(await rules.sync(), { full: true, steps: 0 });
    mode.close();
  });

  test('counts more seldom when it takes long', async () => {
    const clock = new FakeClock();
    let asked = 0;
    const connections = {
      flowsOf: async () => {
        asked++;
        await clock.sleep(100);
        return [];
      },
      close: () => {},
    };
    const mode = new NftablesMode(new FakeNftables(), { clock, connections });
    const rules = await mode.open(node);
    rules.put('n/a', plan('a', ['10.96.0.1'], three));
    await rules.sync();
    await clock.advance(1100);
    assert.equal(asked, 1);
    await clock.advance(1999);
    assert.equal(asked, 1);
    await clock.advance(1);
    assert.equal(asked, 2);
    mode.close();
  });
});
