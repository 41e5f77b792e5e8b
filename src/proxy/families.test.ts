import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import { eventually } from '../clock/testing/eventually.ts';
import { FakeClock } from '../clock/testing/fake-clock.ts';
import { KnownError } from '../errors/known-error.ts';
import type { Iptables } from '../linux/iptables/iptables.ts';
import { FakeIptables } from '../linux/iptables/testing/fake-iptables.ts';
import type { TableFamily, Transaction } from '../linux/nftables/table.ts';
import { FakeNftables } from '../linux/testing/fake-nftables.ts';
import { type Log, silentLog } from '../observability/log.ts';
import { IptablesMode } from './mode/iptables/iptables-mode.ts';
import type { ServiceProxy } from './proxy.ts';
import { HandmadeCluster } from './testing/handmade-cluster.ts';
import { start, stopAll } from './testing/running-proxy.ts';

/** A kernel that may refuse the rules of one family. */
class OneSided extends FakeNftables {
  refused: TableFamily | undefined;

  override async commit(transaction: Transaction): Promise<void> {
    if (transaction.family === this.refused && transaction.table === 'kube-proxy') throw new KnownError('KERNEL_REFUSED', 'no');
    await super.commit(transaction);
  }

  served(family: TableFamily): string[] {
    return [...(this.table(family, 'kube-proxy')?.elements.get('services')?.keys() ?? [])];
  }
}

/** A node and a Service of each family, and a Service whose health load balancers ask for. */
function bothFamilies(): HandmadeCluster {
  const cluster = new HandmadeCluster();
  const addresses = ['192.168.120.11', 'fd00::11'].map((address) => ({ type: 'InternalIP', address }));
  cluster.nodes.put({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'node1' }, status: { addresses } });
  cluster.service('four', '10.96.0.4');
  cluster.endpoints('four', ['10.244.2.2']);
  cluster.service('six', 'fd00:96::6');
  cluster.endpoints('six', ['fd00:1::2']);
  return cluster;
}

const own: Readonly<Record<TableFamily, string>> = { ip: '10.96.0.4 . tcp . 80', ip6: 'fd00:96::6 . tcp . 80' };
const names: Readonly<Record<TableFamily, string>> = { ip: 'IPv4', ip6: 'IPv6' };

async function health(proxy: ServiceProxy): Promise<{ code: number; status: Record<string, { healthy: boolean }> }> {
  const answer = await fetch(`http://${proxy.healthzAddress}/healthz`);
  return { code: answer.status, ...((await answer.json()) as { status: Record<string, { healthy: boolean }> }) };
}

describe('a proxy of two families', () => {
  afterEach(stopAll);

  for (const refused of ['ip', 'ip6'] as const)
    test(`serves the other one when the kernel refuses ${names[refused]}, and says so, and ${names[refused]} as soon as it can`, async () => {
      const other = refused === 'ip' ? 'ip6' : 'ip';
      const kernel = new OneSided();
      kernel.refused = refused;
      let takeOvers = 0;
      const proxy = await start(bothFamilies(), kernel, {
        nodeIps: [],
        syncPeriodMs: 50,
        healthzAddress: '127.0.0.1:0',
        cleanOthers: async () => ++takeOvers > 0,
      });
      assert.deepEqual([kernel.served(refused), kernel.served(other)], [[], [own[other]]]);
      await eventually(async () => {
        const { code, status } = await health(proxy);
        assert.deepEqual([code, status[names[refused]]?.healthy, status[names[other]]?.healthy], [503, false, true]);
      });
      assert.equal(takeOvers, 0, 'rules of others may be all that serves it');
      const { transactions } = kernel;
      const before = transactions.length;
      kernel.refused = undefined;
      await eventually(() => assert.deepEqual(kernel.served(refused), [own[refused]]));
      await eventually(async () => (await health(proxy)).code === 200);
      await eventually(() => takeOvers === 1);
      assert.ok(
        transactions.slice(before).every(({ family }) => family === refused),
        'what was right is left alone',
      );
    });

  for (const refused of ['ip', 'ip6'] as const)
    test(`leaves the rules of other modes for as long as ${names[refused]} waits for its first ones`, async () => {
      const other = refused === 'ip' ? 'ip6' : 'ip';
      const clock = new FakeClock();
      const cluster = bothFamilies();
      const kernel = new OneSided();
      kernel.refused = refused;
      let takeOvers = 0;
      let isSettled = false;
      const starting = start(cluster, kernel, { nodeIps: [], clock, cleanOthers: async () => ++takeOvers > 0 });
      await eventually(() => clock.pending > 0);
      await clock.advance(600_000);
      const { settled } = await starting;
      void settled.then(() => {
        isSettled = true;
      });
      cluster.service('more', refused === 'ip' ? 'fd00:96::7' : '10.96.0.5');
      cluster.endpoints('more', [refused === 'ip' ? 'fd00:1::2' : '10.244.2.2']);
      await clock.advance(600_000);
      assert.equal(kernel.served(other).length, 2);
      assert.deepEqual([kernel.served(refused), takeOvers, isSettled], [[], 0, false]);
      kernel.refused = undefined;
      await clock.advance(60_000);
      await eventually(() => assert.deepEqual([kernel.served(refused), takeOvers, isSettled], [[own[refused]], 1, true]));
    });

  test('goes on with IPv4 where a part of IPv6 is not there, tells it once, and serves IPv6 when it is', async () => {
    const iptables = new FakeIptables();
    const features: Iptables['features'] = iptables.features.bind(iptables);
    let isMissing = true;
    let looks = 0;
    const here: Pick<Iptables, 'features'> = iptables;
    here.features = async (family) => {
      if (family === 'ip') return await features(family);
      looks++;
      if (isMissing) throw new KnownError('TOOL_MISSING', 'Cannot run "ip6tables": it is not installed');
      return await features(family);
    };
    let takeOvers = 0;
    const said: string[] = [];
    const log: Log = { ...silentLog, warn: (text) => void said.push(text), error: (text) => void said.push(text) };
    const settings = { read: () => '0', set: () => {} };
    const proxy = await start(bothFamilies(), new FakeNftables(), {
      nodeIps: [],
      rules: new IptablesMode({ iptables, settings }),
      syncPeriodMs: 50,
      healthzAddress: '127.0.0.1:0',
      log,
      cleanOthers: async () => ++takeOvers > 0,
    });
    assert.match(iptables.dump('ip'), /10\.96\.0\.4\/32/);
    await eventually(() => looks > 3);
    assert.deepEqual(said, ['Cannot serve IPv6 here, goes on without: Cannot run "ip6tables": it is not installed']);
    const { code, status } = await health(proxy);
    assert.deepEqual([code, Object.keys(status)], [200, ['IPv4']]);
    await eventually(() => takeOvers === 1);
    isMissing = false;
    await eventually(() => assert.match(iptables.dump('ip6'), /fd00:96::6\/128/));
    await eventually(async () => Object.keys((await health(proxy)).status).length === 2);
  });
});
