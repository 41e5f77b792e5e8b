/** Keeps the pods of StatefulSets: each with a name, a host name and claims of its own, made, updated and deleted in order. */
import { pods, statefulSets } from '../../api/resource-types.ts';
import type { Pod, StatefulSet } from '../../api/schema/types.ts';
import { type Controller, type Result, soonest } from '../../client/controller.ts';
import { KeyedController } from '../context.ts';
import { Dependents } from '../ownership/dependents.ts';
import { ownersOf, selectorOf } from '../ownership/owners-of.ts';
import { type PodChange, PodControl, podsAfter, type Wording } from '../ownership/pod-control.ts';
import { Revisions } from '../ownership/revisions.ts';
import { slowStartBatch } from '../ownership/slow-start.ts';
import { ClaimControl } from './claim-control.ts';
import { lookAgainIn, planStatefulSet, revisionOf, type Step, statefulSetStatus } from './desired.ts';
import { statefulSetGauges } from './gauges.ts';
import { ordinalOf, statefulPod } from './pod-identity.ts';

const hashLabel = 'controller.kubernetes.io/hash';
/** How soon a claim that is to go with an earlier pod is looked for again. */
const staleClaimMs = 1_000;

const zeros = { readyReplicas: 0, availableReplicas: 0, currentReplicas: 0, updatedReplicas: 0 };

const wording: Wording = (verb, pod, set, why) =>
  `${verb} Pod ${pod} in StatefulSet ${set} ${why === undefined ? 'successful' : `failed error: ${why}`}`;

export class StatefulSetController extends KeyedController {
  readonly name = 'statefulset-controller';
  readonly #sets = this.informers.of(statefulSets);
  readonly #pods = new Dependents(this.context, pods, statefulSets);
  readonly #control = new PodControl(this.#pods, this.recorder, wording);
  readonly #claims = new ClaimControl(this.context, this.recorder);
  readonly #revisions = new Revisions(this.context, statefulSets, hashLabel);

  setup(controller: Controller): void {
    controller
      .for(this.#sets)
      .owns(this.#pods.informer, (pod) => ownersOf(this.#sets, selectorOf, pod))
      .waitsFor(this.#revisions.informer, this.#claims.informer);
    const copies = { sets: () => this.#sets.list(), pods: () => this.#pods.informer.list(), now: () => this.clock.now() };
    for (const gauge of statefulSetGauges(copies)) this.context.gauges?.set(gauge.name, gauge);
  }

  async reconcile(key: string): Promise<Result | undefined> {
    const set = this.#sets.get(key);
    if (!set?.spec) return;
    const candidates = this.#pods.in(set.metadata.namespace ?? '').filter((pod) => ordinalOf(set, pod) !== undefined);
    const owned = await this.#pods.claim(set, selectorOf(set), candidates);
    const history = await this.#revisions.upTo(set);
    const update = history.at(-1);
    if (!update) return;
    const current = history.find((r) => r.metadata.name === set.status?.currentRevision) ?? update;
    const input = { set, current, update, now: this.clock.now() };
    const steps = await slowStartBatch(planStatefulSet({ ...input, pods: owned }), (step) => this.#take(set, step));
    const members = podsAfter(owned, steps.results);
    const claimError = await this.#keepClaims(set, members);
    await this.writeStatus(statefulSets, set, statefulSetStatus({ ...input, pods: members }), zeros);
    const live = new Set([current.metadata.name, update.metadata.name, ...members.map(revisionOf)]);
    await this.#revisions.trim(set, history, (r) => live.has(r.metadata.name));
    const error = steps.error ?? claimError;
    if (error !== undefined) throw error;
    return soonest(...steps.results, { requeueAfter: lookAgainIn({ set, pods: members, now: input.now }) });
  }

  async #take(set: StatefulSet, step: Step): Promise<PodChange & Result> {
    if (step.kind === 'create') return this.#create(set, statefulPod(set, step.ordinal, step.revision), step.ordinal);
    if (step.kind === 'label') return { before: step.pod, after: await this.#pods.patch(step.pod, { metadata: { labels: step.labels } }) };
    await this.#claims.keep(set, step.pod);
    return this.#control.delete(set, step.pod);
  }

  async #create(set: StatefulSet, wanted: Pod, ordinal: number): Promise<PodChange & Result> {
    const hasClaims = await this.#claims.provide(set, ordinal, wanted.metadata.name).catch((err: unknown) => {
      this.#control.tellCreateFailed(set, wanted, err);
      throw err;
    });
    return hasClaims ? this.#control.create(set, wanted) : { before: undefined, after: undefined, requeueAfter: staleClaimMs };
  }

  /** Gives the first refusal: the status is written all the same. */
  async #keepClaims(set: StatefulSet, members: readonly Pod[]): Promise<unknown> {
    if (set.metadata.deletionTimestamp) return undefined;
    try {
      for (const pod of members) await this.#claims.keep(set, pod);
      return undefined;
    } catch (err) {
      return err;
    }
  }
}
