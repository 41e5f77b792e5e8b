/**
 * Writes per second of the stores, end to end: `node src/storage/bench.ts [SECONDS] [sqlite|etcd|redis]`, all of them by default. Files lie
 * in the folder of TMPDIR, so point that at the disk in question. etcd (one member) and Redis are of this machine, over loopback, and sync
 * each write to their log.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStore } from './open.ts';
import { openSqliteStore } from './sqlite/sqlite-store.ts';
import type { Store } from './store.ts';
import { TestEtcd } from './testing/etcd.ts';
import { TestRedis } from './testing/redis.ts';

const [, , duration = '3', ...chosen] = process.argv;
const seconds = Number(duration);
const keys = 10_000;

function percentile(sorted: readonly number[], p: number): string {
  return (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))] ?? 0).toFixed(2);
}

/** `writers` writers, each waiting for its write before the next, while one reader asks for single records. */
async function measure(store: Store, writers: number, size: number, prefix: string): Promise<void> {
  const value = new Uint8Array(size).fill(120);
  const until = performance.now() + seconds * 1_000;
  const latencies: number[] = [];
  const reads: number[] = [];
  async function write(writer: number): Promise<void> {
    for (let i = writer; performance.now() < until; i += writers) {
      const began = performance.now();
      await store.put(`${prefix}${i % keys}`, value);
      latencies.push(performance.now() - began);
    }
  }
  async function read(): Promise<void> {
    for (let i = 0; performance.now() < until; i++) {
      const began = performance.now();
      await store.get(`${prefix}${i % keys}`);
      reads.push(performance.now() - began);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
  const { user, system } = process.cpuUsage();
  await Promise.all([read(), ...Array.from({ length: writers }, (_, writer) => write(writer))]);
  const used = process.cpuUsage({ user, system });
  latencies.sort((a, b) => a - b);
  reads.sort((a, b) => a - b);
  const rate = Math.round(latencies.length / seconds);
  console.log(
    `${String(writers).padStart(4)} writers, ${size} B, ${prefix.padEnd(18)} ${String(rate).padStart(6)} writes/s, ` +
      `put p50 ${percentile(latencies, 0.5)} p99 ${percentile(latencies, 0.99)} max ${percentile(latencies, 1)} ms, get p50 ${percentile(reads, 0.5)} p99 ${percentile(reads, 0.99)} ms, ` +
      `${Math.round((used.user + used.system) / latencies.length)} µs CPU per write`,
  );
}

const withoutHistory = ['/leases/'];

async function measureAll(store: Store): Promise<void> {
  for (const writers of [1, 8, 64, 512]) await measure(store, writers, 2_048, '/pods/');
  await measure(store, 64, 400, '/leases/');
  const began = performance.now();
  const { count } = await store.range('/pods/', '/pods0');
  console.log(
    `range of ${count} records: ${(performance.now() - began).toFixed(1)} ms; resident ${Math.round(process.memoryUsage().rss / 1e6)} MB`,
  );
}

async function measureSqlite(): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'fairlead-bench-'));
  const store = await openSqliteStore(join(dir, 'store.db'), { withoutHistory });
  try {
    await measureAll(store);
  } finally {
    await store.close();
    rmSync(dir, { recursive: true });
  }
}

async function measureRedis(): Promise<void> {
  await using redis = await TestRedis.start();
  await using store = await openStore(redis.url, { withoutHistory });
  await measureAll(store);
  const used = async (): Promise<number> => Number(/used_memory_dataset:(\d+)/.exec(String(await redis.command('INFO', 'memory')))?.[1]);
  await store.compact(await store.revision());
  const before = await used();
  for (let i = 0; i < keys; i += 500)
    await Promise.all(Array.from({ length: 500 }, (_, k) => store.put(`/memory/namespace/name-${i + k}`, Buffer.alloc(2_048, `${k} `))));
  const withEvents = (await used()) - before;
  await store.compact(await store.revision());
  const records = (await used()) - before;
  const each = (bytes: number): string => `${Math.round(bytes / keys)} B`;
  console.log(`memory of Redis for a record of 2048 B: ${each(records)}, and ${each(withEvents - records)} for its event`);
}

async function measureEtcd(): Promise<void> {
  await using etcd = await TestEtcd.start();
  await using store = await openStore(etcd.url(), { withoutHistory });
  await measureAll(store);
}

const engines: Readonly<Record<string, () => Promise<void>>> = { sqlite: measureSqlite, etcd: measureEtcd, redis: measureRedis };
for (const [name, measureEngine] of Object.entries(engines)) {
  if (chosen.length > 0 && !chosen.includes(name)) continue;
  console.log(`${name}:`);
  await measureEngine();
}
