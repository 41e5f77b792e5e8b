/** Takes pods off nodes with NoExecute taints that they do not tolerate, or not for ever (upstream's taint-eviction-controller). */
import { objectKey, splitKey } from '../../api/object-key.ts';
import { nodes, pods } from '../../api/resource-types.ts';
import type { Node, Pod, Taint } from '../../api/schema/types.ts';
import { ignoreNotFound, isConflict } from '../../client/api-error.ts';
import type { Controller, Result } from '../../client/controller.ts';
import { KeyedController } from '../context.ts';
import { evictionTime } from './desired.ts';

export class TaintEvictionController extends KeyedController {
  readonly name = 'taint-eviction-controller';
  protected override readonly component = 'node-controller';
  readonly #nodes = this.informers.of(nodes);
  readonly #pods = this.informers.of(pods).addIndex('node', (pod) => [pod.spec?.nodeName ?? '']);
  /** By node, when each of its taints came up: for those whose time nobody wrote down (kubectl does not). */
  readonly #seen = new Map<string, ReadonlyMap<string, number>>();
  /** By the uid of a pod that has to leave: when by the wall clock, and when by this process's own. */
  readonly #leaving = new Map<string, { readonly due: number; readonly at: number }>();

  setup(controller: Controller): void {
    const ofPod = (pod: Pod): string[] => (this.#nodeOf(pod)?.spec?.taints?.some((t) => t.effect === 'NoExecute') ? [objectKey(pod)] : []);
    this.#nodes.on({ delete: ({ metadata }) => this.#seen.delete(metadata.name) });
    this.#pods.on({ delete: ({ metadata }) => this.#leaving.delete(metadata.uid ?? '') });
    controller
      .watches(this.#nodes, {
        add: (node) => this.#tainted(node),
        update: (node, previous) => (taintsOf(node) === taintsOf(previous) ? [] : this.#tainted(node)),
      })
      .watches(this.#pods, { add: ofPod, update: ofPod });
  }

  /** The pods of a node whose taints changed. */
  #tainted({ metadata: { name }, spec }: Node): string[] {
    const before = this.#seen.get(name);
    const taints = (spec?.taints ?? []).map((taint) => [taintId(taint), before?.get(taintId(taint)) ?? this.clock.now()] as const);
    this.#seen.set(name, new Map(taints));
    return this.#pods.byIndex('node', name).map(objectKey);
  }

  #nodeOf({ spec }: Pod): Node | undefined {
    return spec?.nodeName ? this.#nodes.get(spec.nodeName) : undefined;
  }

  async reconcile(key: string): Promise<Result | undefined> {
    const pod = this.#pods.get(key);
    const node = pod && this.#nodeOf(pod);
    if (!node || pod.metadata.deletionTimestamp) return;
    const { uid = '' } = pod.metadata;
    const due = evictionTime(pod, node, (taint) => this.#seen.get(node.metadata.name)?.get(taintId(taint)) ?? this.clock.now());
    if (due === undefined) {
      this.#leaving.delete(uid);
      return;
    }
    const wait = this.#waitFor(uid, due);
    if (wait > 0) return { requeueAfter: wait };
    const { namespace, name } = splitKey(key);
    this.recorder.event(pod, 'Normal', 'TaintManagerEviction', `Marking for deletion Pod ${key}`);
    await this.client.delete(pods, name, { namespace, preconditions: { uid } }).catch((err: unknown) => {
      // Another pod has the name by now.
      if (!isConflict(err)) ignoreNotFound(err);
    });
  }

  /** Once known how long a pod may stay, a leap of the wall clock changes nothing. */
  #waitFor(uid: string, due: number): number {
    const known = this.#leaving.get(uid);
    const at = known?.due === due ? known.at : this.clock.monotonic() + due - this.clock.now();
    this.#leaving.set(uid, { due, at });
    return at - this.clock.monotonic();
  }
}

function taintId(taint: Taint): string {
  return `${taint.key}/${taint.effect}`;
}

function taintsOf({ spec }: Node): string {
  return JSON.stringify(spec?.taints ?? []);
}
