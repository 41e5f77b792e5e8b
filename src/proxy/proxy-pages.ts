/** Which page is at which address. */
import type { Clock } from '../clock/clock.ts';
import { boundAddress, type Page, servePages } from '../observability/health-pages.ts';
import type { ProxyMetrics } from './metrics.ts';
import type { ProxyOptions } from './options.ts';
import { metricsPages, type Read } from './service-counters.ts';
import { statusPages } from './status-pages.ts';

interface Told {
  readonly mode: string;
  readonly metrics: ProxyMetrics;
  readonly counts: Read;
  /** `eligible`: whether traffic should come to this node counts too. */
  readonly health: (eligible: boolean) => Page;
  readonly clock: Clock;
}

export interface ProxyPages {
  readonly healthzAddress: string | undefined;
  readonly metricsAddress: string | undefined;
  close(): Promise<void>;
}

/** Listens. Throws PORT_TAKEN. */
export async function serveProxyPages(options: ProxyOptions, told: Told): Promise<ProxyPages> {
  const { healthzAddress, metricsAddress, serviceCounters = true } = options;
  const { metrics, mode } = told;
  const health = (eligible: boolean) => (): Page => {
    const answer = told.health(eligible);
    (eligible ? metrics.healthz : metrics.livez).inc({ code: String(answer.code) });
    return answer;
  };
  const others = [...statusPages(options, told.clock), ...metricsPages(metrics.registry, serviceCounters ? told.counts : undefined)];
  const pages = await servePages([
    // That it answers is all that kube-proxy says there. Where both addresses are one, the next line holds.
    [metricsAddress, '/healthz', () => ({ code: 200, body: 'ok' })],
    [healthzAddress, '/healthz', health(true)],
    [healthzAddress, '/livez', health(false)],
    [metricsAddress, '/proxyMode', () => ({ code: 200, body: mode })],
    ...others.map(([path, page]) => [metricsAddress, path, page] as const),
  ]);
  const bound = (address: string | undefined): string | undefined =>
    address === undefined ? undefined : boundAddress(address, pages.ports.get(address) ?? 0);
  return { healthzAddress: bound(healthzAddress), metricsAddress: bound(metricsAddress), close: () => pages.close() };
}
