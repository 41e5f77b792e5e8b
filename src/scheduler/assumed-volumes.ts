/** Volumes and claims as they will be: what a pod was given a moment ago is nobody else's, long before the informers tell. */
import { objectKey } from '../api/object-key.ts';
import type { PersistentVolume, PersistentVolumeClaim } from '../api/schema/types.ts';
import type { VolumePlan } from './volume-plan.ts';

export class AssumedVolumes {
  readonly #volumes = new Map<string, PersistentVolume>();
  readonly #claims = new Map<string, PersistentVolumeClaim>();

  /** By name. */
  get volumes(): Pick<ReadonlyMap<string, PersistentVolume>, 'get' | 'has'> {
    return this.#volumes;
  }

  /** By key, those with a node for which somebody is to make a volume. */
  get claims(): Pick<ReadonlyMap<string, PersistentVolumeClaim>, 'get' | 'has'> {
    return this.#claims;
  }

  assume({ bindings, provisions }: VolumePlan): void {
    for (const { volume, isWritten } of bindings) if (!isWritten) this.#volumes.set(volume.metadata.name, volume);
    for (const { claim, isWritten } of provisions) if (!isWritten) this.#claims.set(objectKey(claim), claim);
  }

  /** From now on what the informers say is true: the plan was carried out, or given up. */
  forget({ bindings, provisions }: VolumePlan): void {
    for (const { volume } of bindings) if (this.#volumes.get(volume.metadata.name) === volume) this.#volumes.delete(volume.metadata.name);
    for (const { claim } of provisions) if (this.#claims.get(objectKey(claim)) === claim) this.#claims.delete(objectKey(claim));
  }
}
