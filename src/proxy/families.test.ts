import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import { eventually } from '../clock/testing/eventually.ts';
import { FakeClock } from '../clock/testing/fake-clock.ts';
import { KnownError } from '../errors/known-error.ts';
import { FakeIptables } from '../linux/iptables/testing/fake-iptables.ts';
import { type TableFamily, type Transaction, tableFamilies } from '../linux/nftables/table.ts';
import { FakeNftables } from '../linux/testing/fake-nftables.ts';
import { type Log, silentLog } from '../observability/log.ts';
import { IptablesMode } from './mode/iptables/iptables-mode.ts';
import type { ProxyOptions } from './options.ts';
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
    const slots = this.table(family, 'kube-proxy')?.elements.get('endpoints')?.keys() ?? [];
    return [...new Set(Array.from(slots, (key) => key.slice(0, key.lastIndexOf(' . '))))];
  }
}

/** A node with these addresses, and a Service of each family. */
function bothFamilies(ips: readonly string[] = ['192.168.120.11', 'fd00::11']): HandmadeCluster {
  const cluster = new HandmadeCluster();
  const addresses = ips.map((address) => ({ type: 'InternalIP', address }));
  cluster.nodes.put({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'node1' }, status: { addresses } });
  cluster.service('four', '10.96.0.4');
  cluster.endpoints('four', ['10.244.2.2']);
  cluster.service('six', 'fd00:96::6');
  cluster.endpoints('six', ['fd00:1::2']);
  return cluster;
}

const own: Readonly<Record<TableFamily, string>> = { ip: '10.96.0.4 . tcp . 80', ip6: 'fd00:96::6 . tcp . 80' };
const names: Readonly<Record<TableFamily, string>> = { ip: 'IPv4', ip6: 'IPv6' };

/** Takes the rules of other modes away, which is noted. */
function noting(takeOvers: string[]): NonNullable<ProxyOptions['cleanOthers']> {
  return async (_own, _log, _options, families = tableFamilies) => takeOvers.push(families.join()) > 0;
}

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
      const takeOvers: string[] = [];
      const proxy = await start(bothFamilies(), kernel, {
        nodeIps: [],
        syncPeriodMs: 50,
        healthzAddress: '127.0.0.1:0',
        cleanOthers: noting(takeOvers),
      });
      assert.deepEqual([kernel.served(refused), kernel.served(other)], [[], [own[other]]]);
      await eventually(async () => {
        const { code, status } = await health(proxy);
        assert.deepEqual([code, status[names[refused]]?.healthy, status[names[other]]?.healthy], [503, false, true]);
      });
      await eventually(() => takeOvers.length > 0);
      assert.deepEqual(takeOvers, [other], 'rules of others may be all that serves it');
      const { transactions } = kernel;
      const before = transactions.length;
      kernel.refused = undefined;
      await eventually(() => assert.deepEqual(kernel.served(refused), [own[refused]]));
      await eventually(async () => (await health(proxy)).code === 200);
      await eventually(() => assert.deepEqual(takeOvers, [other, refused]));
      assert.ok(
        transactions.slice(before).every(({ family }) => family === refused),
        'what was right is left alone',
      );
    });

  for (const refused of ['ip', 'ip6'] as const)
    test(`leaves the ${names[refused]} rules of other modes for as long as it waits for its first ones`, async () => {
      const other = refused === 'ip' ? 'ip6' : 'ip';
      const clock = new FakeClock();
      const cluster = bothFamilies();
      const kernel = new OneSided();
      kernel.refused = refused;
      const takeOvers: string[] = [];
      let isSettled = false;
      const starting = start(cluster, kernel, { nodeIps: [], clock, cleanOthers: noting(takeOvers) });
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
      assert.deepEqual([kernel.served(refused), takeOvers, isSettled], [[], [other], false]);
      kernel.refused = undefined;
      await clock.advance(60_000);
      await eventually(() => assert.deepEqual([kernel.served(refused), takeOvers, isSettled], [[own[refused]], [other, refused], true]));
    });

  /** A proxy on a machine that lacks the tools of one family. */
  async function lacking(family: TableFamily, ips: readonly string[]) {
    const iptables = new FakeIptables();
    iptables.lacking = family;
    const features = iptables.features.bind(iptables);
    const looks: TableFamily[] = [];
    iptables.features = async (one) => {
      looks.push(one);
      return await features(one);
    };
    const takeOvers: string[] = [];
    const said: string[] = [];
    const log: Log = { ...silentLog, warn: (text) => void said.push(text), error: (text) => void said.push(text) };
    const settings = { read: () => '0', set: () => {} };
    const proxy = await start(bothFamilies(ips), new FakeNftables(), {
      nodeIps: [],
      rules: new IptablesMode({ iptables, settings }),
      syncPeriodMs: 50,
      healthzAddress: '127.0.0.1:0',
      log,
      cleanOthers: noting(takeOvers),
    });
    return { iptables, looks, takeOvers, said, proxy };
  }

  const clusterIps: Readonly<Record<TableFamily, RegExp>> = { ip: /10\.96\.0\.4\/32/, ip6: /fd00:96::6\/128/ };
  const spare: readonly (readonly [family: TableFamily, node: string, ips: readonly string[]])[] = [
    ['ip6', 'of both', ['192.168.120.11', 'fd00::11']],
    ['ip', 'whose first address is of IPv6', ['fd00::11', '192.168.120.11']],
    ['ip', 'of IPv6 alone', ['fd00::11']],
  ];
  for (const [family, what, ips] of spare)
    test(`goes on where a part of ${names[family]} is not there on a node ${what}, tells it once, and serves ${names[family]} when it is`, async () => {
      const other = family === 'ip' ? 'ip6' : 'ip';
      const { iptables, looks, takeOvers, said, proxy } = await lacking(family, ips);
      assert.match(iptables.dump(other), clusterIps[other]);
      await eventually(() => looks.filter((one) => one === family).length > 3);
      const tool = `${family}tables`;
      assert.deepEqual(said, [`Cannot serve ${names[family]} here, goes on without: Cannot run "${tool}": it is not installed`]);
      const { code, status } = await health(proxy);
      assert.deepEqual([code, Object.keys(status)], [200, [names[other]]]);
      await eventually(() => assert.deepEqual(takeOvers, ['ip,ip6']));
      iptables.lacking = undefined;
      await eventually(() => assert.match(iptables.dump(family), clusterIps[family]));
      await eventually(async () => Object.keys((await health(proxy)).status).length === 2);
    });

  test('says that IPv6 waits on a node of IPv6 alone that lacks a part of it, and leaves its rules of other modes until then', async () => {
    const { iptables, takeOvers, said, proxy } = await lacking('ip6', ['fd00::11']);
    await eventually(async () => assert.equal((await health(proxy)).code, 503));
    assert.match(said[0] ?? '', /^Cannot apply the rules, will try again in .*: Cannot run "ip6tables"/);
    assert.deepEqual(takeOvers, ['ip']);
    iptables.lacking = undefined;
    await eventually(() => assert.match(iptables.dump('ip6'), clusterIps.ip6));
    await eventually(() => assert.deepEqual(takeOvers, ['ip', 'ip6']));
    await eventually(async () => (await health(proxy)).code === 200);
  });
});
