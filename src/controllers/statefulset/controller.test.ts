import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { persistentVolumeClaims, pods, statefulSets } from '../../api/resource-types.ts';
import type { PersistentVolumeClaim, Pod, StatefulSet } from '../../api/schema/types.ts';
import type { Pass } from '../../client/testing/controller-bed.ts';
import { refusal } from '../../client/testing/fake-client.ts';
import { templateHash } from '../ownership/template-hash.ts';
import { podOf, template, webSelector } from '../testing/samples.ts';
import { TestBed } from '../testing/test-bed.ts';
import { StatefulSetController } from './controller.ts';
import { identityLabels, revisionLabel } from './pod-identity.ts';

const key = 'default/db';
const revision = `db-${templateHash(template)}`;
const makeRevision = `create controllerrevisions default/${revision}`;
const status = 'update statefulsets/status default/db';
const deleted = '2026-01-01T00:00:00Z';

function setOf(
  replicas: number,
  spec: Partial<NonNullable<StatefulSet['spec']>> = {},
  metadata: Partial<StatefulSet['metadata']> = {},
): StatefulSet {
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'db', namespace: 'default', uid: 'uid-db', generation: 1, ...metadata },
    spec: { replicas, serviceName: 'db', selector: webSelector, template, ...spec },
  };
}

const volumeClaimTemplates: PersistentVolumeClaim[] = [{ apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'data' } }];

/** A member that is as it should be, but for the traits. */
function member(ordinal: number, traits: Parameters<typeof podOf>[2] = {}): Pod {
  const name = `db-${ordinal}`;
  const labels = { app: 'web', ...identityLabels(name, ordinal), [revisionLabel]: revision };
  return podOf(setOf(0), name, { labels, readyAt: -60, ...traits });
}

function claimOf(ordinal: number, ownerReferences: PersistentVolumeClaim['metadata']['ownerReferences'] = []): PersistentVolumeClaim {
  const metadata = { name: `data-db-${ordinal}`, namespace: 'default', ownerReferences };
  return { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata };
}

async function start(
  set: StatefulSet,
  there: readonly Pod[] = [],
  claims: readonly PersistentVolumeClaim[] = [],
): Promise<{ bed: TestBed; controller: StatefulSetController }> {
  const bed = new TestBed();
  bed.put(statefulSets, set);
  for (const pod of there) bed.put(pods, pod);
  for (const claim of claims) bed.put(persistentVolumeClaims, claim);
  const controller = new StatefulSetController(bed.context);
  await bed.deliver();
  return { bed, controller };
}

interface Case extends Partial<Pass> {
  readonly does: string;
  readonly set: StatefulSet;
  readonly pods?: readonly Pod[];
  readonly claims?: readonly PersistentVolumeClaim[];
  /** What the copies do not show. */
  readonly meanwhile?: (bed: TestBed) => void;
}

const created = (n: number): string => `Normal SuccessfulCreate create Pod db-${n} in StatefulSet db successful`;
const removed = (n: number): string => `Normal SuccessfulDelete delete Pod db-${n} in StatefulSet db successful`;
const parallel = { podManagementPolicy: 'Parallel' } as const;

