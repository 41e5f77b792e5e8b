/** Figures of several programs side by side, as medians of the rounds, and how many times better than the last of them the others are. */

export interface Row<Figures> {
  readonly what: string;
  readonly unit: string;
  readonly of: (figures: Figures) => number;
  readonly isMoreBetter?: boolean;
}

const quantile = (values: readonly number[], q: number): number => {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(Math.floor(sorted.length * q), sorted.length - 1)] ?? Number.NaN;
};

export const p50 = (values: readonly number[]): number => quantile(values, 0.5);
export const p99 = (values: readonly number[]): number => quantile(values, 0.99);

function number(value: number): string {
  if (Number.isNaN(value)) return '–';
  return value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);
}

/** `figures` has those of each round, by the name of the program. */
export function table<Figures>(title: string, rows: readonly Row<Figures>[], figures: ReadonlyMap<string, readonly Figures[]>): string {
  const names = [...figures.keys()];
  const isPair = names.length === 2;
  const better = isPair ? ['times better'] : names.slice(0, -1).map((name) => `× ${name}`);
  const lines = [
    `${title.padEnd(48)}${names.map((name) => name.padStart(16)).join('')}${better.map((name) => name.padStart(18)).join('')}`,
  ];
  for (const { what, unit, of, isMoreBetter } of rows) {
    const medians = names.map((name) => p50((figures.get(name) ?? []).map(of)));
    const last = medians.at(-1)!;
    const ratios = medians.slice(0, -1).map((ours) => number(isMoreBetter ? ours / last : last / ours).padStart(18));
    lines.push(`  ${what.padEnd(46)}${medians.map((value) => number(value).padStart(16)).join('')}${ratios.join('')}   ${unit}`);
  }
  return `${lines.join('\n')}\n\n`;
}
