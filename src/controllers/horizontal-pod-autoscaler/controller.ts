/** Keeps as many pods as a HorizontalPodAutoscaler's metrics ask for. */
import { objectKey } from '../../api/object-key.ts';
import { milli } from '../../api/quantity/quantity.ts';
import { horizontalPodAutoscalers, pods, type ResourceType } from '../../api/resource-types.ts';
import type {
  HorizontalPodAutoscaler,
  HorizontalPodAutoscalerStatus,
  MetricSpec,
  MetricStatus,
  Pod,
  Scale,
} from '../../api/schema/types.ts';
import { parseLabelSelector, type Selector } from '../../api/selector/label.ts';
import type { Controller, Result } from '../../client/controller.ts';
import { timestamp } from '../../clock/timestamp.ts';
import { messageOf } from '../../errors/known-error.ts';
import { type AutoscalerTimes, KeyedController } from '../context.ts';
import { since } from '../ownership/conditions.ts';
import { canonical } from '../ownership/template-hash.ts';
import { type Condition, History } from './limits.ts';
import { MetricsReader } from './metrics.ts';
import { MetricFailure, type Proposal, propose, type Target } from './proposals.ts';
import type { Tolerance } from './replicas.ts';
import { Scales } from './scales.ts';

/** kube-controller-manager's defaults. */
const usualTimes: AutoscalerTimes = {
  syncPeriodMs: 15_000,
  downWindowMs: 300_000,
  tolerance: 0.1,
  cpuBeginningMs: 300_000,
  readinessBeginningMs: 30_000,
};

/** What is done, and why; `replicas` is undefined where no metric says anything. */
interface Decision {
  readonly replicas: number | undefined;
  readonly reason: string;
  readonly metrics: readonly MetricStatus[];
  /** Of metrics that say nothing while others do. */
  readonly error?: string | undefined;
}

export class HorizontalPodAutoscalerController extends KeyedController {
  readonly name = 'horizontal-pod-autoscaler-controller';
  protected override readonly component = 'horizontal-pod-autoscaler';
  readonly #autoscalers = this.informers.of(horizontalPodAutoscalers);
  readonly #pods = this.informers.of(pods);
  readonly #scales = new Scales(this.client, this.clock);
  readonly #metrics = new MetricsReader(this.client);
  readonly #times = { ...usualTimes, ...this.context.autoscalerTimes };
  readonly #histories = new Map<string, History>();
  /** Which pods are whose, as of the last look. */
  readonly #selectors = new Map<string, Selector>();

  setup(controller: Controller): void {
    const key = (one: HorizontalPodAutoscaler): string[] => [objectKey(one)];
    controller.watches(this.#autoscalers, {
      add: key,
      // Each look may write a status: looks are so far apart as is asked for.
      update: (now, before) => (canonical(now.spec) === canonical(before.spec) ? [] : key(now)),
      delete: key,
    });
    controller.watches(this.#pods, {});
  }

  async reconcile(key: string): Promise<Result | undefined> {
    const autoscaler = this.#autoscalers.get(key);
    if (!autoscaler) {
      this.#histories.delete(key);
      this.#selectors.delete(key);
      return;
    }
    await this.#scale(key, new Pass(autoscaler, this.clock.now()));
    return { requeueAfter: this.#times.syncPeriodMs };
  }

  async #scale(key: string, pass: Pass): Promise<void> {
    const { autoscaler } = pass;
    const { namespace = '' } = autoscaler.metadata;
    let type: ResourceType;
    let scale: Scale;
    try {
      type = await this.#scales.typeOf(autoscaler.spec.scaleTargetRef);
      scale = await this.#scales.get(type, namespace, autoscaler.spec.scaleTargetRef.name);
    } catch (err) {
      const why = messageOf(err);
      this.#warn(autoscaler, 'FailedGetScale', why);
      pass.say(unable('FailedGetScale', `the HPA controller was unable to get the target's current scale: ${why}`));
      await this.#write(pass);
      return;
    }
    pass.say(able('SucceededGetScale', "the HPA controller was able to get the target's current scale"));
    const current = scale.spec?.replicas ?? 0;
    const history = this.#historyOf(key, current, pass.now);
    const decision = await this.#decide(key, pass, scale, history);
    if (decision.error !== undefined && decision.replicas === undefined)
      this.#warn(autoscaler, 'FailedComputeMetricsReplicas', decision.error);
    const replicas = decision.replicas ?? current;
    pass.status = { ...pass.status, currentReplicas: current, currentMetrics: [...decision.metrics] };
    if (replicas !== current) await this.#rescale(pass, type, scale, { ...decision, replicas }, history);
    else if (decision.replicas !== undefined) pass.status = { ...pass.status, desiredReplicas: current };
    await this.#write(pass);
  }