const cases: readonly Case[] = [
  {
    does: 'makes the first pod only, when pods are made in order',
    set: setOf(3),
    writes: [makeRevision, 'create pods default/db-0', status],
    events: [created(0)],
  },
  {
    does: 'makes all at once when told so',
    set: setOf(3, parallel),
    writes: [makeRevision, 'create pods default/db-0', 'create pods default/db-1', 'create pods default/db-2', status],
    events: [created(0), created(1), created(2)],
  },
  {
    does: 'waits for a pod that is not ready',
    set: setOf(2),
    pods: [member(0, { readyAt: undefined as never })],
    writes: [makeRevision, status],
  },
  {
    does: 'makes the next one when those before it are available',
    set: setOf(2),
    pods: [member(0)],
    writes: [makeRevision, 'create pods default/db-1', status],
    events: [created(1)],
  },
  {
    does: 'deletes the highest one first',
    set: setOf(1),
    pods: [member(0), member(1), member(2)],
    writes: [makeRevision, 'delete pods default/db-2', status],
    events: [removed(2)],
  },
  {
    does: 'gives a pod that was taken over the labels of its identity',
    set: setOf(1),
    pods: [podOf(undefined, 'db-0', { labels: { app: 'web', [revisionLabel]: revision }, readyAt: -60 })],
    writes: ['patch pods default/db-0', makeRevision, 'patch pods default/db-0', status],
  },
  {
    does: 'leaves alone an orphan whose name is no member’s',
    set: setOf(0),
    pods: [podOf(undefined, 'other-0')],
    writes: [makeRevision, status],
  },
  {
    does: 'makes the claims of a pod before the pod',
    set: setOf(1, { volumeClaimTemplates }),
    writes: [makeRevision, 'create persistentvolumeclaims default/data-db-0', 'create pods default/db-0', status],
    events: ['Normal SuccessfulCreate create Claim data-db-0 Pod db-0 in StatefulSet db success', created(0)],
  },
  {
    does: 'makes no pod without its claims, and says why',
    set: setOf(1, { volumeClaimTemplates }),
    meanwhile: (bed) => bed.client.refuse(/create persistentvolumeclaims/, refusal(403, 'Forbidden', 'exceeded quota')),
    writes: [makeRevision, 'create persistentvolumeclaims default/data-db-0', status],
    events: [
      'Warning FailedCreate create Claim data-db-0 for Pod db-0 in StatefulSet db failed error: exceeded quota',
      'Warning FailedCreate create Pod db-0 in StatefulSet db failed error: exceeded quota',
    ],
    error: 'exceeded quota',
  },
  {
    does: 'waits for a claim that goes with an earlier pod of that name',
    set: setOf(1, { volumeClaimTemplates, persistentVolumeClaimRetentionPolicy: { whenScaled: 'Delete' } }),
    claims: [claimOf(0, [{ apiVersion: 'v1', kind: 'Pod', name: 'db-0', uid: 'former' }])],
    writes: [makeRevision, status],
    requeueAfter: 1_000,
  },
  {
    does: 'lets a claim go with its pod when the policy says so and the pod is scaled away',
    set: setOf(0, { volumeClaimTemplates, persistentVolumeClaimRetentionPolicy: { whenScaled: 'Delete' } }),
    pods: [member(0)],
    claims: [claimOf(0)],
    writes: [makeRevision, 'update persistentvolumeclaims default/data-db-0', 'delete pods default/db-0', status],
    events: [removed(0)],
  },
  {
    does: 'makes again the claim of a pod that waits',
    set: setOf(1, { volumeClaimTemplates }),
    pods: [member(0, { phase: 'Pending' })],
    writes: [makeRevision, 'create persistentvolumeclaims default/data-db-0', status],
    events: ['Normal SuccessfulCreate create Claim data-db-0 Pod db-0 in StatefulSet db success'],
  },
  {
    does: 'stops at the first refusal of a slow start, and writes the status all the same',
    set: setOf(8, parallel),
    meanwhile: (bed) => bed.client.refuse(/create pods default\/db-[2-9]/, refusal(403, 'Forbidden', 'exceeded quota')),
    writes: [makeRevision, 'create pods default/db-0', 'create pods default/db-1', 'create pods default/db-2', status],
    events: [created(0), created(1), 'Warning FailedCreate create Pod db-2 in StatefulSet db failed error: exceeded quota'],
    error: 'exceeded quota',
  },
  {
    does: 'tells nobody that a pod of that name is still there, and comes back',
    set: setOf(1),
    meanwhile: (bed) => void bed.put(pods, podOf(undefined, 'db-0', { more: { deletionTimestamp: deleted } })),
    writes: [makeRevision, 'create pods default/db-0', status],
    error: 'pods "db-0" already exists',
  },
  {
    does: 'is content when the pod to delete is gone already, and tells nobody of it',
    set: setOf(0),
    pods: [member(0)],
    meanwhile: (bed) => bed.client.forget(pods, 'default/db-0'),
    writes: [makeRevision, 'delete pods default/db-0', status],
  },
  {
    does: 'comes back when another pod has the name of the one to delete',
    set: setOf(0),
    pods: [member(0)],
    meanwhile: (bed) => void bed.put(pods, member(0, { more: { uid: 'another' } })),
    writes: [makeRevision, 'delete pods default/db-0', status],
    error: 'the object "db-0" has been modified',
  },
  {
    does: 'looks again when a ready pod will count as available',
    set: setOf(1, { minReadySeconds: 100 }),
    pods: [member(0)],
    writes: [makeRevision, status],
    requeueAfter: 40_000,
  },
  {
    does: 'makes nothing for one that is being deleted',
    set: setOf(2, {}, { deletionTimestamp: deleted }),
    writes: [makeRevision, status],
  },
];

