import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { FakeClock } from '../../../clock/testing/fake-clock.ts';
import { FakeNftables } from '../../../linux/testing/fake-nftables.ts';
import type { NodeContext } from '../../plan/node-context.ts';
import type { EndpointAddress, Frontend, ServicePlan } from '../../plan/service-plan.ts';
import { sampleNode } from '../../testing/sample-node.ts';
import type { ModeRules, ServiceCount } from '../mode.ts';
import { tableName } from './layout.ts';
import { NftablesMode } from './nftables-mode.ts';

const node: NodeContext = { ...sampleNode, local: { mode: 'None' }, countsConnections: true };

const endpoint = (ip: string): EndpointAddress => ({ name: `${ip} . 8080`, ip, port: 8080, mayBeHere: false });

/** A Service at a cluster IP and a node port. */
function plan(name: string, ip: string, ...ips: readonly string[]): ServicePlan {
  const target = ips.length > 0 ? 'cluster' : 'refuse';
  const common = { inside: target, outside: target, masquerade: 'always' } as const;
  const frontends: Frontend[] = [
    { kind: 'cluster-ip', ip, port: 80, ...common },
    { kind: 'node-port', port: 30_000 + Number(ip.split('.')[3]), ...common },
  ];
  const port = { name: 'http', protocol: 'tcp', frontends, cluster: ips.map(endpoint), local: [], serving: new Set<string>() } as const;
  return { key: `n/${name}`, rank: name, clusterIp: ip, ports: [port] };
}

let nft: FakeNftables;
let mode: NftablesMode;
let rules: ModeRules;

async function put(...plans: readonly ServicePlan[]): Promise<void> {
  for (const one of plans) rules.put(one.key, one);
  await rules.sync();
}

async function start(context = node): Promise<void> {
  mode = new NftablesMode(nft, { clock: new FakeClock() });
  await mode.probe();
  rules = await mode.open(context);
}

const count = (set: 'connections' | 'refusals', key: string, packets: number): void => nft.count('ip', tableName, set, key, packets);
const keys = (set: string): string[] => [...(nft.table('ip', tableName)?.elements.get(set)?.keys() ?? [])];

type Told = { readonly [K in 'service' | 'connections' | 'refused' | 'endpoints']: ServiceCount[K] | undefined };

async function told(): Promise<Told[]> {
  const counts = (await rules.counts?.()) ?? [];
  return counts.map(({ service, connections, refused, endpoints }) => ({ service, connections, refused, endpoints }));
}

