/** What was counted for Services, as metrics. Nothing is read until somebody asks, and then once for all of them. */
import { Counter, type Registry } from 'prom-client';
import type { ServiceCount } from './mode/mode.ts';
import { type Amount, amounts, serviceMetrics } from './service-metrics.ts';

/** Each port once: families, and rules beside relays, count for themselves. Without ports where nothing was counted. */
export function summed(counts: Iterable<ServiceCount>): ServiceCount[] {
  const sums = new Map<string, ServiceCount>();
  for (const count of counts) {
    if (amounts.every((amount) => !count[amount])) continue;
    const name = `${count.service} ${count.port} ${count.protocol}`;
    const before = sums.get(name);
    const both = (amount: Amount): number => (before?.[amount] ?? 0) + (count[amount] ?? 0);
    sums.set(name, {
      ...count,
      connections: both('connections'),
      received: both('received'),
      sent: both('sent'),
      refused: both('refused'),
    });
  }
  return [...sums.values()];
}

export function registerServiceCounters(registry: Registry, read: () => Promise<readonly ServiceCount[]>): void {
  let reading: Promise<readonly ServiceCount[]> | undefined;
  const readOnce = (): Promise<readonly ServiceCount[]> => {
    reading ??= read()
      .then(summed)
      .finally(() => {
        reading = undefined;
      });
    return reading;
  };
  for (const amount of amounts)
    new Counter({
      ...serviceMetrics[amount],
      labelNames: ['namespace', 'service', 'port', 'protocol'],
      registers: [registry],
      async collect() {
        const counts = await readOnce();
        this.reset();
        for (const { service, port, protocol, [amount]: value } of counts) {
          const [namespace = '', name = ''] = service.split('/');
          if (value) this.inc({ namespace, service: name, port, protocol: protocol.toUpperCase() }, value);
        }
      },
    });
}