describe('a StatefulSet', () => {
  for (const { does, set, pods: there = [], claims = [], meanwhile, ...expected } of cases) {
    test(does, async () => {
      const { bed, controller } = await start(set, there, claims);
      await using _ = bed;
      meanwhile?.(bed);
      assert.deepEqual(await bed.pass(controller, key), { writes: [], events: [], ...expected });
    });
  }

  for (const [maxUnavailable, gone] of [
    [1, [2]],
    ['67%', [2, 1]],
  ] as const) {
    test(`updates from the highest down, with a maxUnavailable of ${maxUnavailable}`, async () => {
      const { bed, controller } = await start(setOf(3), [member(0), member(1), member(2)]);
      await using _ = bed;
      await bed.pass(controller, key);
      await bed.deliver();
      const changed = { ...template, spec: { containers: [{ name: 'c', image: 'new' }] } };
      const updateStrategy = { type: 'RollingUpdate', rollingUpdate: { maxUnavailable } };
      const { spec } = setOf(3, { template: changed, updateStrategy });
      bed.put(statefulSets, { ...(bed.client.find(statefulSets, key) as StatefulSet), spec });
      await bed.deliver();
      const deletions = gone.map((n) => `delete pods default/db-${n}`);
      assert.deepEqual(await bed.pass(controller, key), {
        writes: [`create controllerrevisions default/db-${templateHash(changed)}`, ...deletions, status],
        events: gone.map(removed),
      });
    });
  }

  test('makes no second pod, claim or revision while the copies are old', async () => {
    const { bed, controller } = await start(setOf(1, { volumeClaimTemplates }));
    await using _ = bed;
    assert.equal((await bed.pass(controller, key)).writes.length, 4);
    assert.deepEqual((await bed.pass(controller, key)).writes, [status]);
    await bed.deliver();
    assert.deepEqual((await bed.pass(controller, key)).writes, []);
  });

  test('is looked at when it or one of its pods changes', async () => {
    const { bed, controller } = await start(setOf(1), [member(0)]);
    await using _ = bed;
    const news = bed.listen(controller);
    assert.deepEqual(await news.deliver(), [key]);
    bed.put(pods, member(0, { phase: 'Failed' }));
    assert.deepEqual(await news.deliver(), [key]);
    bed.put(pods, podOf(undefined, 'x', { labels: { app: 'other' } }));
    assert.deepEqual(await news.deliver(), []);
    bed.put(statefulSets, setOf(2));
    assert.deepEqual(await news.deliver(), [key]);
  });

  test('that is gone asks for nothing', async () => {
    await using bed = new TestBed();
    assert.deepEqual(await bed.pass(new StatefulSetController(bed.context), key), { writes: [], events: [] });
  });
});
