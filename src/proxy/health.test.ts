import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { silentLog } from '../observability/log.ts';
import { ServiceHealth } from './health.ts';
import type { ServicePlan } from './plan/service-plan.ts';
import { freePort } from './testing/running-proxy.ts';

test('ServiceHealth tells that it listens on other ports than before, not that it could not: the proxy then looks again, without end', async () => {
  const port = await freePort();
  const plans = new Map<string, ServicePlan>([['n/a', { key: 'n/a', rank: '', ports: [], health: { port, localReady: 1 } }]]);
  const health = new ServiceHealth(() => true, silentLog);
  const other = createServer().listen(port);
  await once(other, 'listening');
  try {
    assert.equal(await health.update([plans]), false);
    other.close();
    await once(other, 'close');
    assert.equal(await health.update([plans]), true);
    assert.equal(await health.update([plans]), false);
    assert.equal(await health.update([new Map()]), true);
    assert.equal(await health.update([new Map()]), false);
  } finally {
    other.close();
    await health.close();
  }
});
