/**
 * The machine dies without which the store takes no write until the others agree on another one: an API server is gone with it, and a client that does as kubectl
 * does asks once more at most.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { configMaps } from '../../src/api/resource-types.ts';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { TestEtcd } from '../../src/storage/testing/etcd.ts';
import { TestRedis } from '../../src/storage/testing/redis.ts';
import { Ledger } from '../e2e/testing/ledger.ts';
import { type Engine, Machines } from './testing/machines.ts';

/** Longer than the lab's: on a busy machine a short silence would replace a primary that lives. */
const downAfterMs = 6_000;

async function redisOfThree(): Promise<Engine> {
  const primary = await TestRedis.start();
  const replicaof = `127.0.0.1 ${primary.port}`;
  const servers = [primary, await TestRedis.start({ replicaof }), await TestRedis.start({ replicaof })];
  const info = async (server: TestRedis, section: string): Promise<string> => String(await server.command('INFO', section));
  for (const replica of servers.slice(1))
    await eventually('a replica', async () => (await info(replica, 'replication')).includes('master_link_status:up'));
  const sentinels: TestRedis[] = [];
  for (const _ of servers) sentinels.push(await TestRedis.startSentinel(primary, 2, downAfterMs));
  for (const sentinel of sentinels)
    await eventually('the sentinels to know each other', async () => /slaves=2,sentinels=3/.test(await info(sentinel, 'sentinel')));
  return {
    url(machine) {
      const ports = [sentinels[machine]!, ...sentinels.toSpliced(machine, 1)].map(({ port }) => `127.0.0.1:${port}`);
      return `redis+sentinel://${ports.join(',')}/mymaster?wait-replicas=1`;
    },
    chief: async () => 0,
    async kill(machine) {
      await Promise.all([servers[machine]!.kill(), sentinels[machine]!.kill()]);
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...servers, ...sentinels].map((one) => one[Symbol.asyncDispose]()));
    },
  };
}

interface MemberStatus {
  readonly Status: { readonly header: { readonly member_id: number }; readonly leader: number };
}

async function etcdOfThree(): Promise<Engine> {
  const etcd = await TestEtcd.start({ members: 3 });
  return {
    url: (machine) => `etcd=${[etcd.endpoints[machine]!, ...etcd.endpoints.toSpliced(machine, 1)].join(',')}`,
    async chief() {
      const text = execFileSync('etcdctl', ['--endpoints', etcd.endpoints.join(','), 'endpoint', 'status', '--write-out', 'json']);
      const members = JSON.parse(text.toString()) as readonly MemberStatus[];
      return members.findIndex(({ Status }) => Status.header.member_id === Status.leader);
    },
    kill: (machine) => etcd.kill(machine),
    [Symbol.asyncDispose]: () => etcd[Symbol.asyncDispose](),
  };
}

const engines: Readonly<Record<string, () => Promise<Engine>>> = { Redis: redisOfThree, etcd: etcdOfThree };

describe('of three control planes the one dies that the store cannot do without for a moment,', () => {
  for (const [name, start] of Object.entries(engines))
    test(`over ${name}, and nobody asks more than once again`, async (t) => {
      await using machines = await Machines.start(await start());
      await using ledger = await Ledger.open(machines.kubeconfig, 3);
      const stop = new AbortController();
      const read = async (): Promise<void> => {
        while (!stop.signal.aborted) {
          // What fails in the end is among the failures.
          await ledger.ask('a list', () => ledger.client.list(configMaps, { namespace: 'default' })).catch(() => {});
          await sleep(20);
        }
      };
      const reading = read();
      await ledger.more(5);
      ledger.slowest = 0;
      await machines.kill(await machines.engine.chief());
      await ledger.more(20);
      await ledger.check();
      stop.abort();
      await reading;
      const { retried, mostAttempts, slowest } = ledger;
      t.diagnostic(
        `${retried} requests were asked more than once, at most ${mostAttempts} times; the slowest write took ${Math.round(slowest)} ms`,
      );
      assert.deepEqual(ledger.failures, []);
      assert.ok(mostAttempts <= 2, `a request was asked ${mostAttempts} times`);
    });
});
