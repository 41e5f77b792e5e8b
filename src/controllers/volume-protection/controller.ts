/**
 * Keeps claims, volumes and classes of attributes from going while something uses them: a finalizer that the API server gives to new ones,
 * and that is taken away when one that is being deleted is not in use any more.
 */
import { objectKey } from '../../api/object-key.ts';
import { type KubeObject, persistentVolumeClaims, persistentVolumes, pods, volumeAttributesClasses } from '../../api/resource-types.ts';
import type { PersistentVolume, PersistentVolumeClaim, Pod, VolumeAttributesClass } from '../../api/schema/types.ts';
import { pvcProtectionFinalizer, pvProtectionFinalizer, vacProtectionFinalizer } from '../../api/well-known.ts';
import type { Controller } from '../../client/controller.ts';
import type { Informer } from '../../client/informer.ts';
import { KeyedController } from '../context.ts';
import { claimsOf, isClaimInUse, isClassInUse, isVolumeInUse, stepOf } from './desired.ts';

/** What is the same for all three. A kind says when its objects are in use, and which other news may end that. */
abstract class ProtectionController<T extends KubeObject> extends KeyedController {
  protected abstract readonly objects: Informer<T>;
  protected abstract readonly finalizer: string;

  /** Asked of an object that is being deleted; the answer must not be older than the question. */
  protected abstract isInUse(object: T): Promise<boolean>;

  setup(controller: Controller): void {
    controller.for(this.objects, (object) => stepOf(object, this.finalizer) !== 'keep');
  }

  async reconcile(key: string): Promise<undefined> {
    const object = this.objects.get(key);
    const step = object && stepOf(object, this.finalizer);
    if (!object || step === 'keep' || (step === 'release if unused' && (await this.isInUse(object)))) return;
    const others = (object.metadata.finalizers ?? []).filter((one) => one !== this.finalizer);
    const finalizers = step === 'protect' ? [...others, this.finalizer] : others;
    await this.client.update(this.objects.type, { ...object, metadata: { ...object.metadata, finalizers } });
  }

  /** Of those that wait for what uses them to go. */
  protected keysOfDeleted(keys: readonly string[]): string[] {
    return keys.filter((key) => this.objects.get(key)?.metadata.deletionTimestamp !== undefined);
  }
}

export class ClaimProtectionController extends ProtectionController<PersistentVolumeClaim> {
  readonly name = 'persistentvolumeclaim-protection-controller';
  protected readonly objects: Informer<PersistentVolumeClaim> = this.informers.of(persistentVolumeClaims);
  protected readonly finalizer: string = pvcProtectionFinalizer;
  readonly #pods = this.informers.of(pods);

  override setup(controller: Controller): void {
    super.setup(controller);
    const claims = (pod: Pod): string[] => this.keysOfDeleted(claimsOf(pod).map((name) => `${pod.metadata.namespace}/${name}`));
    controller.watches(this.#pods, { update: claims, delete: claims });
  }

  /** A pod that the copy does not know yet would lose its volume. */
  protected async isInUse(claim: PersistentVolumeClaim): Promise<boolean> {
    return isClaimInUse(claim, (await this.client.list(pods, { namespace: claim.metadata.namespace ?? '' })).items);
  }
}

export class VolumeProtectionController extends ProtectionController<PersistentVolume> {
  readonly name = 'persistentvolume-protection-controller';
  protected readonly objects: Informer<PersistentVolume> = this.informers.of(persistentVolumes);
  protected readonly finalizer: string = pvProtectionFinalizer;

  protected async isInUse(volume: PersistentVolume): Promise<boolean> {
    return isVolumeInUse(volume);
  }
}

export class AttributesClassProtectionController extends ProtectionController<VolumeAttributesClass> {
  readonly name = 'volumeattributesclass-protection-controller';
  protected readonly objects: Informer<VolumeAttributesClass> = this.informers.of(volumeAttributesClasses);
  protected readonly finalizer: string = vacProtectionFinalizer;
  readonly #claims = this.informers.of(persistentVolumeClaims);
  readonly #volumes = this.informers.of(persistentVolumes);

  override setup(controller: Controller): void {
    super.setup(controller);
    const classes = (): string[] => this.keysOfDeleted(this.objects.list().map(objectKey));
    controller.watches(this.#claims, { update: classes, delete: classes }).watches(this.#volumes, { update: classes, delete: classes });
  }

  protected async isInUse(object: VolumeAttributesClass): Promise<boolean> {
    const [claims, volumes] = [await this.client.list(persistentVolumeClaims), await this.client.list(persistentVolumes)];
    return isClassInUse(object, claims.items, volumes.items);
  }
}
