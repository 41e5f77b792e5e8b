import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Pod } from '../../api/schema/types.ts';
import { timestamp } from '../../clock/timestamp.ts';
import type { PodMetric } from './metrics.ts';
import { byAverage, byShare, byTotal, byUtilization } from './replicas.ts';

const now = Date.UTC(2026, 0, 1, 12);
const hour = 3_600_000;
const tolerance = { up: 0.1, down: 0.1 };
const beginning = { cpuMs: 300_000, readinessMs: 30_000 };

interface Traits {
  readonly request?: string | undefined;
  readonly phase?: string;
  readonly isReady?: boolean;
  /** Milliseconds ago. */
  readonly started?: number;
  readonly changed?: number;
  readonly leaves?: boolean;
}

function pod(name: string, { request = '1', phase = 'Running', isReady = true, started = hour, changed = hour, leaves }: Traits = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', ...(leaves ? { deletionTimestamp: timestamp(now) } : {}) },
    spec: { containers: [{ name: 'app', image: 'i', resources: { requests: { cpu: request, memory: '1Gi' } } }] },
    status: {
      phase,
      startTime: timestamp(now - started),
      conditions: [{ type: 'Ready', status: isReady ? 'True' : 'False', lastTransitionTime: timestamp(now - changed) }],
    },
  };
}

function metrics(values: Readonly<Record<string, number>>): Map<string, PodMetric> {
  return new Map(Object.entries(values).map(([name, milli]) => [name, { milli: BigInt(milli), takenAt: now, windowMs: 60_000 }]));
}

function asked(pods: readonly Pod[], values: Readonly<Record<string, number>>, current = pods.length) {
  return { pods, metrics: metrics(values), current, tolerance, beginning, now };
}

const three = [pod('a'), pod('b'), pod('c')];

