/**
 * Gives the claims of a pod their volumes before the pod gets its node: writes the volume's half of a binding, or the node for a provisioner, and
 * waits until the persistentvolume-binder-controller has done the rest. Upstream's BindPodVolumes (volumebinding/binder.go).
 */
import { objectKey } from '../api/object-key.ts';
import type { NodeIdentity } from '../api/placement/node-selector.ts';
import { isBound, isReachedFrom, selectedNode } from '../api/placement/volume-claim.ts';
import { persistentVolumeClaims, persistentVolumes } from '../api/resource-types.ts';
import type { PersistentVolume, PersistentVolumeClaim, Pod } from '../api/schema/types.ts';
import type { Client } from '../client/client.ts';
import { onAbort } from '../clock/aborted.ts';
import type { Clock } from '../clock/clock.ts';
import type { Cluster } from './cluster.ts';
import type { PlannedBinding, PlannedProvision, VolumePlan } from './volume-plan.ts';

/** Upstream's bindTimeoutSeconds. */
const bindTimeoutMs = 600_000;

export interface VolumeBinderOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly cluster: Cluster;
  readonly pods: { get(key: string): Pod | undefined };
  readonly signal: AbortSignal;
}

export class VolumeBinder {
  readonly #options: VolumeBinderOptions;
  readonly #waiting = new Set<() => void>();

  constructor(options: VolumeBinderOptions) {
    this.#options = options;
  }

  /** There is news of pods, nodes, claims or volumes. */
  look(): void {
    for (const look of this.#waiting) look();
  }

  /** Carries out what has been assumed; resolves when all is bound. Whatever comes of it, nothing is assumed any more then. */
  async bind(pod: Pod, plan: VolumePlan): Promise<void> {
    const { client, cluster } = this.#options;
    try {
      for (const { volume, isWritten } of plan.bindings) if (!isWritten) await client.update(persistentVolumes, volume);
      for (const { claim, isWritten } of plan.provisions) if (!isWritten) await client.update(persistentVolumeClaims, claim);
      await this.#untilBound(pod, plan);
    } finally {
      cluster.assumedVolumes.forget(plan);
    }
  }

  async #untilBound(pod: Pod, plan: VolumePlan): Promise<void> {
    const { clock, signal } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const seen = new Set<PlannedBinding | PlannedProvision>();
    const look = (): void => {
      try {
        if (this.#isDone(pod, plan, seen)) resolve();
      } catch (err) {
        reject(err);
      }
    };
    const timer = clock.after(bindTimeoutMs, () => reject(new Error('context deadline exceeded')));
    using _ = onAbort(signal, () => reject(signal.reason));
    this.#waiting.add(look);
    look();
    try {
      await promise;
    } finally {
      timer.cancel();
      this.#waiting.delete(look);
    }
  }

  /** Throws when it will never be. `seen`: what the informers have shown as it was written. */
  #isDone(pod: Pod, plan: VolumePlan, seen: Set<PlannedBinding | PlannedProvision>): boolean {
    const { cluster, pods } = this.#options;
    const current = pods.get(objectKey(pod));
    if (current?.metadata.uid !== pod.metadata.uid || current?.metadata.deletionTimestamp) throw new Error('pod does not exist any more');
    const node = cluster.nodeNamed(plan.node);
    if (!node) throw new Error(`failed to get node ${JSON.stringify(plan.node)}`);
    // Each is looked at each time: what is not seen now may be gone at the next look.
    const bound = plan.bindings.map((binding) => this.#isBindingDone(binding, node, seen));
    const made = plan.provisions.map((provision) => this.#isProvisionDone(provision, node, seen));
    return [...bound, ...made].every(Boolean);
  }

  #isBindingDone(binding: PlannedBinding, node: NodeIdentity, seen: Set<unknown>): boolean {
    const { name } = binding.volume.metadata;
    const { storage, assumedVolumes } = this.#options.cluster;
    const volume = storage.volumes.get(name);
    if (!volume) throw new Error(`failed to check binding: persistentvolume ${JSON.stringify(name)} not found`);
    const claim = this.#claim(binding.claim);
    if (volume.spec?.claimRef?.uid === claim.metadata.uid) seen.add(binding);
    else {
      const isGivenUp = binding.isWritten && !assumedVolumes.volumes.has(name);
      if (seen.has(binding) || isGivenUp) throw new Error(`ClaimRef got reset for pv ${JSON.stringify(name)}`);
      return false;
    }
    checkReach(volume, node);
    if (!isBound(claim)) return false;
    if (claim.spec?.volumeName !== name) throw new Error(`claim ${JSON.stringify(claim.metadata.name)} got another pv`);
    return true;
  }

  #isProvisionDone(provision: PlannedProvision, node: NodeIdentity, seen: Set<unknown>): boolean {
    const { storage, assumedVolumes } = this.#options.cluster;
    const claim = this.#claim(provision.claim);
    const chosen = claim.metadata.annotations?.[selectedNode];
    if (chosen === node.name) seen.add(provision);
    else {
      const isGivenUp = provision.isWritten && !assumedVolumes.claims.has(objectKey(claim));
      // A provisioner takes the node away when it cannot make a volume there: another one is to be chosen.
      if (seen.has(provision) || isGivenUp) throw new Error(`provisioning failed for PVC ${JSON.stringify(claim.metadata.name)}`);
      return false;
    }
    const volume = isBound(claim) ? storage.volumes.get(claim.spec?.volumeName ?? '') : undefined;
    if (!volume) return false;
    checkReach(volume, node);
    return true;
  }

  #claim({ metadata }: PersistentVolumeClaim): PersistentVolumeClaim {
    const claim = this.#options.cluster.storage.claims.get(`${metadata.namespace}/${metadata.name}`);
    if (claim?.metadata.uid !== metadata.uid || !claim) throw new Error(`persistentvolumeclaim ${JSON.stringify(metadata.name)} not found`);
    return claim;
  }
}

function checkReach(volume: PersistentVolume, node: NodeIdentity): void {
  if (isReachedFrom(node, volume)) return;
  throw new Error(`pv ${JSON.stringify(volume.metadata.name)} node affinity doesn't match node ${JSON.stringify(node.name)}`);
}
