/** Makes, marks and scales the ReplicaSets of a Deployment, and tells the cluster of each scaling. */
import { deployments, replicaSets } from '../../api/resource-types.ts';
import type { Deployment, ReplicaSet } from '../../api/schema/types.ts';
import { isAlreadyExists } from '../../client/api-error.ts';
import type { Client } from '../../client/client.ts';
import type { EventRecorder } from '../../client/event-recorder.ts';
import type { Dependents } from '../ownership/dependents.ts';
import { controllerOf } from '../ownership/owner.ts';
import { canonical } from '../ownership/template-hash.ts';
import { hasTemplateOf } from './desired.ts';
import { sizeStamps } from './new-replica-set.ts';
import type { Sizes } from './sizes.ts';

export class ReplicaSetControl {
  readonly #client: Client;
  readonly #replicaSets: Dependents<ReplicaSet>;
  readonly #recorder: EventRecorder;

  constructor(client: Client, owned: Dependents<ReplicaSet>, recorder: EventRecorder) {
    this.#client = client;
    this.#replicaSets = owned;
    this.#recorder = recorder;
  }

  /** Undefined when the name is somebody else's. */
  async create(deployment: Deployment, draft: ReplicaSet, replicas: number): Promise<ReplicaSet | undefined> {
    const { name, namespace = '' } = draft.metadata;
    try {
      const made = await this.#replicaSets.create({ ...draft, spec: { selector: {}, ...draft.spec, replicas } });
      if (replicas > 0) this.#tellScaling(deployment, made, 0, replicas);
      return made;
    } catch (err) {
      if (!isAlreadyExists(err)) throw err;
      const there = await this.#client.get(replicaSets, name, { namespace });
      // Made a moment ago, before a restart or an answer that was lost.
      if (controllerOf(there.metadata)?.uid === deployment.metadata.uid && hasTemplateOf(deployment, there)) return there;
      // Another owner's, or another template with the same hash: count it, so that the next hash is another one.
      const collisionCount = (deployment.status?.collisionCount ?? 0) + 1;
      await this.#client.update(
        deployments,
        { ...deployment, status: { ...deployment.status, collisionCount } },
        { subresource: 'status' },
      );
      return undefined;
    }
  }

  /** Undefined when it is gone. */
  async annotate(deployment: Deployment, fresh: ReplicaSet, annotations: Record<string, string>): Promise<ReplicaSet | undefined> {
    const { minReadySeconds } = deployment.spec ?? {};
    const isSame = canonical(annotations) === canonical(fresh.metadata.annotations) && fresh.spec?.minReadySeconds === minReadySeconds;
    if (isSame) return fresh;
    return this.#replicaSets.patch(fresh, { metadata: { annotations }, spec: { minReadySeconds: minReadySeconds ?? null } });
  }

  /** The ReplicaSet at its new size; undefined when it is gone. */
  async scale(deployment: Deployment, rs: ReplicaSet, sizes: Sizes): Promise<ReplicaSet | undefined> {
    const stamps = sizeStamps(deployment);
    const from = rs.spec?.replicas ?? 0;
    const to = sizes.get(rs.metadata.name) ?? from;
    const isStamped = Object.entries(stamps).every(([key, value]) => rs.metadata.annotations?.[key] === value);
    if (to === from && (isStamped || to === 0)) return rs;
    const { resourceVersion } = rs.metadata;
    const scaled = await this.#replicaSets.patch(rs, { metadata: { annotations: stamps, resourceVersion }, spec: { replicas: to } });
    if (scaled && to !== from) this.#tellScaling(deployment, scaled, from, to);
    return scaled;
  }

  #tellScaling(deployment: Deployment, rs: ReplicaSet, from: number, to: number): void {
    const message = `Scaled ${to >= from ? 'up' : 'down'} replica set ${rs.metadata.name} from ${from} to ${to}`;
    this.#recorder.event(deployment, 'Normal', 'ScalingReplicaSet', message);
  }
}
