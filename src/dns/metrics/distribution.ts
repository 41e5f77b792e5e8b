/** A histogram of prom-client's that costs a few additions per observation. */
import type { Metric, Registry } from 'prom-client';

/** A histogram whose counts are plain numbers, in the shape that prom-client prints. */
export class Distribution {
  readonly name: string;
  readonly #help: string;
  readonly #buckets: readonly number[];
  readonly #labels: readonly string[];
  readonly #series = new Map<string, { readonly values: readonly string[]; readonly counts: number[]; sum: number; total: number }>();

  constructor(registry: Registry, name: string, help: string, buckets: readonly number[], labels: readonly string[]) {
    this.name = name;
    this.#help = help;
    this.#buckets = buckets;
    this.#labels = labels;
    // What the registry asks of a metric is a name and get().
    registry.registerMetric(this as unknown as Metric);
  }

  observe(value: number, ...values: readonly string[]): void {
    const key = values.join('|');
    let series = this.#series.get(key);
    if (!series) {
      series = { values, counts: this.#buckets.map(() => 0), sum: 0, total: 0 };
      this.#series.set(key, series);
    }
    series.sum += value;
    series.total++;
    let at = 0;
    while (at < this.#buckets.length && value > (this.#buckets[at] ?? 0)) at++;
    if (at < series.counts.length) series.counts[at] = (series.counts[at] ?? 0) + 1;
  }

  get(): object {
    const values: { value: number; labels: object; metricName: string }[] = [];
    for (const series of this.#series.values()) {
      const labels = Object.fromEntries(this.#labels.map((label, i) => [label, series.values[i] ?? '']));
      let below = 0;
      for (const [i, le] of this.#buckets.entries()) {
        below += series.counts[i] ?? 0;
        values.push({ value: below, labels: { le, ...labels }, metricName: `${this.name}_bucket` });
      }
      values.push({ value: series.total, labels: { le: '+Inf', ...labels }, metricName: `${this.name}_bucket` });
      values.push({ value: series.sum, labels, metricName: `${this.name}_sum` });
      values.push({ value: series.total, labels, metricName: `${this.name}_count` });
    }
    return { name: this.name, help: this.#help, type: 'histogram', aggregator: 'sum', values };
  }
}
