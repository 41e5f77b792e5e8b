import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { deployments, jobs, podDisruptionBudgets, pods, replicaSets } from '../../src/api/resource-types.ts';
import type { Pod, PodDisruptionBudget, PodDisruptionBudgetSpec } from '../../src/api/schema/types.ts';
import { ApiError } from '../../src/client/api-error.ts';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { ControlPlane } from './testing/control-plane.ts';
import { deployment, pauseContainer } from './testing/manifests.ts';

const inDefault = { namespace: 'default' };
const refused = "Cannot evict pod as it would violate the pod's disruption budget.";

function budget(name: string, spec: Partial<PodDisruptionBudgetSpec>): PodDisruptionBudget {
  const selector = { matchLabels: { app: name } };
  return { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', metadata: { name, namespace: 'default' }, spec: { selector, ...spec } };
}

describe('disruption', () => {
  let cp: ControlPlane;
  before(async () => {
    cp = await ControlPlane.start();
  });
  after(() => cp.stop());

  const evict = (name: string, deleteOptions?: object): Promise<unknown> => {
    const body = {
      apiVersion: 'policy/v1',
      kind: 'Eviction',
      metadata: { name, namespace: 'default' },
      ...(deleteOptions ? { deleteOptions } : {}),
    };
    return cp.client.createSubresource(pods, name, 'eviction', body, inDefault);
  };
  const refusal = async (eviction: Promise<unknown>): Promise<[number, string, string | undefined]> => {
    const err = await eviction.then(
      () => assert.fail('it was allowed'),
      (e: unknown) => e,
    );
    assert.ok(err instanceof ApiError, String(err));
    return [err.code, err.message, err.status.details?.causes?.[0]?.message];
  };
  const allowed = (name: string, n: number): Promise<void> =>
    eventually(async () => {
      const { metadata, status } = await cp.client.get(podDisruptionBudgets, name, inDefault);
      assert.equal(status?.observedGeneration, metadata.generation);
      assert.equal(status?.disruptionsAllowed, n, JSON.stringify(status));
    });
  const alive = async (app: string): Promise<Pod[]> =>
    (await cp.podsOf('default', `app=${app}`)).filter((p) => !p.metadata.deletionTimestamp);
  const available = (name: string, n: number): Promise<void> =>
    eventually(async () => assert.equal((await cp.client.get(deployments, name, inDefault)).status?.availableReplicas, n));

  test('of two evictions at once a budget for one allows one, and the next when a new pod is ready', async () => {
    await cp.client.create(deployments, deployment('web', 3));
    await available('web', 3);
    await cp.client.create(podDisruptionBudgets, budget('web', { maxUnavailable: 1 }));
    await allowed('web', 1);
    cp.kubelet.isReady = () => false;
    const [a, b] = await alive('web');
    const outcomes = await Promise.allSettled([evict(a?.metadata.name ?? ''), evict(b?.metadata.name ?? '')]);
    assert.deepEqual(outcomes.map((o) => o.status).toSorted(), ['fulfilled', 'rejected']);
    cp.kubelet.isReady = () => true;
    cp.kubelet.lookAgain();
    await allowed('web', 1);
    const [pod] = await alive('web');
    await evict(pod?.metadata.name ?? '');
    await available('web', 3);
    await allowed('web', 1);
    const { status } = await cp.client.get(podDisruptionBudgets, 'web', inDefault);
    assert.equal(status?.disruptedPods, undefined, 'what is gone is forgotten');
  });

  test('a refusal is a 429 that names the budget and its numbers', async () => {
    await cp.client.patch(podDisruptionBudgets, 'web', { spec: { maxUnavailable: 0 } }, inDefault);
    await allowed('web', 0);
    const [pod] = await alive('web');
    const why = 'The disruption budget web needs 3 healthy pods and has 3 currently';
    assert.deepEqual(await refusal(evict(pod?.metadata.name ?? '')), [429, refused, why]);
  });

  test('an evicted pod says so while it goes', async () => {
    await cp.client.patch(podDisruptionBudgets, 'web', { spec: { maxUnavailable: 1 } }, inDefault);
    await allowed('web', 1);
    const [pod] = await alive('web');
    const name = pod?.metadata.name ?? '';
    await evict(name, { dryRun: ['All'] });
    await allowed('web', 1);
    cp.kubelet.holds = true;
    await evict(name);
    const { status, metadata } = await cp.client.get(pods, name, inDefault);
    const condition = status?.conditions?.find((c) => c.type === 'DisruptionTarget');
    assert.deepEqual(
      [condition?.status, condition?.reason, condition?.message],
      ['True', 'EvictionByEvictionAPI', 'Eviction API: evicting'],
    );
    assert.ok(metadata.deletionTimestamp);
    cp.kubelet.holds = false;
    cp.kubelet.lookAgain();
    await available('web', 3);
  });

  test('a pod that is not ready goes although nothing may, if its budget says so', async () => {
    cp.kubelet.isReady = (p) => p.metadata.labels?.app !== 'sick';
    await cp.client.create(deployments, deployment('sick', 2));
    // Of both: one that has not begun would go freely.
    await eventually(async () =>
      assert.deepEqual(
        (await alive('sick')).map((p) => p.status?.phase),
        ['Running', 'Running'],
      ),
    );
    await cp.client.create(podDisruptionBudgets, budget('sick', { minAvailable: 1 }));
    await allowed('sick', 0);
    const [pod] = await alive('sick');
    const why = 'The disruption budget sick needs 1 healthy pods and has 0 currently';
    assert.deepEqual(await refusal(evict(pod?.metadata.name ?? '')), [429, refused, why]);
    await cp.client.patch(podDisruptionBudgets, 'sick', { spec: { unhealthyPodEvictionPolicy: 'AlwaysAllow' } }, inDefault);
    await evict(pod?.metadata.name ?? '');
    cp.kubelet.isReady = () => true;
  });

  test('a pod with two budgets is not evicted', async () => {
    await cp.client.create(podDisruptionBudgets, {
      ...budget('second', { maxUnavailable: 1 }),
      spec: { maxUnavailable: 1, selector: { matchLabels: { app: 'web' } } },
    });
    const [pod] = await alive('web');
    const [code, message] = await refusal(evict(pod?.metadata.name ?? ''));
    assert.equal(code, 500);
    assert.equal(message, 'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.');
    await cp.client.delete(podDisruptionBudgets, 'second', inDefault);
  });

  test('a budget counts what a ReplicaSet without a Deployment wants, and cannot count a Job', async () => {
    const template = { metadata: { labels: { app: 'bare' } }, spec: { containers: [pauseContainer] } };
    await cp.client.create(replicaSets, {
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: { name: 'bare', namespace: 'default' },
      spec: { replicas: 4, selector: { matchLabels: { app: 'bare' } }, template },
    });
    await cp.client.create(podDisruptionBudgets, budget('bare', { minAvailable: '50%' }));
    await allowed('bare', 2);
    await cp.client.patch(replicaSets, 'bare', { spec: { replicas: 2 } }, inDefault);
    await allowed('bare', 1);
    const job = { metadata: { labels: { app: 'task' } }, spec: { restartPolicy: 'Never', containers: [pauseContainer] } };
    await cp.client.create(jobs, {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'task', namespace: 'default' },
      spec: { template: job },
    });
    await cp.client.create(podDisruptionBudgets, budget('task', { maxUnavailable: 1 }));
    await eventually(async () => {
      const { status } = await cp.client.get(podDisruptionBudgets, 'task', inDefault);
      const [condition] = status?.conditions ?? [];
      assert.deepEqual([condition?.reason, condition?.message], ['SyncFailed', 'jobs.batch does not implement the scale subresource']);
    });
  });

  test('complained of nothing', () => assert.deepEqual(cp.complaints, []));
});
