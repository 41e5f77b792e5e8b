/** Disks that take long to sync, by strace, and engines that take long to answer, by a proxy. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { TestEtcd } from '../../src/storage/testing/etcd.ts';
import { FaultyProxy } from '../../src/storage/testing/faulty-proxy.ts';
import { here, type Place } from '../../src/storage/testing/place.ts';
import { TestRedis } from '../../src/storage/testing/redis.ts';
import { RemoteWorkload, type Surroundings } from './testing/remote-workload.ts';

/** Runs a command whose syncs take so much longer; the tracer is a child of the command (`-D`). */
function tracing(delayMs: number): string[] {
  const syncs = 'fdatasync,fsync';
  return ['strace', '-D', '-f', '-qq', '-o', '/dev/null', '-e', `trace=${syncs}`, '-e', `inject=${syncs}:delay_enter=${delayMs * 1_000}`];
}

const delayMs = 100;
const slowDisk: Place = { ...here, within: tracing(delayMs) };
const cannotTrace: string | false = canTrace() ? false : 'needs strace, and the right to trace';

function canTrace(): boolean {
  try {
    const [program, ...words] = [...tracing(1), 'true'];
    execFileSync(program!, words, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

async function work(t: TestContext, url: string, surroundings?: Surroundings): Promise<void> {
  const workload = await RemoteWorkload.start(t, url, surroundings);
  const began = performance.now();
  await workload.more(50);
  // Each of eight writers waits for several answers.
  assert.ok(performance.now() - began > 2 * delayMs, 'it was no slower than ever');
  await workload.assertFailures();
  assert.deepEqual(await workload.violations(), []);
}

describe('a store on a slow disk has one history', { skip: cannotTrace, concurrency: true }, () => {
  test('in SQLite', async (t) => {
    const dir = mkdtempSync(join(tmpdir(), 'fairlead-slow-'));
    t.after(() => rmSync(dir, { recursive: true }));
    await work(t, `sqlite://${join(dir, 'store.db')}`, slowDisk);
  });

  test('in Redis', async (t) => {
    await using redis = await TestRedis.start({}, slowDisk);
    await work(t, redis.url);
  });

  test('in etcd, of three members on such disks', async (t) => {
    await using etcd = await TestEtcd.start({ members: 3, places: [slowDisk, slowDisk, slowDisk] });
    await work(t, etcd.url());
  });
});

describe('a store whose engine is slow to answer has one history', { concurrency: true }, () => {
  test('in Redis', async (t) => {
    await using redis = await TestRedis.start();
    await using proxy = await FaultyProxy.start(redis.port, { delayMs });
    await work(t, `redis://127.0.0.1:${proxy.port}/0`);
  });

  test('in etcd', async (t) => {
    await using etcd = await TestEtcd.start();
    await using proxy = await FaultyProxy.start(Number(new URL(etcd.endpoints[0]!).port), { delayMs });
    await work(t, `etcd=http://127.0.0.1:${proxy.port}`);
  });
});
