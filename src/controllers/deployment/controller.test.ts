import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { deployments, pods, replicaSets } from '../../api/resource-types.ts';
import type { Deployment, ReplicaSet } from '../../api/schema/types.ts';
import { refusal } from '../../client/testing/fake-client.ts';
import { controllerRef } from '../ownership/owner.ts';
import { templateHash } from '../ownership/template-hash.ts';
import { podOf, template, webSelector } from '../testing/samples.ts';
import { TestBed } from '../testing/test-bed.ts';
import { DeploymentController } from './controller.ts';
import { desiredReplicasAnnotation, maxReplicasAnnotation, revisionAnnotation, revisionHistoryAnnotation } from './desired.ts';
import { draftReplicaSet } from './new-replica-set.ts';

const key = 'default/web';
const hash = templateHash(template);
const status = 'update deployments/status default/web';
const patchSelf = 'update deployments/status default/web';

function deployment(spec: Partial<NonNullable<Deployment['spec']>> = {}, metadata: Partial<Deployment['metadata']> = {}): Deployment {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace: 'default', uid: 'uid-dep', generation: 1, ...metadata },
    spec: { replicas: 4, selector: webSelector, template, progressDeadlineSeconds: 600, ...spec },
  };
}

/** A ReplicaSet of the deployment, of another template than its present one unless `fresh`. */
function replicaSet(
  owner: Deployment,
  name: string,
  size: number,
  more: { revision?: number; available?: number; fresh?: boolean } = {},
): ReplicaSet {
  const { revision = 1, available = size, fresh = false } = more;
  const draft = draftReplicaSet(owner, BigInt(revision));
  const spec = { ...draft.spec, selector: webSelector, replicas: size };
  const other = { ...spec, template: { ...spec.template, spec: { containers: [{ name: 'c', image: name }] } } };
  return {
    ...draft,
    metadata: { ...draft.metadata, name, uid: `uid-${name}`, ownerReferences: [controllerRef(owner)] },
    spec: fresh ? spec : other,
    status: { replicas: size, readyReplicas: available, availableReplicas: available },
  };
}

async function start(own: Deployment, ...sets: readonly ReplicaSet[]): Promise<{ bed: TestBed; controller: DeploymentController }> {
  const bed = new TestBed();
  bed.put(deployments, own);
  for (const set of sets) bed.put(replicaSets, set);
  const controller = new DeploymentController(bed.context);
  await bed.deliver();
  return { bed, controller };
}

