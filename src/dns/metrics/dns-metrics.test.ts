/** What Prometheus reads, word for word. `UPDATE_GOLDEN=1` writes the file anew. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Client } from '../../client/client.ts';
import { InformerSet } from '../../client/informers.ts';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { silentLog } from '../../observability/log.ts';
import { TYPE } from '../message/names.ts';
import { registerCacheMetrics } from '../plugin/cache/metrics.ts';
import { registerForwardMetrics } from '../plugin/forward/metrics.ts';
import { registerProgrammingDuration } from '../plugin/kubernetes/metrics.ts';
import type { Env } from '../plugin/plugin.ts';
import { DnsMetrics } from './dns-metrics.ts';

const golden = join(import.meta.dirname, 'testing/metrics.txt');
const four = { family: 4, address: '10.244.1.7', port: 40_000 } as const;
const six = { family: 6, address: 'fd00::7', port: 40_000 } as const;

test('the metrics have the names, labels and buckets of CoreDNS', async () => {
  const metrics = new DnsMetrics({ zone: 'Cluster.local', server: 'dns://:53' });
  const env: Env = {
    clock: new FakeClock(),
    log: silentLog,
    metrics: metrics.registry,
    server: 'dns://:53',
    informers: new InformerSet(new Client({ server: 'http://127.0.0.1:1' })),
    serverIps: [],
    lookup: () => assert.fail('nobody asks'),
    signal: new AbortController().signal,
  };
  const web = { name: 'web.default.svc.cluster.local', type: TYPE.A, rcode: 0, wantsDnssec: false, room: 512, size: 79 };
  // At the limit of a bucket, just beyond it, and beyond all of them.
  metrics.observe(web, 'udp', four, 0.001);
  metrics.observe({ ...web, type: TYPE.AAAA, rcode: 4, wantsDnssec: true, room: 4096 }, 'udp', six, 0.0011);
  metrics.observe({ ...web, name: 'cluster.local', type: 64, rcode: 16, room: 65_535, size: 65_535 }, 'tcp', four, 9);
  metrics.observe({ ...web, name: 'notcluster.local', type: 65_280, rcode: 11, size: 511 }, 'udp', four, 0);
  metrics.observe({ ...web, name: 'example.com', type: 65, rcode: 3 }, 'udp', four, 0);
  const failedChecks = new Map([['10.0.0.2:53', 3]]);
  registerCacheMetrics(env, { hits: 3, misses: 4, entries: 2, evictions: 1 });
  registerForwardMetrics(env, { rejected: 5, broken: 6, failedChecks });
  const onProgrammed = registerProgrammingDuration(metrics.registry);
  onProgrammed('cluster_ip', 0.001);
  onProgrammed('headless_with_selector', 1);
  await metrics.registry.metrics();
  // Reading counts nothing twice.
  const text = await metrics.registry.metrics();
  if (process.env.UPDATE_GOLDEN) writeFileSync(golden, text);
  assert.equal(text, readFileSync(golden, 'utf8'));
});