describe('by utilization', () => {
  const at = (percent: number, ...more: Parameters<typeof asked>): number =>
    byUtilization(asked(...more), 'cpu', undefined, percent).replicas;

  test('as many as bring the pods to their target, rounded up', () => {
    assert.deepEqual(byUtilization(asked(three, { a: 300, b: 500, c: 700 }), 'cpu', undefined, 30), {
      replicas: 5,
      utilization: 50,
      average: 500n,
    });
    assert.equal(at(50, three, { a: 100, b: 100, c: 100 }), 1);
  });

  test('within a tenth of the target nothing changes', () => {
    assert.equal(at(50, three, { a: 550, b: 550, c: 550 }), 3);
    assert.equal(at(50, three, { a: 560, b: 560, c: 560 }), 4);
    assert.equal(at(50, three, { a: 450, b: 450, c: 450 }), 3);
  });

  test('one without a metric keeps what it may use: all on the way down, nothing on the way up', () => {
    // Two of three use 10 %: with the third at 100 % it is 40 %, which is 3 × 0.8.
    assert.equal(at(50, three, { a: 100, b: 100 }), 3);
    // Two of three use 90 %: with the third at nothing 60 %, which is 3 × 1.2.
    assert.equal(at(50, three, { a: 900, b: 900 }), 4);
    // The third at nothing would turn the direction.
    assert.equal(at(50, three, { a: 700, b: 700 }), 3);
  });

  test('one that has just started counts for nothing on the way up, and not on the way down', () => {
    const starting = [pod('a'), pod('b'), pod('c', { started: 60_000, changed: 60_000, isReady: false })];
    assert.equal(at(50, starting, { a: 900, b: 900, c: 5000 }), 4);
    assert.equal(at(50, starting, { a: 100, b: 100, c: 5000 }), 1);
    // Ready, and measured over a time that lies after that.
    const ready = [pod('a'), pod('b'), pod('c', { started: 120_000, changed: 60_000 })];
    assert.equal(at(50, ready, { a: 900, b: 900, c: 900 }), 6);
    // Ready for less than what the metric is measured over.
    const fresh = [pod('a'), pod('b'), pod('c', { started: 120_000, changed: 59_000 })];
    assert.equal(at(50, fresh, { a: 900, b: 900, c: 900 }), 4);
  });

  test('one that is not ready any more counts, one that never was does not', () => {
    const was = [pod('a'), pod('b', { isReady: false, changed: 60_000 })];
    assert.equal(at(50, was, { a: 900, b: 900 }), 4);
    const never = [pod('a'), pod('b', { isReady: false, changed: hour - 1000 })];
    assert.equal(at(50, never, { a: 900, b: 900 }), 2);
  });

  test('pods that end are nobody, and those that wait are not ready', () => {
    const some = [pod('a'), pod('b', { leaves: true }), pod('c', { phase: 'Failed' }), pod('d', { phase: 'Pending' })];
    // a alone, with d at nothing: 45 % of 50 %.
    assert.equal(at(50, some, { a: 900, b: 900, c: 900 }, 2), 2);
    assert.equal(at(50, some, { a: 100, b: 100, c: 100 }, 2), 1);
  });

  test('what keeps it from being said', () => {
    assert.throws(() => at(50, [], { a: 1 }), /^Error: no pods returned by selector while calculating replica count$/);
    assert.throws(() => at(50, three, {}), /^Error: did not receive metrics for targeted pods \(pods might be unready\)$/);
    const bare: Pod = { ...pod('a'), spec: { containers: [{ name: 'app', image: 'i' }] } };
    assert.throws(() => at(50, [bare], { a: 1 }), /^Error: missing request for cpu in container app of Pod a$/);
    assert.throws(() => byUtilization(asked(three, { a: 1 }), 'cpu', 'other', 50), /^Error: container other not found in Pod a$/);
  });

  test('requests of the pod itself, of sidecars and of one container', () => {
    const sidecar = { name: 's', image: 'i', restartPolicy: 'Always', resources: { requests: { cpu: '1' } } };
    const first = { name: 'first', image: 'i', resources: { requests: { cpu: '64' } } };
    const both: Pod = {
      ...pod('a'),
      spec: { ...pod('a').spec, containers: pod('a').spec?.containers ?? [], initContainers: [sidecar, first] },
    };
    assert.equal(byUtilization(asked([both], { a: 1000 }), 'cpu', undefined, 10).utilization, 50);
    assert.equal(byUtilization(asked([both], { a: 1000 }), 'cpu', 's', 10).utilization, 100);
    const whole: Pod = { ...both, spec: { ...both.spec, containers: [], resources: { requests: { cpu: '4' } } } };
    assert.equal(byUtilization(asked([whole], { a: 1000 }), 'cpu', undefined, 10).utilization, 25);
  });
});

test('by an amount for each pod: requests do not count, and one without a metric has just that', () => {
  assert.deepEqual(byAverage(asked(three, { a: 2000, b: 2000, c: 3000 }), undefined, 1000n), { replicas: 7, average: 2333n });
  assert.equal(byAverage(asked(three, { a: 100, b: 100 }), undefined, 1000n).replicas, 2);
  assert.equal(byAverage(asked(three, { a: 1099, b: 1099, c: 1099 }), undefined, 1000n).replicas, 3);
  // Far more than a number of replicas may be.
  assert.equal(byAverage(asked(three, { a: 1e15, b: 1e15, c: 1e15 }), undefined, 1n).replicas, 2 ** 31 - 1);
});

test('by an amount that is no pod’s: for all together, or for each of them', () => {
  const two = [pod('a'), pod('b', { isReady: false }), pod('c')];
  assert.equal(byTotal({ pods: two, current: 3, tolerance }, 3000n, 1000n), 6);
  assert.equal(byTotal({ pods: two, current: 3, tolerance }, 1050n, 1000n), 3);
  assert.throws(() => byTotal({ pods: [], current: 3, tolerance }, 3000n, 1000n), /no pods returned by selector/);
  assert.deepEqual(byShare(3, tolerance, 10_000n, 1000n), { replicas: 10, average: 3334n });
  assert.deepEqual(byShare(3, tolerance, 3100n, 1000n), { replicas: 3, average: 1034n });
  assert.equal(byShare(0, tolerance, 3100n, 1000n).replicas, 4);
});
