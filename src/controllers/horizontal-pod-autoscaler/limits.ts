/**
 * What a wish for replicas becomes: no change back and forth, no faster than is allowed, within the bounds. It knows what was wished for and done before, of one
 * autoscaler, for as long as that counts. Source: k8s.io/kubernetes pkg/controller/podautoscaler/horizontal.go.
 */
import type { HorizontalPodAutoscalerSpec, HPAScalingRules } from '../../api/schema/types.ts';

interface Moment {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly replicas: number;
}

export interface Condition {
  readonly type: 'AbleToScale' | 'ScalingActive' | 'ScalingLimited';
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
}

export interface Limited {
  readonly replicas: number;
  readonly conditions: readonly Condition[];
}

interface Wish {
  readonly spec: HorizontalPodAutoscalerSpec;
  readonly current: number;
  readonly wanted: number;
  readonly now: number;
}

interface Bounded {
  readonly replicas: number;
  readonly reason: string;
  readonly message: string;
}

/** The longest window and period that the API takes. */
const longestMs = 3_600_000;
const withinRange = { reason: 'DesiredWithinRange', message: 'the desired count is within the acceptable range' };
const tooMany = { reason: 'TooManyReplicas', message: 'the desired replica count is more than the maximum replica count' };
const tooFew = { reason: 'TooFewReplicas', message: 'the desired replica count is less than the minimum replica count' };
const tooFast = { reason: 'ScaleUpLimit', message: 'the desired replica count is increasing faster than the maximum scale rate' };
const tooFastDown = { reason: 'ScaleDownLimit', message: 'the desired replica count is decreasing faster than the maximum scale rate' };
const higher = 'recent recommendations were higher than current one, applying the highest recent recommendation';
const lower = 'recent recommendations were lower than current one, applying the lowest recent recommendation';

export class History {
  readonly #downWindowMs: number;
  #wishes: Moment[];
  /** By how many replicas it was changed, up and down. */
  #ups: Moment[] = [];
  #downs: Moment[] = [];

  /** `replicas` are those of the beginning; `downWindowMs` is how long a fall waits where the object does not say. */
  constructor(replicas: number, now: number, downWindowMs: number) {
    this.#wishes = [{ at: now, replicas }];
    this.#downWindowMs = downWindowMs;
  }

  limit(wish: Wish): Limited {
    const { spec, wanted, now } = wish;
    const steady = spec.behavior ? this.#steadied(wish) : this.#highest(wish);
    this.#wishes = [...since(this.#wishes, now - Math.max(longestMs, this.#downWindowMs)), { at: now, replicas: wanted }];
    const bounded = spec.behavior
      ? this.#paced({ ...wish, wanted: steady.replicas })
      : plainlyBounded({ ...wish, wanted: steady.replicas });
    const isSteady = steady.replicas === wanted;
    const able = isSteady ? { reason: 'ReadyForNewScale', message: 'recommended size matches current size' } : steady;
    return {
      replicas: bounded.replicas,
      conditions: [
        { type: 'AbleToScale', status: 'True', reason: able.reason, message: able.message },
        {
          type: 'ScalingLimited',
          status: bounded.replicas === steady.replicas ? 'False' : 'True',
          reason: bounded.reason,
          message: bounded.message,
        },
      ],
    };
  }

  /** Replicas were changed. */
  scaled(from: number, to: number, now: number): void {
    const [ups, downs] = [since(this.#ups, now - longestMs), since(this.#downs, now - longestMs)];
    this.#ups = to > from ? [...ups, { at: now, replicas: to - from }] : ups;
    this.#downs = to < from ? [...downs, { at: now, replicas: from - to }] : downs;
  }

  /** Of all that was wished for in the window of a fall. */
  #highest({ wanted, now }: Wish): Bounded {
    const recent = since(this.#wishes, now - this.#downWindowMs);
    return { replicas: Math.max(wanted, ...recent.map(({ replicas }) => replicas)), reason: 'ScaleDownStabilized', message: higher };
  }

  /** No further up than the lowest, and down than the highest wish of their windows. */
  #steadied({ spec: { behavior }, current, wanted, now }: Wish): Bounded {
    const wishes = (rules: HPAScalingRules | undefined, usualMs: number): number[] => {
      const windowMs = rules?.stabilizationWindowSeconds === undefined ? usualMs : rules.stabilizationWindowSeconds * 1000;
      return after(this.#wishes, now - windowMs).map(({ replicas }) => replicas);
    };
    const least = Math.min(wanted, ...wishes(behavior?.scaleUp, 0));
    const most = Math.max(wanted, ...wishes(behavior?.scaleDown, this.#downWindowMs));
    const replicas = Math.min(Math.max(current, least), most);
    return wanted >= current
      ? { replicas, reason: 'ScaleUpStabilized', message: lower }
      : { replicas, reason: 'ScaleDownStabilized', message: higher };
  }

  /** No faster than the policies of the object allow. */
  #paced({ spec: { behavior, minReplicas = 1, maxReplicas }, current, wanted, now }: Wish): Bounded {
    if (wanted > current) {
      const limit = Math.max(current, this.#pace(behavior?.scaleUp, current, 1, now));
      const [most, why] = maxReplicas > limit ? [limit, tooFast] : [maxReplicas, tooMany];
      if (wanted > most) return { replicas: most, ...why };
    }
    if (wanted < current) {
      const limit = Math.min(current, this.#pace(behavior?.scaleDown, current, -1, now));
      const [least, why] = minReplicas < limit ? [limit, tooFastDown] : [minReplicas, tooFew];
      if (wanted < least) return { replicas: least, ...why };
    }
    return { replicas: wanted, ...withinRange };
  }

  /** How far the policies let it go in one direction. */
  #pace({ selectPolicy = 'Max', policies = [] }: HPAScalingRules = {}, current: number, direction: 1 | -1, now: number): number {
    if (selectPolicy === 'Disabled' || policies.length === 0) return current;
    const limits = policies.map(({ type, value, periodSeconds }) => {
      const cutoff = now - periodSeconds * 1000;
      const begun = current - sumOf(after(this.#ups, cutoff)) + sumOf(after(this.#downs, cutoff));
      if (type === 'Pods') return begun + direction * value;
      const share = begun * (1 + (direction * value) / 100);
      return direction > 0 ? Math.ceil(share) : Math.trunc(share);
    });
    const isFar = (selectPolicy === 'Min') !== direction > 0;
    return isFar ? Math.max(...limits) : Math.min(...limits);
  }
}

/** At most twice as many at once, or four. */
function plainlyBounded({ spec: { minReplicas = 1, maxReplicas }, current, wanted }: Wish): Bounded {
  const limit = Math.max(2 * current, 4);
  const [most, why] = maxReplicas > limit ? [limit, tooFast] : [maxReplicas, tooMany];
  if (wanted < minReplicas) return { replicas: minReplicas, ...tooFew };
  return wanted > most ? { replicas: most, ...why } : { replicas: wanted, ...withinRange };
}

/** From a moment on. */
function since(moments: readonly Moment[], at: number): Moment[] {
  return moments.filter((moment) => moment.at >= at);
}

function after(moments: readonly Moment[], at: number): Moment[] {
  return moments.filter((moment) => moment.at > at);
}

function sumOf(moments: readonly Moment[]): number {
  return moments.reduce((sum, { replicas }) => sum + replicas, 0);
}
