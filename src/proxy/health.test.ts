import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { silentLog } from '../observability/log.ts';
import { ServiceHealth } from './health.ts';
import type { HealthCheck } from './plan/service-plan.ts';
import { freePort } from './testing/running-proxy.ts';

test('ServiceHealth tells that it listens on other ports than before, not that it could not: the proxy then looks again, without end', async () => {
  const port = await freePort();
  const checks = new Map<string, HealthCheck>([['n/a', { port, localReady: 1 }]]);
  const health = new ServiceHealth(() => true, silentLog);
  const other = createServer().listen(port);
  await once(other, 'listening');
  try {
    assert.equal(await health.update([checks]), false);
    other.close();
    await once(other, 'close');
    assert.equal(await health.update([checks]), true);
    assert.equal(await health.update([checks]), false);
    assert.equal(await health.update([new Map()]), true);
    assert.equal(await health.update([new Map()]), false);
  } finally {
    other.close();
    await health.close();
  }
});

test('ServiceHealth says once that it cannot listen, and again when it could not a second time', async () => {
  const port = await freePort();
  const told: string[] = [];
  const health = new ServiceHealth(() => true, { ...silentLog, warn: (message: string) => void told.push(message) });
  const checks = new Map<string, HealthCheck>([['n/a', { port, localReady: 1 }]]);
  const other = createServer().listen(port);
  await once(other, 'listening');
  try {
    const failed: string[][] = [];
    for (let sync = 0; sync < 3; sync++) await health.update([checks], (...failure) => void failed.push(failure));
    assert.equal(told.length, 1);
    assert.deepEqual(failed, [['n/a', told[0]]]);
    assert.match(told[0] ?? '', /^Cannot answer health checks of Service "n\/a": /);
    await health.update([new Map()]);
    await health.update([checks]);
    assert.equal(told.length, 2);
  } finally {
    other.close();
    await health.close();
  }
});
