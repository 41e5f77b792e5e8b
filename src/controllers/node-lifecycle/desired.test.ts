import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod } from '../../api/schema/types.ts';
import { nodeOf, readyPod } from '../testing/samples.ts';
import { evictionTime, unheardConditions, wantedTaints } from './desired.ts';

const now = Date.UTC(2026, 0, 1);
const time = '2026-01-01T00:00:00Z';

test('wantedTaints() follows the conditions, keeps what others set and when it was set', () => {
  const foreign = { key: 'dedicated', value: 'db', effect: 'NoSchedule' };
  const since = { key: 'node.kubernetes.io/unreachable', effect: 'NoExecute', timeAdded: '2025-12-31T00:00:00Z' };
  const taints = wantedTaints(nodeOf('w1', { ready: 'Unknown', taints: [foreign, since] }), time);
  assert.deepEqual(taints, [foreign, { key: 'node.kubernetes.io/unreachable', effect: 'NoSchedule', timeAdded: time }, since]);
  assert.deepEqual(wantedTaints(nodeOf('w1', { ready: 'True', taints: [foreign, since] }), time), [foreign]);
  assert.equal(wantedTaints(nodeOf('w1', { ready: 'True', unschedulable: true }), time)[0]?.key, 'node.kubernetes.io/unschedulable');
});

test('unheardConditions() says Unknown once', () => {
  const first = unheardConditions(nodeOf('w1', { ready: 'True' }), time);
  assert.deepEqual(first?.map((c) => [c.type, c.status, c.reason]).at(0), ['Ready', 'Unknown', 'NodeStatusUnknown']);
  assert.equal(unheardConditions({ ...nodeOf('w1'), status: { conditions: first } }, time), undefined);
});

test('evictionTime() is the taint plus the shortest toleration, never for one without bound', () => {
  const sick = nodeOf('w1', { taints: [{ key: 'node.kubernetes.io/unreachable', effect: 'NoExecute', timeAdded: time }] });
  const tolerating = (tolerationSeconds?: number): Pod =>
    readyPod('p', {
      tolerations: [
        {
          key: 'node.kubernetes.io/unreachable',
          operator: 'Exists',
          effect: 'NoExecute',
          ...(tolerationSeconds === undefined ? {} : { tolerationSeconds }),
        },
      ],
    });
  assert.equal(
    evictionTime(tolerating(300), sick, () => now),
    now + 300_000,
  );
  assert.equal(
    evictionTime(tolerating(), sick, () => now),
    undefined,
  );
  assert.equal(
    evictionTime(readyPod('p'), sick, () => now),
    0,
  );
  assert.equal(
    evictionTime(readyPod('p'), nodeOf('w1'), () => now),
    undefined,
  );
  const byHand = nodeOf('w1', { taints: [{ key: 'node.kubernetes.io/unreachable', effect: 'NoExecute' }] });
  assert.equal(
    evictionTime(tolerating(300), byHand, () => now + 5_000),
    now + 305_000,
    'without a time, from when it was seen',
  );
  const late = { ...tolerating(300), metadata: { name: 'late', creationTimestamp: '2026-01-01T01:00:00Z' } };
  assert.equal(
    evictionTime(late, sick, () => now),
    now + 3_600_000 + 300_000,
    'a pod that came later has its seconds too',
  );
});
