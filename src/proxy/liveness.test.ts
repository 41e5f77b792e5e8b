import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Node } from '../api/schema/types.ts';
import { FakeClock } from '../clock/testing/fake-clock.ts';
import { Liveness } from './liveness.ts';

const node: Node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'node1' } };
const tainted: Node = { ...node, spec: { taints: [{ key: 'ToBeDeletedByClusterAutoscaler', effect: 'NoSchedule' }] } };
const leaving: Node = { ...node, metadata: { name: 'node1', deletionTimestamp: '2026-01-01T00:00:00Z' } };
const periodMs = 30_000;
const at = (ms: number): string => new Date(ms).toISOString();

function bothServed(clock: FakeClock): Liveness {
  const liveness = new Liveness(clock, periodMs);
  for (const family of ['ip', 'ip6'] as const) liveness.synced(family, clock.now(), false);
  return liveness;
}

describe('Liveness', () => {
  test('answers as kube-proxy 1.35 does: of one that is well, nothing is ever long ago but the syncs of families', async () => {
    const clock = new FakeClock();
    const served = clock.now();
    const liveness = bothServed(clock);
    await clock.advance(3_600_000);
    const now = clock.now();
    const status = { IPv4: { lastUpdated: at(served), healthy: true }, IPv6: { lastUpdated: at(served), healthy: true } };
    const body = { lastUpdated: at(now), currentTime: at(now), nodeEligible: true, healthy: true, status };
    assert.deepEqual(liveness.answer(true, node), { code: 200, type: 'application/json', body: JSON.stringify(body) });
    const { nodeEligible: _, ...livez } = body;
    assert.deepEqual(liveness.answer(false, node), { code: 200, type: 'application/json', body: JSON.stringify(livez) });
  });

  test('says of which family a sync waits for two periods, and when the last one was', async () => {
    const clock = new FakeClock();
    const served = clock.now();
    const liveness = bothServed(clock);
    await clock.advance(1000);
    liveness.queued();
    await clock.advance(1);
    liveness.synced('ip', clock.now(), false);
    const again = clock.now();
    await clock.advance(2 * periodMs - 2);
    assert.equal(liveness.answer(false, node).code, 200);
    await clock.advance(1);
    const { code, body } = liveness.answer(false, node);
    const { lastUpdated, healthy, status } = JSON.parse(String(body)) as Record<string, unknown>;
    assert.deepEqual([code, lastUpdated, healthy], [503, at(again), false]);
    assert.deepEqual(status, { IPv4: { lastUpdated: at(again), healthy: true }, IPv6: { lastUpdated: at(served), healthy: false } });
  });

  for (const [name, one] of [
    ['is unknown', undefined],
    ['is being deleted', leaving],
    ['is to be taken away by the autoscaler', tainted],
  ] as const)
    test(`sends no traffic to a node that ${name}, though the proxy lives`, async () => {
      const clock = new FakeClock();
      const served = clock.now();
      const liveness = bothServed(clock);
      await clock.advance(5000);
      const { code, body } = liveness.answer(true, one);
      const { lastUpdated, nodeEligible, healthy } = JSON.parse(String(body)) as Record<string, unknown>;
      assert.deepEqual([code, lastUpdated, nodeEligible, healthy], [503, at(served), false, true]);
      assert.equal(liveness.answer(false, one).code, 200);
    });

  test('is not well before the first rules, and names no family that it does not serve', () => {
    const clock = new FakeClock();
    const liveness = new Liveness(clock, periodMs);
    assert.equal(liveness.answer(false, node).code, 503);
    liveness.queued('ip');
    liveness.queued('ip6');
    liveness.retain(new Set(['ip']));
    const { status, lastUpdated } = JSON.parse(String(liveness.answer(false, node).body)) as Record<string, unknown>;
    assert.deepEqual(status, { IPv4: { lastUpdated: '0001-01-01T00:00:00Z', healthy: false } });
    assert.equal(lastUpdated, '0001-01-01T00:00:00Z');
  });

  test('still waits for a change that came while a sync was under way', async () => {
    const clock = new FakeClock();
    const liveness = bothServed(clock);
    const begunAt = clock.now();
    await clock.advance(1000);
    liveness.queued();
    for (const family of ['ip', 'ip6'] as const) liveness.synced(family, begunAt, true);
    await clock.advance(2 * periodMs);
    assert.equal(liveness.isAlive, false);
  });
});