describe('a Deployment', () => {
  test('makes the ReplicaSet of its template at full size, notes its revision, then writes the status', async () => {
    const { bed, controller } = await start(deployment());
    await using _ = bed;
    const pass = await bed.pass(controller, key);
    assert.deepEqual(pass, {
      writes: [`create replicasets default/web-${hash}`, patchSelf, status],
      events: [`Normal ScalingReplicaSet Scaled up replica set web-${hash} from 0 to 4`],
      requeueAfter: 600_100,
    });
    assert.equal(bed.client.find(deployments, key)?.metadata.annotations?.[revisionAnnotation], '1');
    assert.equal(
      bed.client.find(deployments, key)?.status?.conditions?.find((c) => c.type === 'Progressing')?.reason,
      'NewReplicaSetCreated',
    );
    await bed.deliver();
    assert.deepEqual((await bed.pass(controller, key)).writes, [], 'the next pass finds nothing to do');
  });

  test('tells of no scaling where it is to have no pods', async () => {
    const { bed, controller } = await start(deployment({ replicas: 0 }));
    await using _ = bed;
    const { writes, events } = await bed.pass(controller, key);
    assert.deepEqual([writes[0], events], [`create replicasets default/web-${hash}`, []]);
  });

  test('makes no second ReplicaSet while the copies are old', async () => {
    const { bed, controller } = await start(deployment());
    await using _ = bed;
    await bed.pass(controller, key);
    const { writes } = await bed.pass(controller, key);
    assert.ok(!writes.some((line) => line.startsWith('create')), writes.join('\n'));
  });

  test('goes on after a restart that lost the answer to its creation', async () => {
    const own = deployment();
    const { bed, controller } = await start(own);
    await using _ = bed;
    bed.put(replicaSets, replicaSet(own, `web-${hash}`, 4, { fresh: true }));
    const { writes, error } = await bed.pass(controller, key);
    assert.deepEqual(writes, [`create replicasets default/web-${hash}`, patchSelf, status]);
    assert.equal(error, undefined);
  });

  test('counts a collision when the name is somebody else’s, and does no more in this pass', async () => {
    const { bed, controller } = await start(deployment());
    await using _ = bed;
    bed.put(replicaSets, replicaSet(deployment({}, { name: 'else', uid: 'else' }), `web-${hash}`, 1));
    assert.deepEqual(await bed.pass(controller, key), {
      writes: [`create replicasets default/web-${hash}`, 'update deployments/status default/web'],
      events: [],
    });
    assert.equal(bed.client.find(deployments, key)?.status?.collisionCount, 1);
  });

  test('rolls: as much up as may surge, then as much down as may be missing', async () => {
    const own = deployment({}, { annotations: { [revisionAnnotation]: '2' } });
    const { bed, controller } = await start(
      own,
      replicaSet(own, 'web-old', 4),
      replicaSet(own, 'web-new', 0, { fresh: true, revision: 2 }),
    );
    await using _ = bed;
    const up = await bed.pass(controller, key);
    assert.deepEqual(up.writes, ['patch replicasets default/web-new', status]);
    assert.deepEqual(up.events, ['Normal ScalingReplicaSet Scaled up replica set web-new from 0 to 1']);
    await bed.deliver();
    const down = await bed.pass(controller, key);
    assert.deepEqual(down.events, ['Normal ScalingReplicaSet Scaled down replica set web-old from 4 to 3']);
  });

  test('rolls back: the old ReplicaSet becomes the newest revision, and remembers which it was', async () => {
    const own = deployment({}, { annotations: { [revisionAnnotation]: '2' } });
    const sets = [replicaSet(own, 'web-back', 4, { fresh: true, revision: 1 }), replicaSet(own, 'web-forth', 0, { revision: 2 })];
    const { bed, controller } = await start(own, ...sets);
    await using _ = bed;
    const { writes } = await bed.pass(controller, key);
    assert.deepEqual(writes, ['patch replicasets default/web-back', patchSelf, status]);
    const annotations = bed.client.find(replicaSets, 'default/web-back')?.metadata.annotations ?? {};
    assert.equal(annotations[revisionAnnotation], '3');
    assert.equal(annotations[revisionHistoryAnnotation], '1');
  });

  test('stamps on its ReplicaSet for which size it was sized, when it was scaled', async () => {
    const own = deployment({ replicas: 6 }, { annotations: { [revisionAnnotation]: '1' } });
    const { bed, controller } = await start(own, replicaSet(deployment(), 'web-new', 4, { fresh: true }));
    await using _ = bed;
    const { writes, events } = await bed.pass(controller, key);
    assert.deepEqual(writes, ['patch replicasets default/web-new', status]);
    assert.deepEqual(events, ['Normal ScalingReplicaSet Scaled up replica set web-new from 4 to 6']);
    const annotations = bed.client.find(replicaSets, 'default/web-new')?.metadata.annotations ?? {};
    assert.deepEqual([annotations[desiredReplicasAnnotation], annotations[maxReplicasAnnotation]], ['6', '8']);
  });

  test('that recreates waits for the last old pod, and is looked at when it goes', async () => {
    const own = deployment({ strategy: { type: 'Recreate' } }, { annotations: { [revisionAnnotation]: '1' } });
    const old = replicaSet(own, 'web-old', 0, { available: 0 });
    const { bed, controller } = await start(own, old);
    await using _ = bed;
    const news = bed.listen(controller);
    bed.put(pods, podOf(old, 'last', { more: { deletionTimestamp: '2026-01-01T00:00:00Z' } }));
    await news.deliver();
    assert.deepEqual((await bed.pass(controller, key)).writes, [status]);
    await news.deliver();
    bed.client.forget(pods, 'default/last');
    assert.deepEqual(await news.deliver(), [key]);
    const { writes } = await bed.pass(controller, key);
    assert.deepEqual(writes, [`create replicasets default/web-${hash}`, patchSelf, status]);
  });

  test('that is paused makes no ReplicaSet', async () => {
    const { bed, controller } = await start(deployment({ paused: true }));
    await using _ = bed;
    assert.deepEqual((await bed.pass(controller, key)).writes, [status]);
  });

  test('that is being deleted only tells its status', async () => {
    const own = deployment({}, { deletionTimestamp: '2026-01-01T00:00:00Z' });
    const { bed, controller } = await start(own, replicaSet(own, 'web-old', 4));
    await using _ = bed;
    assert.deepEqual((await bed.pass(controller, key)).writes, [status]);
  });

  test('forgets ReplicaSets beyond its history, oldest first, once the rollout is complete', async () => {
    const own = deployment({ revisionHistoryLimit: 1 }, { annotations: { [revisionAnnotation]: '4' } });
    const old = [3, 1, 2].map((revision) => replicaSet(own, `web-${revision}`, 0, { revision, available: 0 }));
    const { bed, controller } = await start(own, ...old, replicaSet(own, 'web-new', 4, { fresh: true, revision: 4 }));
    await using _ = bed;
    bed.client.forget(replicaSets, 'default/web-1');
    const { writes, error } = await bed.pass(controller, key);
    assert.deepEqual(writes, [status, 'delete replicasets default/web-1', 'delete replicasets default/web-2']);
    assert.equal(error, undefined, 'one that is gone already is fine');
  });

  test('stops half way when somebody changed a ReplicaSet, and comes back', async () => {
    const own = deployment({}, { annotations: { [revisionAnnotation]: '2' } });
    const fresh = replicaSet(own, 'web-new', 0, { fresh: true, revision: 2 });
    const { bed, controller } = await start(own, replicaSet(own, 'web-old', 4), fresh);
    await using _ = bed;
    bed.put(replicaSets, { ...fresh, metadata: { ...fresh.metadata, labels: { ...fresh.metadata.labels, changed: 'yes' } } });
    const { writes, events, error } = await bed.pass(controller, key);
    assert.deepEqual({ writes, events }, { writes: ['patch replicasets default/web-new'], events: [] });
    assert.equal(error, 'the object "web-new" has been modified');
  });

  test('throws what the server says to a creation', async () => {
    const { bed, controller } = await start(deployment());
    await using _ = bed;
    bed.client.refuse(/create replicasets/, refusal(403, 'Forbidden', 'exceeded quota'));
    const { writes, error } = await bed.pass(controller, key);
    assert.deepEqual({ writes, error }, { writes: [`create replicasets default/web-${hash}`], error: 'exceeded quota' });
  });

  test('that is gone asks for nothing', async () => {
    await using bed = new TestBed();
    assert.deepEqual(await bed.pass(new DeploymentController(bed.context), key), { writes: [], events: [] });
  });
});
