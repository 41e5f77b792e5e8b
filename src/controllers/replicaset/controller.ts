/** Keeps the number of pods of ReplicaSets and ReplicationControllers. */
import { pods, type ResourceType, replicaSets, replicationControllers } from '../../api/resource-types.ts';
import type { Pod, ReplicaSet, ReplicationController } from '../../api/schema/types.ts';
import { labelSelectorOf, type Selector } from '../../api/selector/label.ts';
import type { Controller, Result } from '../../client/controller.ts';
import { EventRecorder } from '../../client/event-recorder.ts';
import type { Informer } from '../../client/informer.ts';
import { messageOf } from '../../errors/known-error.ts';
import { type ControllerContext, KeyedController } from '../context.ts';
import { Dependents } from '../ownership/dependents.ts';
import { ownersOf, selectorOf } from '../ownership/owners-of.ts';
import { PodControl, podsAfter } from '../ownership/pod-control.ts';
import { podFromTemplate } from '../ownership/pod-from-template.ts';
import { type Failure, planReplicas, replicaStatus } from './desired.ts';

type Owner = ReplicaSet | ReplicationController;

const zeros = { fullyLabeledReplicas: 0, readyReplicas: 0, availableReplicas: 0, observedGeneration: 0 };

/** What the two kinds differ in. */
interface Flavour<T extends Owner> {
  readonly name: string;
  readonly type: ResourceType<T>;
  readonly selectorOf: (owner: T) => Selector;
}

/** What a pass has done to the pods of an owner. */
interface Managed {
  readonly pods: readonly Pod[];
  readonly failure?: Failure;
  readonly error?: unknown;
}

abstract class ReplicasController<T extends Owner> extends KeyedController {
  readonly name: string;
  readonly #flavour: Flavour<T>;
  readonly #owners: Informer<T>;
  readonly #pods: Dependents<Pod>;
  readonly #control: PodControl;

  constructor(context: ControllerContext, flavour: Flavour<T>) {
    super(context);
    this.name = flavour.name;
    this.#flavour = flavour;
    this.#owners = this.informers.of(flavour.type);
    this.#pods = new Dependents(context, pods, flavour.type);
    this.#control = new PodControl(this.#pods, new EventRecorder({ ...context, component: flavour.name }));
  }

  setup(controller: Controller): void {
    controller.for(this.#owners).owns(this.#pods.informer, (pod) => ownersOf(this.#owners, this.#flavour.selectorOf, pod));
  }

  async reconcile(key: string): Promise<Result | undefined> {
    const owner = this.#owners.get(key);
    if (!owner?.spec) return;
    const owned = await this.#pods.claim(owner, this.#flavour.selectorOf(owner));
    const managed = owner.metadata.deletionTimestamp ? { pods: owned } : await this.#manage(owner, owned);
    const result = await this.#updateStatus(owner, managed);
    if (managed.error !== undefined) throw managed.error;
    return result;
  }

  async #manage(owner: T, owned: readonly Pod[]): Promise<Managed> {
    const { template, replicas = 1 } = owner.spec ?? {};
    const plan = planReplicas(replicas, owned);
    const wanted = template ? Array<Pod>(plan.create).fill(podFromTemplate(template, owner)) : [];
    const created = await this.#control.createAll(owner, wanted);
    const deleted = await this.#control.deleteAll(owner, plan.remove);
    const after = podsAfter(owned, [...created.results, ...deleted.results]);
    const error = created.error ?? deleted.error;
    if (error === undefined) return { pods: after };
    return { pods: after, error, failure: { reason: created.error ? 'FailedCreate' : 'FailedDelete', message: messageOf(error) } };
  }

  async #updateStatus(owner: T, { pods: owned, failure }: Managed): Promise<Result | undefined> {
    const { status, lookAgainIn } = replicaStatus(owner, owned, this.clock.now(), failure);
    await this.writeStatus<T>(this.#flavour.type, owner, status, zeros);
    return { requeueAfter: lookAgainIn };
  }
}

export class ReplicaSetController extends ReplicasController<ReplicaSet> {
  constructor(context: ControllerContext) {
    super(context, { name: 'replicaset-controller', type: replicaSets, selectorOf });
  }
}

export class ReplicationControllerController extends ReplicasController<ReplicationController> {
  constructor(context: ControllerContext) {
    const selectorOf = ({ spec }: ReplicationController): Selector => labelSelectorOf({ matchLabels: spec?.selector ?? {} });
    super(context, { name: 'replication-controller', type: replicationControllers, selectorOf });
  }
}
