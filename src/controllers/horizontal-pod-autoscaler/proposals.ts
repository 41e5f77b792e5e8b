/** What each metric of an autoscaler asks for, and what its status says of it. Words are upstream's. */
import { formatQuantity, milli } from '../../api/quantity/quantity.ts';
import type { ResourceType } from '../../api/resource-types.ts';
import type {
  CrossVersionObjectReference,
  LabelSelector,
  MetricIdentifier,
  MetricSpec,
  MetricStatus,
  MetricTarget,
  MetricValueStatus,
  Pod,
} from '../../api/schema/types.ts';
import { messageOf } from '../../errors/known-error.ts';
import type { MetricsReader, PodMetrics } from './metrics.ts';
import { type Beginning, byAverage, byShare, byTotal, byUtilization, type Tolerance } from './replicas.ts';

export interface Target {
  readonly namespace: string;
  readonly selector: string;
  readonly pods: readonly Pod[];
  /** Replicas that are asked for, and that there are. */
  readonly current: number;
  readonly there: number;
  readonly tolerance: Tolerance;
  readonly beginning: Beginning;
  readonly now: number;
}

export interface Proposal {
  readonly replicas: number;
  /** As an event names it. */
  readonly metric: string;
  readonly status: MetricStatus;
}

/** No proposal of this metric. */
export class MetricFailure extends Error {
  override readonly name = 'MetricFailure';
  readonly reason: string;
  /** What stands in the condition and its event; the message says of which metric, too. */
  readonly said: string;

  constructor(reason: string, said: string, message: string) {
    super(message);
    this.reason = reason;
    this.said = said;
  }
}

type TypeOf = (reference: CrossVersionObjectReference) => Promise<ResourceType>;

/** Throws MetricFailure. */
export async function propose(spec: MetricSpec, target: Target, metrics: MetricsReader, typeOf: TypeOf): Promise<Proposal> {
  const { name, reason } = kindOf(spec);
  try {
    return await proposed(spec, target, metrics, typeOf);
  } catch (err) {
    const said = messageOf(err);
    throw new MetricFailure(reason, said, `failed to get ${name} metric value: ${said}`);
  }
}

function kindOf(spec: MetricSpec): { readonly name: string; readonly reason: string } {
  switch (spec.type) {
    case 'Object':
      return { name: 'object', reason: 'FailedGetObjectMetric' };
    case 'Pods':
      return { name: 'pods', reason: 'FailedGetPodsMetric' };
    case 'Resource':
      return { name: `${spec.resource?.name} resource`, reason: 'FailedGetResourceMetric' };
    case 'ContainerResource':
      return { name: `${spec.containerResource?.container} container`, reason: 'FailedGetContainerResourceMetric' };
    case 'External':
      return { name: `${spec.external?.metric.name} external`, reason: 'FailedGetExternalMetric' };
    default:
      return { name: spec.type, reason: 'InvalidMetricSourceType' };
  }
}

async function proposed(spec: MetricSpec, target: Target, metrics: MetricsReader, typeOf: TypeOf): Promise<Proposal> {
  const { namespace, selector } = target;
  const { type, resource, containerResource, pods, object, external } = spec;
  if (type === 'Resource' && resource) {
    const { current, ...proposal } = await ofResource(resource.name, undefined, resource.target, target, metrics);
    return { ...proposal, status: { type, resource: { name: resource.name, current } } };
  }
  if (type === 'ContainerResource' && containerResource) {
    const { name, container } = containerResource;
    const { current, ...proposal } = await ofResource(name, container, containerResource.target, target, metrics);
    return { ...proposal, status: { type, containerResource: { name, container, current } } };
  }
  if (type === 'Pods' && pods) {
    const found = await unable(`metric ${pods.metric.name}`, metrics.ofPods(namespace, selector, pods.metric));
    const { replicas, average } = byAverage({ ...target, metrics: found }, undefined, milli(pods.target.averageValue ?? '0'));
    const current = { averageValue: quantityOf(average) };
    return { replicas, metric: `pods metric ${pods.metric.name}`, status: { type, pods: { metric: pods.metric, current } } };
  }
  if (type === 'Object' && object) {
    const { describedObject, metric } = object;
    const read = async (): Promise<bigint> => metrics.ofObject(namespace, await typeOf(describedObject), describedObject.name, metric);
    const usage = await unable(`metric ${metric.name}`, read(), ` on ${describedObject.kind} ${namespace}/${describedObject.name}`);
    const { current, ...proposal } = ofUsage(
      usage,
      object.target,
      target,
      `${describedObject.kind} metric ${metric.name}`,
      metric,
      'object',
    );
    return { ...proposal, status: { type, object: { describedObject, metric, current } } };
  }
  if (type === 'External' && external) {
    const { metric } = external;
    const values = await unable(
      `external metric ${namespace}/${metric.name}/${shown(metric.selector)}`,
      metrics.ofNothing(namespace, metric),
    );
    const usage = values.reduce((sum, value) => sum + value, 0n);
    const { current, ...proposal } = ofUsage(usage, external.target, target, externalName(metric), metric, 'external');
    return { ...proposal, status: { type, external: { metric, current } } };
  }
  throw new Error(`unknown metric source type ${JSON.stringify(type)}`);
}

