/**
 * kill -9 of a store while clients write, read and watch, again and again: `npm run bench -- storage-kills [--kills N] [--store NAME]`. Says how long each store
 * took to answer again, and every way in which what the clients saw is no history of one store. Exit code 1 if there is one.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { seededRandom } from '../../src/clock/testing/seeded-random.ts';
import { openStore } from '../../src/storage/open.ts';
import { StoreProcess } from '../../src/storage/sqlite/testing/store-process.ts';
import type { Store } from '../../src/storage/store.ts';
import { TestEtcd } from '../../src/storage/testing/etcd.ts';
import { violations } from '../../src/storage/testing/history/check.ts';
import { Workload } from '../../src/storage/testing/history/workload.ts';
import { TestRedis } from '../../src/storage/testing/redis.ts';

/** A store, and the process that keeps its data. */
interface Victim extends AsyncDisposable {
  readonly store: Store;
  kill(): Promise<void>;
  start(): Promise<void>;
}

async function sqlite(dir: string): Promise<Victim> {
  const store = new StoreProcess(join(dir, 'store.db'));
  await store.start();
  return { store, kill: () => store.kill(), start: () => store.start(), [Symbol.asyncDispose]: () => store.close() };
}

async function redis(): Promise<Victim> {
  const server = await TestRedis.start();
  const store = await openStore(server.url, {});
  const end = async (): Promise<void> => {
    await store.close();
    await server[Symbol.asyncDispose]();
  };
  return { store, kill: () => server.kill(), start: () => server.restart(), [Symbol.asyncDispose]: end };
}

/** Of several members another one is killed each time, while the others go on. */
async function etcd(members: number): Promise<Victim> {
  const servers = await TestEtcd.start({ members });
  const store = await openStore(servers.url(), {});
  let victim = 0;
  const end = async (): Promise<void> => {
    await store.close();
    await servers[Symbol.asyncDispose]();
  };
  const kill = (): Promise<void> => {
    victim = (victim + 1) % members;
    return servers.kill(victim);
  };
  return { store, kill, start: () => servers.start(victim), [Symbol.asyncDispose]: end };
}

const victims: Readonly<Record<string, (dir: string) => Promise<Victim>>> = { sqlite, redis, etcd: () => etcd(1), 'etcd-3': () => etcd(3) };

/** A history in one piece is judged in memory: so many kills each. */
const killsOfOneHistory = 25;

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
}

/** Says what was wrong. */
async function torment(
  open: (dir: string) => Promise<Victim>,
  kills: number,
  random: (n: number) => number,
  downMs: number[],
): Promise<string[]> {
  const dir = mkdtempSync(join(tmpdir(), 'fairlead-kills-'));
  try {
    await using victim = await open(dir);
    const workload = await Workload.start(victim.store, { random });
    for (let i = 0; i < kills; i++) {
      await workload.more(1 + random(200));
      const killed = performance.now();
      await victim.kill();
      await victim.start();
      await workload.more(1);
      downMs.push(performance.now() - killed);
    }
    return violations(await workload.history());
  } finally {
    rmSync(dir, { recursive: true });
  }
}

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '100' },
    store: { type: 'string', multiple: true },
    seed: { type: 'string', default: `${Date.now() % 1_000_000}` },
  },
});
const random = seededRandom(Number(values.seed));
console.log(`--seed ${values.seed}`);
for (const name of values.store ?? Object.keys(victims)) {
  const open = victims[name];
  if (!open) throw new Error(`There is no store "${name}": one of ${Object.keys(victims).join(', ')}`);
  const downMs: number[] = [];
  const wrong: string[] = [];
  for (let left = Number(values.kills); left > 0; left -= killsOfOneHistory)
    wrong.push(...(await torment(open, Math.min(left, killsOfOneHistory), random, downMs)));
  const answered = `answered again after ${median(downMs).toFixed(0)} ms (median), ${Math.max(...downMs).toFixed(0)} ms (longest)`;
  console.log(`${name}: ${downMs.length} kills, ${answered}, ${wrong.length} violations`);
  for (const one of wrong.slice(0, 20)) console.log(`  ${one}`);
  if (wrong.length > 0) process.exitCode = 1;
}