  async #rescale(pass: Pass, type: ResourceType, scale: Scale, decision: Decision & { replicas: number }, history: History): Promise<void> {
    const { autoscaler, now } = pass;
    const { replicas, reason } = decision;
    try {
      await this.#scales.set(type, scale, replicas);
    } catch (err) {
      const why = messageOf(err);
      this.#warn(autoscaler, 'FailedRescale', `New size: ${replicas}; reason: ${reason}; error: ${why}`);
      pass.say(unable('FailedUpdateScale', `the HPA controller was unable to update the target scale: ${why}`));
      return;
    }
    pass.say(able('SucceededRescale', `the HPA controller was able to update the target scale to ${replicas}`));
    this.recorder.event(autoscaler, 'Normal', 'SuccessfulRescale', `New size: ${replicas}; reason: ${reason}`);
    history.scaled(scale.spec?.replicas ?? 0, replicas, now);
    pass.status = { ...pass.status, desiredReplicas: replicas, lastScaleTime: timestamp(now) };
  }

  async #decide(key: string, pass: Pass, scale: Scale, history: History): Promise<Decision> {
    const { spec } = pass.autoscaler;
    const { minReplicas = 1, maxReplicas } = spec;
    const current = scale.spec?.replicas ?? 0;
    const at = (replicas: number, reason: string): Decision => ({ replicas, reason, metrics: [] });
    if (current === 0) {
      pass.say(inactive('ScalingDisabled', 'scaling is disabled since the replica count of the target is zero'));
      return at(0, '');
    }
    if (current > maxReplicas) return at(maxReplicas, 'Current number of replicas above Spec.MaxReplicas');
    if (current < minReplicas) return at(minReplicas, 'Current number of replicas below Spec.MinReplicas');
    const target = this.#targetOf(key, pass, scale);
    if (typeof target === 'string') return { replicas: undefined, reason: '', metrics: [], error: target };
    const { wanted, error, metrics } = await this.#wish(pass, target);
    if (!wanted) return { replicas: undefined, reason: '', metrics, error };
    const { replicas, conditions } = history.limit({ spec, current, wanted: wanted.replicas, now: pass.now });
    pass.say(...conditions);
    const reason =
      wanted.replicas > current ? `${wanted.metric} above target` : wanted.replicas < current ? 'All metrics below target' : '';
    return { replicas, reason, metrics, error };
  }

  /** What is to be measured; a text where it cannot be known. */
  #targetOf(key: string, pass: Pass, { spec, status }: Scale): Target | string {
    const { autoscaler, now } = pass;
    const { namespace = '' } = autoscaler.metadata;
    const selector = status?.selector ?? '';
    const refuse = (reason: string, said: string, condition = said): string => {
      this.#warn(autoscaler, reason, said);
      pass.say(inactive(reason === 'SelectorRequired' ? 'InvalidSelector' : reason, condition));
      return said;
    };
    if (selector === '') return refuse('SelectorRequired', 'selector is required', "the HPA target's scale is missing a selector");
    let selects: Selector;
    try {
      selects = parseLabelSelector(selector);
    } catch (err) {
      return refuse('InvalidSelector', `couldn't convert selector into a corresponding internal selector object: ${messageOf(err)}`);
    }
    this.#selectors.set(key, selects);
    const selected = this.#pods.list(namespace).filter(({ metadata }) => selects.matches(metadata.labels ?? {}));
    const others = this.#whoElse(key, namespace, selected);
    if (others.length > 1)
      return refuse('AmbiguousSelector', `pods by selector ${selector} are controlled by multiple HPAs: [${others.join(' ')}]`);
    const { cpuBeginningMs, readinessBeginningMs } = this.#times;
    return {
      namespace,
      selector,
      pods: selected,
      current: spec?.replicas ?? 0,
      there: status?.replicas ?? 0,
      tolerance: this.#toleranceOf(autoscaler),
      beginning: { cpuMs: cpuBeginningMs, readinessMs: readinessBeginningMs },
      now,
    };
  }

  /** The autoscalers that select one of these pods. */
  #whoElse(key: string, namespace: string, selected: readonly Pod[]): string[] {
    const here = [...this.#selectors].filter(([other]) => other.startsWith(`${namespace}/`));
    const selecting = here.filter(([, selects]) => selected.some(({ metadata }) => selects.matches(metadata.labels ?? {})));
    return [...new Set([key, ...selecting.map(([other]) => other)])].toSorted();
  }

  #toleranceOf({ spec: { behavior } }: HorizontalPodAutoscaler): Tolerance {
    const share = (text: string | undefined): number => (text === undefined ? this.#times.tolerance : Number(milli(text)) / 1000);
    return { up: share(behavior?.scaleUp?.tolerance), down: share(behavior?.scaleDown?.tolerance) };
  }

  /** The most that any metric asks for. Nothing where none is known, or one is not that might ask for more. */
  async #wish(pass: Pass, target: Target): Promise<{ wanted?: Proposal; error?: string; metrics: MetricStatus[] }> {
    const { autoscaler } = pass;
    const specs = autoscaler.spec.metrics ?? [];
    const found: (Proposal | MetricFailure)[] = [];
    for (const spec of specs) found.push(await this.#propose(spec, target, autoscaler));
    const failures = found.filter((one) => one instanceof MetricFailure);
    const proposals = found.filter((one): one is Proposal => !(one instanceof MetricFailure));
    const metrics = found.map((one) => (one instanceof MetricFailure ? { type: '' } : one.status));
    const [most] = proposals.toSorted((a, b) => b.replicas - a.replicas);
    const [first] = failures;
    const error = first && `invalid metrics (${failures.length} invalid out of ${specs.length}), first error is: ${first.message}`;
    if (!most || (first && most.replicas < target.current)) {
      if (first) pass.say(inactive(first.reason, `the HPA was unable to compute the replica count: ${first.said}`));
      return { metrics, ...(error === undefined ? {} : { error }) };
    }
    const said = `the HPA was able to successfully calculate a replica count from ${most.metric}`;
    pass.say({ type: 'ScalingActive', status: 'True', reason: 'ValidMetricFound', message: said });
    return { wanted: most, metrics, ...(error === undefined ? {} : { error }) };
  }

  async #propose(spec: MetricSpec, target: Target, autoscaler: HorizontalPodAutoscaler): Promise<Proposal | MetricFailure> {
    try {
      return await propose(spec, target, this.#metrics, (reference) => this.#scales.typeOf(reference));
    } catch (err) {
      if (!(err instanceof MetricFailure)) throw err;
      this.#warn(autoscaler, err.reason, err.said);
      return err;
    }
  }

  #historyOf(key: string, current: number, now: number): History {
    const history = this.#histories.get(key) ?? new History(current, now, this.#times.downWindowMs);
    this.#histories.set(key, history);
    return history;
  }

  #warn(autoscaler: HorizontalPodAutoscaler, reason: string, message: string): void {
    this.recorder.event(autoscaler, 'Warning', reason, message);
  }

  async #write({ autoscaler, status }: Pass): Promise<void> {
    await this.writeStatus(horizontalPodAutoscalers, autoscaler, status, { desiredReplicas: 0 });
  }
}

/** One look at one autoscaler, and what is said of it. */
class Pass {
  readonly autoscaler: HorizontalPodAutoscaler;
  readonly now: number;
  status: HorizontalPodAutoscalerStatus;

  constructor(autoscaler: HorizontalPodAutoscaler, now: number) {
    this.autoscaler = autoscaler;
    this.now = now;
    this.status = autoscaler.status ?? { desiredReplicas: 0 };
  }

  /** Each stays in its place. */
  say(...said: readonly Condition[]): void {
    const conditions = [...(this.status.conditions ?? [])];
    for (const one of said) {
      const at = conditions.findIndex(({ type }) => type === one.type);
      conditions.splice(at < 0 ? conditions.length : at, 1, since(conditions, one, this.now));
    }
    this.status = { ...this.status, conditions };
  }
}

function able(reason: string, message: string): Condition {
  return { type: 'AbleToScale', status: 'True', reason, message };
}

function unable(reason: string, message: string): Condition {
  return { type: 'AbleToScale', status: 'False', reason, message };
}

function inactive(reason: string, message: string): Condition {
  return { type: 'ScalingActive', status: 'False', reason, message };
}