interface Valued extends Omit<Proposal, 'status'> {
  readonly current: MetricValueStatus;
}

async function ofResource(
  name: string,
  container: string | undefined,
  { averageValue, averageUtilization }: MetricTarget,
  target: Target,
  metrics: MetricsReader,
): Promise<Valued> {
  const read = (): Promise<PodMetrics> =>
    unable(`metrics for resource ${name}`, metrics.ofResource(target.namespace, target.selector, name, container));
  const quantity = (amount: bigint): string => quantityOf(amount, name === 'memory' ? 'binary' : 'decimal');
  if (averageValue !== undefined) {
    const { replicas, average } = await within(`failed to get ${name} usage`, async () =>
      byAverage({ ...target, metrics: await read() }, name, milli(averageValue)),
    );
    return { replicas, metric: `${name} resource`, current: { averageValue: quantity(average) } };
  }
  if (averageUtilization === undefined)
    throw new Error('invalid resource metric source: neither an average utilization target nor an average value (usage) target was set');
  const { replicas, average, utilization } = await within(`failed to get ${name} utilization`, async () =>
    byUtilization({ ...target, metrics: await read() }, name, container, averageUtilization),
  );
  return {
    replicas,
    metric: `${name} ${container === undefined ? '' : 'container '}resource utilization (percentage of request)`,
    current: { averageUtilization: utilization, averageValue: quantity(average) },
  };
}

/** Of a metric that is no pod's. */
function ofUsage(
  usage: bigint,
  { value, averageValue }: MetricTarget,
  target: Target,
  name: string,
  metric: MetricIdentifier,
  what: 'object' | 'external',
): Valued {
  if (averageValue !== undefined) {
    const { replicas, average } = byShare(target.there, target.tolerance, usage, milli(averageValue));
    return { replicas, metric: externalName(metric), current: { averageValue: quantityOf(average) } };
  }
  if (value === undefined) throw new Error(`invalid ${what} metric source: neither a value target nor an average value target was set`);
  return { replicas: byTotal(target, usage, milli(value)), metric: name, current: { value: quantityOf(usage) } };
}

async function within<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (err) {
    throw new Error(`${what}: ${messageOf(err)}`, { cause: err });
  }
}

async function unable<T>(what: string, reading: Promise<T>, where = ''): Promise<T> {
  try {
    return await reading;
  } catch (err) {
    throw new Error(`unable to get ${what}: ${messageOf(err)}${where}`, { cause: err });
  }
}

function quantityOf(amount: bigint, form: 'decimal' | 'binary' = 'decimal'): string {
  return formatQuantity({ nano: amount * 1_000_000n, form });
}

function externalName({ name, selector }: MetricIdentifier): string {
  return `external metric ${name}(${shown(selector)})`;
}

/** As Go prints one. */
function shown(selector: LabelSelector | undefined): string {
  if (!selector) return 'nil';
  const labels = Object.entries(selector.matchLabels ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const expressions = (selector.matchExpressions ?? []).map(
    ({ key, operator, values = [] }) => `LabelSelectorRequirement{Key:${key},Operator:${operator},Values:[${values.join(' ')}],},`,
  );
  const matchLabels = `map[string]string{${labels.map(([key, value]) => `${key}: ${value},`).join('')}}`;
  return `&LabelSelector{MatchLabels:${matchLabels},MatchExpressions:[]LabelSelectorRequirement{${expressions.join('')}},}`;
}
