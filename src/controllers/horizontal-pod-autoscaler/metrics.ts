/**
 * What is measured: the three APIs of metrics, which somebody else serves (metrics-server, an adapter of Prometheus). Amounts are thousandths.
 * Source: k8s.io/kubernetes pkg/controller/podautoscaler/metrics and k8s.io/metrics pkg/client.
 */
import { milli } from '../../api/quantity/quantity.ts';
import type { ResourceType } from '../../api/resource-types.ts';
import type { APIGroup, MetricIdentifier } from '../../api/schema/types.ts';
import { formatLabelSelector } from '../../api/selector/label.ts';
import { isNotFound } from '../../client/api-error.ts';
import type { Client } from '../../client/client.ts';
import { parseDuration } from '../../clock/duration.ts';
import { messageOf } from '../../errors/known-error.ts';

/** Of one pod. */
export interface PodMetric {
  readonly milli: bigint;
  /** Milliseconds since the epoch. */
  readonly takenAt: number;
  /** The time before that over which it was measured. */
  readonly windowMs: number;
}

export type PodMetrics = ReadonlyMap<string, PodMetric>;

interface Measured {
  readonly timestamp?: string;
  readonly windowSeconds?: number;
  readonly value?: string;
  readonly describedObject?: { readonly name?: string };
}

interface MeasuredPod {
  readonly metadata?: { readonly name?: string };
  readonly timestamp?: string;
  /** As Go writes durations. */
  readonly window?: string;
  readonly containers?: readonly { readonly name: string; readonly usage?: Readonly<Record<string, string>> }[];
}

/** What an adapter says nothing about was measured over a minute. */
const usualWindowMs = 60_000;

export class MetricsReader {
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  /** Usage of a resource by the pods of a selector, or by one of their containers. Pods of which it is not known are left out. */
  async ofResource(namespace: string, selector: string, resource: string, container: string | undefined): Promise<PodMetrics> {
    const path = `/apis/metrics.k8s.io/v1beta1/namespaces/${namespace}/pods?labelSelector=${encodeURIComponent(selector)}`;
    const items = await this.#items<MeasuredPod>('resource', () => path);
    const found = new Map<string, PodMetric>();
    for (const { metadata, timestamp, window = '', containers = [] } of items) {
      const counted = container === undefined ? containers : containers.filter(({ name }) => name === container);
      const usages = counted.map(({ usage }) => usage?.[resource]);
      if (usages.length === 0 || usages.includes(undefined)) continue;
      const sum = usages.reduce((total, usage) => total + milli(usage ?? '0'), 0n);
      found.set(metadata?.name ?? '', { milli: sum, takenAt: timeOf(timestamp), windowMs: parseDuration(window) ?? 0 });
    }
    return found;
  }

  /** A metric of each pod of a selector. */
  async ofPods(namespace: string, selector: string, metric: MetricIdentifier): Promise<PodMetrics> {
    const query = `labelSelector=${encodeURIComponent(selector)}${selectorQuery(metric, '&')}`;
    const path = (base: string): string => `${base}/namespaces/${namespace}/pods/*/${encodeURIComponent(metric.name)}?${query}`;
    const items = await this.#items<Measured>('custom', async () => path(await this.#customBase()));
    return new Map(
      items.map(({ describedObject, value = '0', timestamp, windowSeconds }) => [
        describedObject?.name ?? '',
        {
          milli: milli(value),
          takenAt: timeOf(timestamp),
          windowMs: windowSeconds === undefined ? usualWindowMs : windowSeconds * 1000,
        },
      ]),
    );
  }

  /** A metric of one object. Of a Namespace it is that which the caller is in, whatever the name. */
  async ofObject(namespace: string, type: ResourceType, name: string, metric: MetricIdentifier): Promise<bigint> {
    const resource = type.group === '' ? type.resource : `${type.resource}.${type.group}`;
    const of = type.kind === 'Namespace' && type.group === '' ? 'metrics' : `${resource}/${encodeURIComponent(name)}`;
    const path = (base: string): string =>
      `${base}/namespaces/${namespace}/${of}/${encodeURIComponent(metric.name)}${selectorQuery(metric, '?')}`;
    const [item] = await this.#items<Measured>('custom', async () => path(await this.#customBase()));
    return milli(item?.value ?? '0');
  }

  /** The values of a metric of no object of the cluster, such as the length of a queue. */
  async ofNothing(namespace: string, metric: MetricIdentifier): Promise<bigint[]> {
    const query = metric.selector ? `?labelSelector=${encodeURIComponent(formatLabelSelector(metric.selector))}` : '';
    const path = `/apis/external.metrics.k8s.io/v1beta1/namespaces/${namespace}/${encodeURIComponent(metric.name)}${query}`;
    return (await this.#items<Measured>('external', () => path)).map(({ value = '0' }) => milli(value));
  }

  /** Adapters serve one of two versions. */
  async #customBase(): Promise<string> {
    const group = 'custom.metrics.k8s.io';
    const text = await this.#client.raw('GET', `/apis/${group}`).catch((err: unknown) => {
      throw isNotFound(err) ? new Error(`no custom metrics API (${group}) registered`) : err;
    });
    return `/apis/${(JSON.parse(text) as Partial<APIGroup>).preferredVersion?.groupVersion ?? `${group}/v1beta2`}`;
  }

  async #items<T>(api: 'resource' | 'custom' | 'external', path: () => string | Promise<string>): Promise<readonly T[]> {
    let items: readonly T[];
    try {
      items = (JSON.parse(await this.#client.raw('GET', await path())) as { readonly items?: readonly T[] }).items ?? [];
    } catch (err) {
      throw new Error(`unable to fetch metrics from ${api} metrics API: ${messageOf(err)}`, { cause: err });
    }
    if (items.length === 0) throw new Error(`no metrics returned from ${api} metrics API`);
    return items;
  }
}

function selectorQuery({ selector }: MetricIdentifier, before: string): string {
  return selector ? `${before}metricLabelSelector=${encodeURIComponent(formatLabelSelector(selector))}` : '';
}

function timeOf(text: string | undefined): number {
  return Date.parse(text ?? '') || 0;
}
