/**
 * Writes per second of the SQLite store, end to end: `node src/storage/bench.ts [SECONDS]`. The file lies in the folder of TMPDIR, so point
 * that at the disk in question.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSqliteStore } from './sqlite/sqlite-store.ts';
import type { Store } from './store.ts';

const seconds = Number(process.argv[2] ?? 3);
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
  await Promise.all([read(), ...Array.from({ length: writers }, (_, writer) => write(writer))]);
  latencies.sort((a, b) => a - b);
  reads.sort((a, b) => a - b);
  const rate = Math.round(latencies.length / seconds);
  console.log(
    `${String(writers).padStart(4)} writers, ${size} B, ${prefix.padEnd(18)} ${String(rate).padStart(6)} writes/s, ` +
      `put p50 ${percentile(latencies, 0.5)} p99 ${percentile(latencies, 0.99)} max ${percentile(latencies, 1)} ms, get p50 ${percentile(reads, 0.5)} p99 ${percentile(reads, 0.99)} ms`,
  );
}

const dir = mkdtempSync(join(tmpdir(), 'fairlead-bench-'));
const store = await openSqliteStore(join(dir, 'store.db'), { withoutHistory: ['/leases/'] });
try {
  for (const writers of [1, 8, 64, 512]) await measure(store, writers, 2_048, '/pods/');
  await measure(store, 64, 400, '/leases/');
  const began = performance.now();
  const { count } = await store.range('/pods/', '/pods0');
  console.log(
    `range of ${count} records: ${(performance.now() - began).toFixed(1)} ms; resident ${Math.round(process.memoryUsage().rss / 1e6)} MB`,
  );
} finally {
  await store.close();
  rmSync(dir, { recursive: true });
}
