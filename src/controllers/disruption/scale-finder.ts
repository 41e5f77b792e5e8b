/** How many replicas the controllers of pods want, of which a share may be asked for. */
import { rows } from '../../api/registry/registry.ts';
import {
  apiVersionOf,
  deployments,
  type KubeObject,
  type ResourceType,
  replicaSets,
  replicationControllers,
  statefulSets,
} from '../../api/resource-types.ts';
import type { OwnerReference, Pod } from '../../api/schema/types.ts';
import type { Informer } from '../../client/informer.ts';
import type { InformerSet } from '../../client/informers.ts';
import { controllerOf } from '../ownership/owner.ts';

export type Scaled = KubeObject & { spec?: { replicas?: number | undefined } | undefined };

export interface Scale {
  /** Of all controllers together. */
  readonly replicas: number;
  /** Some pods have no controller, so the number says less than it seems. */
  readonly hasUnmanaged: boolean;
}

export class ScaleFinder {
  readonly informers: readonly Informer<Scaled>[];

  constructor(informers: InformerSet) {
    const types = [replicationControllers, deployments, replicaSets, statefulSets];
    this.informers = types.map((type) => informers.of(type as ResourceType<Scaled>));
  }

  /** Throws for a pod whose controller has no number, or is not there. */
  scaleOf(pods: readonly Pod[]): Scale {
    // Pods of two ReplicaSets of one Deployment have one controller.
    const controllers = new Map<string, number>();
    const asked = new Set<string>();
    for (const { metadata } of pods) {
      const ref = controllerOf(metadata);
      if (!ref || asked.has(ref.uid)) continue;
      asked.add(ref.uid);
      const owner = this.#ownerOf(ref, metadata.namespace ?? '');
      if (!owner) throw new Error(`found no controllers for pod ${JSON.stringify(metadata.name)}`);
      controllers.set(owner.metadata.uid ?? '', owner.spec?.replicas ?? 1);
    }
    const replicas = [...controllers.values()].reduce((sum, one) => sum + one, 0);
    return { replicas, hasUnmanaged: pods.some(({ metadata }) => !controllerOf(metadata)) };
  }

  /** The Deployment of a ReplicaSet, if it has one. */
  #ownerOf(ref: OwnerReference, namespace: string): Scaled | undefined {
    const informer = this.informers.find(({ type }) => type.kind === ref.kind && apiVersionOf(type) === ref.apiVersion);
    if (!informer) throw new Error(noScale(ref));
    const owner = informer.get(`${namespace}/${ref.name}`);
    if (owner?.metadata.uid !== ref.uid) return undefined;
    const above = ref.kind === 'ReplicaSet' ? controllerOf(owner.metadata) : undefined;
    return above?.kind === 'Deployment' ? this.#ownerOf(above, namespace) : owner;
  }
}

function noScale({ apiVersion, kind }: OwnerReference): string {
  const row = rows.find(({ type }) => type.kind === kind && apiVersionOf(type) === apiVersion);
  if (!row) return `no matches for kind ${JSON.stringify(kind)} in version ${JSON.stringify(apiVersion)}`;
  const { group, resource } = row.type;
  return `${group ? `${resource}.${group}` : resource} does not implement the scale subresource`;
}
