/**
 * Keeps claims, volumes and classes of attributes from going while something uses them: a finalizer that the API server gives to new ones,
 * and that is taken away when one that is being deleted is not in use any more.
 */

import { objectKey } from '../../api/object-key.ts';
import {
  type KubeObject,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  type ResourceType,
  volumeAttributesClasses,
} from '../../api/resource-types.ts';
import type { PersistentVolumeClaim, Pod } from '../../api/schema/types.ts';
import { pvcProtectionFinalizer, pvProtectionFinalizer, vacProtectionFinalizer } from '../../api/well-known.ts';
import type { Informer } from '../../client/informer.ts';
import { runController } from '../../client/run-controller.ts';
import { WorkQueue } from '../../client/work-queue.ts';
import type { ControllerContext } from '../context.ts';
import { claimsOf, isClaimInUse, isClassInUse, isVolumeInUse, stepOf } from './desired.ts';

interface Protected<T extends KubeObject> {
  readonly name: string;
  readonly type: ResourceType<T>;
  readonly finalizer: string;
  /** Asked of an object that is being deleted; the answer must not be older than the question. */
  isInUse(object: T): Promise<boolean> | boolean;
}

async function run<T extends KubeObject>(
  { client, informers, clock, log, signal }: ControllerContext,
  { name, type, finalizer, isInUse }: Protected<T>,
  listen: (queue: WorkQueue, informer: Informer<T>) => readonly Promise<unknown>[],
): Promise<void> {
  const queue = new WorkQueue({ clock });
  const informer = informers.of(type);
  const look = (object: T): void => {
    if (stepOf(object, finalizer) !== 'keep') queue.add(objectKey(object));
  };
  informer.on({ add: look, update: look });
  await Promise.all([informer.synced, ...listen(queue, informer)]);
  await runController({ name, queue, reconcile, log, signal });

  async function reconcile(key: string): Promise<void> {
    const object = informer.get(key);
    const step = object && stepOf(object, finalizer);
    if (!object || step === 'keep' || (step === 'release if unused' && (await isInUse(object)))) return;
    const others = (object.metadata.finalizers ?? []).filter((one) => one !== finalizer);
    const finalizers = step === 'protect' ? [...others, finalizer] : others;
    await client.update(type, { ...object, metadata: { ...object.metadata, finalizers } });
  }
}

export async function runClaimProtection(context: ControllerContext): Promise<void> {
  const { client, informers } = context;
  const podInformer = informers.of(pods);
  await run<PersistentVolumeClaim>(
    context,
    {
      name: 'persistentvolumeclaim-protection-controller',
      type: persistentVolumeClaims,
      finalizer: pvcProtectionFinalizer,
      // A pod that the copy does not know yet would lose its volume.
      isInUse: async (claim) => isClaimInUse(claim, (await client.list(pods, { namespace: claim.metadata.namespace ?? '' })).items),
    },
    (queue, claims) => {
      const look = (pod: Pod): void => {
        for (const name of claimsOf(pod)) {
          const key = `${pod.metadata.namespace}/${name}`;
          if (claims.get(key)?.metadata.deletionTimestamp !== undefined) queue.add(key);
        }
      };
      podInformer.on({ update: look, delete: look });
      return [podInformer.synced];
    },
  );
}

export async function runVolumeProtection(context: ControllerContext): Promise<void> {
  await run(
    context,
    {
      name: 'persistentvolume-protection-controller',
      type: persistentVolumes,
      finalizer: pvProtectionFinalizer,
      isInUse: isVolumeInUse,
    },
    () => [],
  );
}

export async function runAttributesClassProtection(context: ControllerContext): Promise<void> {
  const { client, informers } = context;
  const [claims, volumes] = [informers.of(persistentVolumeClaims), informers.of(persistentVolumes)];
  await run(
    context,
    {
      name: 'volumeattributesclass-protection-controller',
      type: volumeAttributesClasses,
      finalizer: vacProtectionFinalizer,
      isInUse: async (object) =>
        isClassInUse(object, (await client.list(persistentVolumeClaims)).items, (await client.list(persistentVolumes)).items),
    },
    (queue, classes) => {
      const lookAtDeleted = (): void => {
        for (const one of classes.list()) if (one.metadata.deletionTimestamp !== undefined) queue.add(objectKey(one));
      };
      claims.on({ update: lookAtDeleted, delete: lookAtDeleted });
      volumes.on({ update: lookAtDeleted, delete: lookAtDeleted });
      return [claims.synced, volumes.synced];
    },
  );
}
