/** Keeps the status of PodDisruptionBudgets, by which the API server allows evictions. */
import { objectKey } from '../../api/object-key.ts';
import { podDisruptionBudgets, pods } from '../../api/resource-types.ts';
import type { Pod, PodDisruptionBudget } from '../../api/schema/types.ts';
import { formatLabelSelector, labelSelectorOf } from '../../api/selector/label.ts';
import { isConflict, isNotFound } from '../../client/api-error.ts';
import type { Controller, Result } from '../../client/controller.ts';
import { messageOf } from '../../errors/known-error.ts';
import { KeyedController } from '../context.ts';
import { canonical } from '../ownership/template-hash.ts';
import { asksForShare, failedStatus, planBudget } from './desired.ts';
import { type Scaled, ScaleFinder } from './scale-finder.ts';

const zeros = { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 };

export class DisruptionController extends KeyedController {
  readonly name = 'disruption-controller';
  protected override readonly component = 'controllermanager';
  readonly #budgets = this.informers.of(podDisruptionBudgets);
  readonly #pods = this.informers.of(pods);
  readonly #scales = new ScaleFinder(this.informers);

  setup(controller: Controller): void {
    const ofPod = (pod: Pod): string[] => this.#budgetsOf(pod);
    controller.for(this.#budgets).watches(this.#pods, {
      add: ofPod,
      update: (pod, previous) => [...this.#budgetsOf(pod), ...(haveSameLabels(pod, previous) ? [] : this.#budgetsOf(previous))],
      delete: ofPod,
    });
    // A budget may be a share of the replicas that are wanted.
    const onScale = (owner: Scaled, previous: Scaled): string[] =>
      owner.spec?.replicas === previous.spec?.replicas ? [] : this.#budgets.list(owner.metadata.namespace).map(objectKey);
    for (const informer of this.#scales.informers) controller.watches(informer, { update: onScale });
  }

  #budgetsOf({ metadata: { namespace, labels = {} } }: Pod): string[] {
    return this.#budgets
      .list(namespace)
      .filter(({ spec }) => labelSelectorOf(spec?.selector).matches(labels))
      .map(objectKey);
  }

  async reconcile(key: string): Promise<Result | undefined> {
    const budget = this.#budgets.get(key);
    if (!budget) return;
    try {
      return await this.#count(key, budget);
    } catch (err) {
      if (isConflict(err) || isNotFound(err)) throw err;
      await this.writeStatus(podDisruptionBudgets, budget, failedStatus(budget, messageOf(err), this.clock.now()), zeros);
      return;
    }
  }

  async #count(key: string, budget: PodDisruptionBudget): Promise<Result | undefined> {
    const selector = labelSelectorOf(budget.spec?.selector);
    const selected = this.#pods.list(budget.metadata.namespace).filter((p) => selector.matches(p.metadata.labels ?? {}));
    if (selected.length === 0) this.recorder.event(budget, 'Normal', 'NoPods', 'No matching pods found');
    const { status, notDeleted, lookAgainIn } = planBudget(budget, selected, this.#scaleOf(budget, selected), this.clock.now());
    for (const pod of notDeleted)
      this.recorder.event(pod, 'Warning', 'NotDeleted', `Pod was expected by PDB ${key} to be deleted but it wasn't`);
    await this.writeStatus(podDisruptionBudgets, budget, status, zeros);
    return { requeueAfter: lookAgainIn };
  }

  /** The replicas that the controllers of these pods want. Throws when one has no number. */
  #scaleOf(budget: PodDisruptionBudget, selected: readonly Pod[]): number {
    if (!asksForShare(budget)) return 0;
    try {
      const { replicas, hasUnmanaged } = this.#scales.scaleOf(selected);
      if (hasUnmanaged) this.recorder.event(budget, 'Warning', 'UnmanagedPods', unmanaged(budget));
      return replicas;
    } catch (err) {
      const text = `Failed to calculate the number of expected pods: ${messageOf(err)}`;
      this.recorder.event(budget, 'Warning', 'CalculateExpectedPodCountFailed', text);
      throw err;
    }
  }
}

function haveSameLabels(a: Pod, b: Pod): boolean {
  return canonical(a.metadata.labels) === canonical(b.metadata.labels);
}

function unmanaged({ spec }: PodDisruptionBudget): string {
  const selected = `Pods selected by this PodDisruptionBudget (selector: ${formatLabelSelector(spec?.selector)}) were found to be unmanaged.`;
  const effect = 'As a result, the status of the PDB cannot be calculated correctly, which may result in undefined behavior.';
  const cure = 'To account for these pods please set ".spec.minAvailable" field of the PDB to an integer value.';
  return `${selected} ${effect} ${cure}`;
}
