/** kube-proxy's metrics under kube-proxy's names, in a registry of their own. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { ServicePlan } from './plan/service-plan.ts';

const seconds = [0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 2.048, 4.096, 8.192, 16.384];
const programming = [0.25, 0.5, 1, 2, 3, 4, 5, 10, 20, 30, 60, 120, 300];

export class ProxyMetrics {
  /** Under the mode's own name. */
  readonly failures: Counter;

  constructor(failures: string) {
    this.failures = this.#counter(failures, 'Syncs that the kernel refused', []);
  }

  readonly registry: Registry = new Registry();
  readonly #in = { registers: [this.registry] };
  readonly #histogram = (name: string, help: string, buckets: number[]): Histogram<'ip_family'> =>
    new Histogram({ name: `kubeproxy_${name}`, help, buckets, labelNames: ['ip_family'], ...this.#in });
  readonly #gauge = (name: string, help: string): Gauge => new Gauge({ name: `kubeproxy_${name}`, help, ...this.#in });
  readonly #counter = <L extends string>(name: string, help: string, labelNames: L[]): Counter<L> =>
    new Counter({ name: `kubeproxy_${name}`, help, labelNames, ...this.#in });

  readonly sync: Histogram<'ip_family'> = this.#histogram('sync_proxy_rules_duration_seconds', 'How long a sync took', seconds);
  readonly fullSync: Histogram<'ip_family'> = this.#histogram(
    'sync_full_proxy_rules_duration_seconds',
    'How long a full sync took',
    seconds,
  );
  readonly partialSync: Histogram<'ip_family'> = this.#histogram(
    'sync_partial_proxy_rules_duration_seconds',
    'How long a partial sync took',
    seconds,
  );
  readonly programming: Histogram<'ip_family'> = this.#histogram(
    'network_programming_duration_seconds',
    'From the change of a Service or its pods to its rules',
    programming,
  );
  readonly lastSync: Gauge = this.#gauge('sync_proxy_rules_last_timestamp_seconds', 'When rules were last applied');
  readonly lastQueued: Gauge = this.#gauge('sync_proxy_rules_last_queued_timestamp_seconds', 'When a sync was last asked for');
  readonly servicesPending: Gauge = this.#gauge('sync_proxy_rules_service_changes_pending', 'Services that changed since the last sync');
  readonly endpointsPending: Gauge = this.#gauge(
    'sync_proxy_rules_endpoint_changes_pending',
    'EndpointSlices that changed since the last sync',
  );
  readonly services: Counter = this.#counter('sync_proxy_rules_service_changes_total', 'Changes of Services', []);
  readonly endpoints: Counter = this.#counter('sync_proxy_rules_endpoint_changes_total', 'Changes of EndpointSlices', []);
  readonly noLocalEndpoints: Gauge<'traffic_policy'> = new Gauge({
    name: 'kubeproxy_sync_proxy_rules_no_local_endpoints_total',
    help: 'Services with a Local traffic policy and no endpoint on this node',
    labelNames: ['traffic_policy'],
    ...this.#in,
  });
  readonly healthz: Counter<'code'> = this.#counter('proxy_healthz_total', 'Answers of /healthz', ['code']);
  readonly livez: Counter<'code'> = this.#counter('proxy_livez_total', 'Answers of /livez', ['code']);
  readonly deletedFlows: Counter = this.#counter(
    'conntrack_reconciler_deleted_entries_total',
    'UDP flows deleted because their endpoint is gone',
    [],
  );
}

/** Services that lack local endpoints under a Local policy, in whatever family: `[internal, external]`. */
export function countNoLocal(families: Iterable<ReadonlyMap<string, ServicePlan>>): readonly [internal: number, external: number] {
  const internal = new Set<string>();
  const external = new Set<string>();
  for (const plans of families)
    for (const [key, plan] of plans)
      for (const { frontends } of plan.ports) {
        if (frontends.some((f) => f.kind === 'cluster-ip' && f.inside === 'drop')) internal.add(key);
        if (frontends.some((f) => f.kind !== 'cluster-ip' && f.outside === 'drop')) external.add(key);
      }
  return [internal.size, external.size];
}
