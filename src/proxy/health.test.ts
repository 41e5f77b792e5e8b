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
