/**
 * How many replicas the values of a metric ask for: pure. All amounts are thousandths.
 * Source: k8s.io/kubernetes pkg/controller/podautoscaler/replica_calculator.go.
 */
import { ceilDivide, milli } from '../../api/quantity/quantity.ts';
import type { Pod } from '../../api/schema/types.ts';
import { isReady } from '../ownership/pod-state.ts';
import type { PodMetrics } from './metrics.ts';

/** How far usage may be from its target, as a share of that, for the replicas to stay as they are. */
export interface Tolerance {
  readonly up: number;
  readonly down: number;
}

/** For how long after its start what a pod uses of the CPU says nothing, and its readiness is its first. */
export interface Beginning {
  readonly cpuMs: number;
  readonly readinessMs: number;
}

interface Asked {
  readonly pods: readonly Pod[];
  readonly metrics: PodMetrics;
  /** Replicas that are asked for by now. */
  readonly current: number;
  readonly tolerance: Tolerance;
  readonly beginning: Beginning;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

interface Usage {
  /** Of what is used, to its target. */
  readonly ratio: number;
  /** Of one pod. */
  readonly average: bigint;
  /** Percent of what the pods request. */
  readonly utilization?: number;
}

export interface Wanted extends Omit<Usage, 'ratio'> {
  readonly replicas: number;
}

const mostReplicas = 2 ** 31 - 1;

/** To hold the usage of a resource at so many percent of what pods request. Throws what keeps it from being said. */
export function byUtilization(asked: Asked, resource: string, container: string | undefined, percent: number): Wanted {
  const requests = requestsOf(asked, resource, container);
  const usageOf = (values: ReadonlyMap<string, bigint>): Usage => utilizationOf(values, requests(), percent);
  // One of which nothing is known may use all that it requests, or more where more is the aim.
  const most = (pod: string): bigint => ((requests().get(pod) ?? 0n) * BigInt(Math.max(100, percent))) / 100n;
  return ofPods(asked, resource, usageOf, most);
}

/** To hold what a pod uses, or another metric of pods, at an amount. `resource` is that of the metric, if it has one. */
export function byAverage(asked: Asked, resource: string | undefined, target: bigint): Wanted {
  const usageOf = (values: ReadonlyMap<string, bigint>): Usage => {
    const average = sumOf(values.values()) / BigInt(values.size);
    return { ratio: Number(average) / Number(target), average };
  };
  return ofPods(asked, resource, usageOf, () => target);
}

/** To hold a metric that is no pod's at an amount. */
export function byTotal(asked: Pick<Asked, 'pods' | 'current' | 'tolerance'>, usage: bigint, target: bigint): number {
  const ratio = Number(usage) / Number(target);
  if (asked.current === 0) return whole(ratio);
  if (isWithin(asked.tolerance, ratio)) return asked.current;
  mustHave(asked.pods);
  return whole(ratio * asked.pods.filter((pod) => pod.status?.phase === 'Running' && isReady(pod)).length);
}

/** To hold a metric that is no pod's at an amount for each of the replicas that there are. */
export function byShare(replicas: number, tolerance: Tolerance, usage: bigint, target: bigint): Wanted {
  const average = replicas === 0 ? 0n : ceilDivide(usage, BigInt(replicas));
  const isFine = isWithin(tolerance, Number(usage) / (Number(target) * replicas));
  return { replicas: isFine ? replicas : whole(Number(usage) / Number(target)), average };
}

function ofPods(
  asked: Asked,
  resource: string | undefined,
  usageOf: (values: ReadonlyMap<string, bigint>) => Usage,
  most: (pod: string) => bigint,
): Wanted {
  const { current, tolerance } = asked;
  mustHave(asked.pods);
  const groups = grouped(asked, resource);
  const { ready, unready, missing, values } = groups;
  if (values.size === 0) throw new Error('did not receive metrics for targeted pods (pods might be unready)');
  const { ratio, ...usage } = usageOf(values);
  const stay: Wanted = { ...usage, replicas: current };
  const waits = unready.length > 0 && ratio > 1;
  if (!waits && missing.length === 0) return isWithin(tolerance, ratio) ? stay : { ...usage, replicas: whole(ratio * ready) };
  const all = assumed(groups, ratio, most);
  const { ratio: cautious } = usageOf(all);
  if (isWithin(tolerance, cautious) || isTurn(ratio, cautious)) return stay;
  const replicas = whole(cautious * all.size);
  return isTurn(cautious, replicas / current) ? stay : { ...usage, replicas };
}

/** Who is not known is taken for what asks for the smaller change. */
function assumed({ unready, missing, values }: Grouped, ratio: number, most: (pod: string) => bigint): Map<string, bigint> {
  const all = new Map(values);
  if (ratio < 1) for (const pod of missing) all.set(pod, most(pod));
  if (ratio > 1) for (const pod of [...missing, ...unready]) all.set(pod, 0n);
  return all;
}

/** One asks for more, the other for less. */
function isTurn(a: number, b: number): boolean {
  return (a < 1 && b > 1) || (a > 1 && b < 1);
}

interface Grouped {
  readonly ready: number;
  readonly unready: readonly string[];
  readonly missing: readonly string[];
  /** Of those that count. */
  readonly values: ReadonlyMap<string, bigint>;
}

function grouped({ pods, metrics, beginning, now }: Asked, resource: string | undefined): Grouped {
  const [unready, missing, ignored] = [[] as string[], [] as string[], [] as string[]];
  let ready = 0;
  for (const pod of pods) {
    const { name } = pod.metadata;
    const metric = metrics.get(name);
    if (pod.metadata.deletionTimestamp || pod.status?.phase === 'Failed') ignored.push(name);
    else if (pod.status?.phase === 'Pending') unready.push(name);
    else if (!metric) missing.push(name);
    else if (resource === 'cpu' && isStarting(pod, metric, beginning, now)) unready.push(name);
    else ready++;
  }
  const values = new Map([...metrics].map(([name, metric]) => [name, metric.milli]));
  for (const name of [...ignored, ...unready]) values.delete(name);
  return { ready, unready, missing, values };
}

/** What it uses of the CPU is of its start. */
function isStarting(pod: Pod, { takenAt, windowMs }: { takenAt: number; windowMs: number }, beginning: Beginning, now: number): boolean {
  const condition = pod.status?.conditions?.find(({ type }) => type === 'Ready');
  const started = Date.parse(pod.status?.startTime ?? '');
  if (!condition || Number.isNaN(started)) return true;
  const changed = Date.parse(condition.lastTransitionTime ?? '') || 0;
  const isUnready = condition.status === 'False';
  if (started + beginning.cpuMs > now) return isUnready || takenAt < changed + windowMs;
  return isUnready && started + beginning.readinessMs > changed;
}

function utilizationOf(values: ReadonlyMap<string, bigint>, requests: ReadonlyMap<string, bigint>, percent: number): Usage {
  const known = [...values].filter(([pod]) => requests.has(pod));
  const requested = sumOf(known.map(([pod]) => requests.get(pod) ?? 0n));
  if (requested === 0n) throw new Error('no metrics returned matched known pods');
  const used = sumOf(known.map(([, value]) => value));
  const utilization = Number((used * 100n) / requested);
  return { ratio: utilization / percent, utilization, average: used / BigInt(known.length) };
}

/** Asked for once pods are known to count. */
function requestsOf({ pods }: Asked, resource: string, container: string | undefined): () => ReadonlyMap<string, bigint> {
  let found: ReadonlyMap<string, bigint> | undefined;
  return () => (found ??= new Map(pods.map((pod) => [pod.metadata.name, requestOf(pod, resource, container)])));
}

function requestOf({ metadata: { name }, spec }: Pod, resource: string, container: string | undefined): bigint {
  const ofPod = spec?.resources?.requests;
  if (container === undefined && ofPod && Object.keys(ofPod).length > 0) {
    if (ofPod[resource] !== undefined) return milli(ofPod[resource]);
    throw new Error(`missing pod-level request for ${resource} in Pod ${name}`);
  }
  const sidecars = (spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
  const counted = [...(spec?.containers ?? []), ...sidecars].filter((one) => container === undefined || one.name === container);
  if (counted.length === 0 && container !== undefined) throw new Error(`container ${container} not found in Pod ${name}`);
  return sumOf(
    counted.map((one) => {
      const request = one.resources?.requests?.[resource];
      if (request === undefined) throw new Error(`missing request for ${resource} in container ${one.name} of Pod ${name}`);
      return milli(request);
    }),
  );
}

function mustHave(pods: readonly Pod[]): void {
  if (pods.length === 0) throw new Error('no pods returned by selector while calculating replica count');
}

function isWithin({ up, down }: Tolerance, ratio: number): boolean {
  return 1 - down <= ratio && ratio <= 1 + up;
}

function whole(replicas: number): number {
  return Number.isNaN(replicas) ? 0 : Math.min(Math.ceil(replicas), mostReplicas);
}

function sumOf(values: Iterable<bigint>): bigint {
  let sum = 0n;
  for (const value of values) sum += value;
  return sum;
}
