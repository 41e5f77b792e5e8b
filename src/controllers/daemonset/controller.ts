/** One pod on every node that a DaemonSet fits, and a ControllerRevision for each template it had. */
import { objectKey } from '../../api/object-key.ts';
import { daemonSets, nodes, pods } from '../../api/resource-types.ts';
import type { DaemonSet, Node, Pod } from '../../api/schema/types.ts';
import { type Controller, type Result, soonest } from '../../client/controller.ts';
import { KeyedController } from '../context.ts';
import { Dependents } from '../ownership/dependents.ts';
import { ownersOf, selectorOf } from '../ownership/owners-of.ts';
import { PodControl, podsAfter } from '../ownership/pod-control.ts';
import { podFromTemplate } from '../ownership/pod-from-template.ts';
import { isOver } from '../ownership/pod-state.ts';
import { Revisions } from '../ownership/revisions.ts';
import { daemonSetStatus, hashLabel, nodeOf, planDaemons, templateFor } from './desired.ts';
import { FailedPods } from './failed-pods.ts';

/** At most this many pods are made, and this many removed, in one pass. */
const burst = 250;
/** What was made or removed brings news; what is beyond the burst does not. */
const afterBurstMs = 100;
/** How often pods that are ready, but not yet for long enough, are looked at. */
const availabilityMs = 1_000;

const zeros = { numberAvailable: 0, numberUnavailable: 0, updatedNumberScheduled: 0 };

/** What a pass has done to the pods of a set. */
interface Managed {
  readonly pods: readonly Pod[];
  readonly result?: Result | undefined;
  readonly error?: unknown;
}

export class DaemonSetController extends KeyedController {
  readonly name = 'daemonset-controller';
  readonly #sets = this.informers.of(daemonSets);
  readonly #nodes = this.informers.of(nodes);
  readonly #pods = new Dependents(this.context, pods, daemonSets);
  readonly #control = new PodControl(this.#pods, this.recorder);
  readonly #revisions = new Revisions(this.context, daemonSets, hashLabel);
  readonly #failedPods = new FailedPods(this.clock);

  setup(controller: Controller): void {
    const all = (): string[] => this.#sets.list().map(objectKey);
    controller
      .for(this.#sets)
      .owns(this.#pods.informer, (pod) => ownersOf(this.#sets, selectorOf, pod))
      .watches(this.#nodes, {
        add: all,
        update: (node, previous) => (relevant(node) === relevant(previous) ? [] : all()),
        delete: all,
      })
      .waitsFor(this.#revisions.informer);
    this.#sets.on({ delete: ({ metadata }) => this.#failedPods.forget(metadata.uid ?? '') });
  }

  async reconcile(key: string): Promise<Result | undefined> {
    const set = this.#sets.get(key);
    if (!set?.spec) return;
    const owned = await this.#pods.claim(set, selectorOf(set));
    const history = await this.#revisions.upTo(set);
    const current = history.at(-1);
    const hash = current?.metadata.labels?.[hashLabel] ?? '';
    await this.#revisions.trim(set, history, (r) => r === current);
    const all = this.#nodes.list();
    const managed: Managed = set.metadata.deletionTimestamp ? { pods: owned } : await this.#manage(set, hash, all, owned);
    const status = daemonSetStatus(set, hash, all, managed.pods, this.clock.now());
    await this.writeStatus(daemonSets, set, status, zeros);
    if (managed.error !== undefined) throw managed.error;
    const waits = (set.spec.minReadySeconds ?? 0) > 0 && status.numberAvailable !== status.numberReady;
    return soonest(managed.result, waits ? { requeueAfter: availabilityMs } : undefined);
  }

  async #manage(set: DaemonSet, hash: string, all: readonly Node[], owned: readonly Pod[]): Promise<Managed> {
    const plan = planDaemons(set, hash, all, owned, this.clock.now());
    const { due, result } = this.#dueOf(set, plan.remove);
    const wanted = plan.create.slice(0, burst).map((node) => podFromTemplate(templateFor(set, node, hash), set));
    const [created, deleted] = await Promise.all([this.#control.createAll(set, wanted), this.#control.deleteAll(set, due.slice(0, burst))]);
    const isCut = plan.create.length > burst || due.length > burst;
    return {
      pods: podsAfter(owned, [...created.results, ...deleted.results]),
      result: soonest(result, isCut ? { requeueAfter: afterBurstMs } : undefined),
      error: created.error ?? deleted.error,
    };
  }

  /** A pod that fails as soon as it is there is removed, and so made again, ever more slowly. */
  #dueOf(set: DaemonSet, remove: readonly Pod[]): { readonly due: readonly Pod[]; readonly result: Result | undefined } {
    const due: Pod[] = [];
    let result: Result | undefined;
    for (const pod of remove) {
      const { wait, isNew } = isOver(pod)
        ? this.#failedPods.look(set.metadata.uid ?? '', nodeOf(pod), pod.metadata.uid ?? '')
        : { wait: 0, isNew: false };
      if (isNew) this.#tellEnd(set, pod);
      if (wait > 0) result = soonest(result, { requeueAfter: wait });
      else due.push(pod);
    }
    return { due, result };
  }

  #tellEnd(set: DaemonSet, pod: Pod): void {
    const node = nodeOf(pod);
    const [failed, succeeded] = [`failed daemon pod ${objectKey(pod)}`, `succeeded daemon pod ${pod.metadata.name}`];
    if (pod.status?.phase === 'Failed')
      this.recorder.event(set, 'Warning', 'FailedDaemonPod', `Found ${failed} on node ${node}, will try to kill it`);
    else this.recorder.event(set, 'Normal', 'SucceededDaemonPod', `Found ${succeeded} on node ${node}, will try to delete it`);
  }
}

/** What of a node decides whether daemons run there. A heartbeat does not. */
function relevant(node: Node): string {
  return JSON.stringify([node.metadata.labels, node.spec?.taints]);
}