describe('what the table counted', () => {
  beforeEach(async () => {
    nft = new FakeNftables();
    await start();
  });

  test('is told by Service, over its cluster IP and its node port, and by endpoint', async () => {
    await put(plan('web', '10.96.0.1', '10.244.1.2', '10.244.2.2'), plan('idle', '10.96.0.2', '10.244.1.2'));
    count('connections', '10.96.0.1 . tcp . 80 . 10.244.1.2 . 8080', 1);
    count('connections', '192.168.120.11 . tcp . 30001 . 10.244.1.2 . 8080', 2);
    count('connections', '10.96.0.1 . tcp . 80 . 10.244.2.2 . 8080', 4);
    assert.deepEqual(await told(), [
      {
        service: 'n/web',
        connections: 7,
        refused: undefined,
        endpoints: [
          { endpoint: '10.244.1.2:8080', connections: 3 },
          { endpoint: '10.244.2.2:8080', connections: 4 },
        ],
      },
    ]);
  });

  test('takes a refusal at a node port for its Service, and one at the same port of another address for nobody', async () => {
    await put(plan('none', '10.96.0.1'));
    count('refusals', '10.96.0.1 . tcp . 80', 1);
    count('refusals', '192.168.120.11 . tcp . 30001', 2);
    count('refusals', '10.96.0.1 . tcp . 30001', 100);
    count('refusals', '10.96.0.1 . udp . 80', 100);
    assert.equal((await told())[0]?.refused, 3);
    assert.deepEqual(keys('refusals'), ['10.96.0.1 . tcp . 80', '192.168.120.11 . tcp . 30001']);
  });

  test('knows node ports by the Service ranges where every address of the node serves them', async () => {
    nft = new FakeNftables();
    await start({ ...node, nodePortIps: 'all' });
    await put(plan('none', '10.96.0.1'));
    count('refusals', '203.0.113.9 . tcp . 30001', 1);
    count('refusals', '10.96.0.7 . tcp . 30001', 100);
    assert.equal((await told())[0]?.refused, 1);
  });

  test('of other programs that translate destinations is taken away', async () => {
    await put(plan('web', '10.96.0.1', '10.244.1.2'));
    count('connections', '192.168.120.11 . tcp . 8080 . 172.17.0.2 . 80', 5);
    assert.deepEqual(await told(), []);
    assert.deepEqual(keys('connections'), []);
  });

  test('goes on when an endpoint goes, which is told no more', async () => {
    await put(plan('web', '10.96.0.1', '10.244.1.2', '10.244.2.2'));
    count('connections', '10.96.0.1 . tcp . 80 . 10.244.1.2 . 8080', 3);
    count('connections', '10.96.0.1 . tcp . 80 . 10.244.2.2 . 8080', 4);
    await put(plan('web', '10.96.0.1', '10.244.2.2'));
    const after = [{ service: 'n/web', connections: 7, refused: undefined, endpoints: [{ endpoint: '10.244.2.2:8080', connections: 4 }] }];
    assert.deepEqual(await told(), after);
    await start();
    await put(plan('web', '10.96.0.1', '10.244.2.2'));
    assert.deepEqual(await told(), after, 'and when the proxy starts again');
  });

  test('goes on when endpoints that are gone make room', async () => {
    await put(plan('web', '10.96.0.1', '10.244.2.2'));
    for (let i = 0; i < 32_768; i++) count('connections', `10.96.0.1 . tcp . 80 . 10.245.${i >> 8}.${i & 255} . 8080`, 1);
    assert.equal((await told())[0]?.connections, 32_768);
    assert.equal(keys('connections').length, 32_768);
    count('connections', '10.96.0.1 . tcp . 80 . 10.244.2.2 . 8080', 1);
    assert.equal((await told())[0]?.connections, 32_769);
    assert.deepEqual(keys('connections'), ['10.96.0.1 . tcp . 80 . 10.244.2.2 . 8080']);
    assert.equal((await told())[0]?.connections, 32_769);
  });

  test('is forgotten with the Service, before another gets its address', async () => {
    await put(plan('web', '10.96.0.1', '10.244.1.2'));
    count('connections', '10.96.0.1 . tcp . 80 . 10.244.1.2 . 8080', 3);
    await mode.verify();
    assert.equal(keys('connections').length, 1);
    rules.put('n/web', undefined);
    await rules.sync();
    await mode.verify();
    assert.deepEqual(keys('connections'), []);
    await put(plan('other', '10.96.0.1', '10.244.1.2'));
    assert.deepEqual(await told(), []);
  });

  test('is no drift: a full comparison leaves it', async () => {
    await put(plan('web', '10.96.0.1', '10.244.1.2'));
    count('connections', '10.96.0.1 . tcp . 80 . 10.244.1.2 . 8080', 3);
    rules.distrust();
    assert.deepEqual(await rules.sync(), { full: true, steps: 0 });
    assert.equal((await told())[0]?.connections, 3);
  });

  test('is nothing where it is not wanted, and what counted is taken away', async () => {
    await put(plan('web', '10.96.0.1', '10.244.1.2'));
    const { countsConnections: _, ...uncounted } = node;
    await start(uncounted);
    await put(plan('web', '10.96.0.1', '10.244.1.2'));
    assert.deepEqual(await told(), []);
    assert.doesNotMatch(nft.dump('ip', tableName), /counter|refusals|discard|connections/);
  });
});
