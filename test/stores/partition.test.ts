/** Stores whose packets are dropped without a word, each server and the clients in a network namespace of their own. */
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { cannotMakeNamespaces, Namespaces } from '../../src/linux/testing/namespaces.ts';
import { TestEtcd } from '../../src/storage/testing/etcd.ts';
import type { Place } from '../../src/storage/testing/place.ts';
import { TestRedis } from '../../src/storage/testing/redis.ts';
import { RemoteWorkload } from './testing/remote-workload.ts';

const client = '192.168.120.9';

/** Machines on one network, with the clients on another one of it. */
class Network {
  readonly #namespaces = new Namespaces();
  readonly #servers: readonly string[];

  private constructor(servers: readonly string[]) {
    this.#servers = servers;
  }

  static async make(t: TestContext, servers: number): Promise<Network> {
    const network = new Network(Array.from({ length: servers }, (_, i) => `192.168.120.${11 + i}`));
    t.after(() => network.#namespaces[Symbol.asyncDispose]());
    const nodes = network.#servers.map((address, i) => [`s${i}`, address] as const);
    await network.#namespaces.underlay('net', { ...Object.fromEntries(nodes), client });
    return network;
  }

  within(node: string): string[] {
    return ['nsenter', `--net=${this.#namespaces.path(node)}`, '--'];
  }

  get places(): Place[] {
    return this.#servers.map((host, i) => ({ host, within: this.within(`s${i}`) }));
  }

  /** Drops what comes to a node from these addresses and what goes to them; nobody is told. */
  async cut(node: string, ...others: readonly string[]): Promise<void> {
    const addresses = others.join(', ');
    const rules = `table ip cut {
      chain in { type filter hook input priority 0; ip saddr { ${addresses} } drop; }
      chain out { type filter hook output priority 0; ip daddr { ${addresses} } drop; }
    }`;
    const { code, stderr } = await this.#namespaces.run(node, 'nft', ['-f', '-'], rules);
    assert.equal(code, 0, stderr);
  }

  async heal(node: string): Promise<void> {
    await this.#namespaces.run(node, 'nft', ['delete', 'table', 'ip', 'cut']);
  }

  /** All servers but one. */
  othersThan(server: number): string[] {
    return this.#servers.toSpliced(server, 1);
  }

  get servers(): readonly string[] {
    return this.#servers;
  }
}

/** Cuts the clients off until they were told so, and then goes on. */
async function cutOffClients(network: Network, workload: RemoteWorkload): Promise<void> {
  const before = Object.values(await workload.failures()).reduce((sum, count) => sum + count, 0);
  await network.cut('client', ...network.servers);
  await eventually(
    'calls to fail',
    async () => Object.values(await workload.failures()).reduce((sum, count) => sum + count, 0) > before + 8,
  );
  await network.heal('client');
  await workload.more(100);
}

describe('a store whose packets are dropped', { skip: cannotMakeNamespaces, concurrency: true }, () => {
  test('in etcd has one history over a member that is cut off, one that its peers do not hear, and a client that is', async (t) => {
    const network = await Network.make(t, 3);
    await using etcd = await TestEtcd.start({ members: 3, places: network.places });
    const workload = await RemoteWorkload.start(t, etcd.url(), { within: network.within('client') });
    await workload.more(50);
    for (const member of [0, 1, 2]) {
      await network.cut(`s${member}`, client, ...network.othersThan(member));
      await workload.more(100);
      await network.heal(`s${member}`);
      await network.cut(`s${member}`, ...network.othersThan(member));
      await workload.more(100);
      await network.heal(`s${member}`);
    }
    await cutOffClients(network, workload);
    await workload.assertFailures();
    assert.deepEqual(await workload.violations(), []);
  });

  test('in Redis has one history over a time without an answer', async (t) => {
    const network = await Network.make(t, 1);
    await using redis = await TestRedis.start({ 'protected-mode': 'no' }, network.places[0]!);
    const workload = await RemoteWorkload.start(t, redis.url, { within: network.within('client') });
    await workload.more(50);
    await cutOffClients(network, workload);
    await workload.assertFailures();
    assert.deepEqual(await workload.violations(), []);
  });
});
