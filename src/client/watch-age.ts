/** How long ago the API server was last heard, by resource: what of a part's knowledge may be old. */
import type { Registry } from 'prom-client';
import Gauge from 'prom-client/lib/gauge.js';

interface Aged {
  readonly type: { readonly resource: string };
  readonly ageMs: number;
}

/** Milliseconds by resource: the oldest of its informers. */
export function agesOf(informers: Iterable<Aged>): ReadonlyMap<string, number> {
  const ages = new Map<string, number>();
  for (const { type, ageMs } of informers) ages.set(type.resource, Math.max(ages.get(type.resource) ?? 0, ageMs));
  return ages;
}

/** `fairlead_watch_age_seconds{resource}`: a healthy watch stays below a minute. */
export function registerWatchAge(registry: Registry, ages: () => ReadonlyMap<string, number>): void {
  new Gauge({
    name: 'fairlead_watch_age_seconds',
    help: 'Seconds since the API server last said something on the watch of a resource; bookmarks keep it below a minute.',
    labelNames: ['resource'],
    registers: [registry],
    collect() {
      this.reset();
      for (const [resource, ms] of ages()) this.set({ resource }, ms / 1000);
    },
  });
}
