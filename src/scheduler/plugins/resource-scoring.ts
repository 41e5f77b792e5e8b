/** How much a node is liked for what of its resources is taken: the scoring strategies of upstream's NodeResourcesFit. Pure. */

export interface ResourceWeight {
  readonly name: string;
  readonly weight: number;
}

/** From nothing taken (0) to everything (100): a score from 0 to 10. */
export interface ShapePoint {
  readonly utilization: number;
  readonly score: number;
}

export interface ScoringStrategy {
  readonly type: 'LeastAllocated' | 'MostAllocated' | 'RequestedToCapacityRatio';
  readonly resources: readonly ResourceWeight[];
  /** Of RequestedToCapacityRatio alone. */
  readonly shape: readonly ShapePoint[];
}

/** The score of one resource, 0–100, of whose `all` so much would be used. */
export type Rating = (used: number, all: number) => number;

export const cpuAndMemory: readonly ResourceWeight[] = ['cpu', 'memory'].map((name) => ({ name, weight: 1 }));

export const leastAllocated: ScoringStrategy = { type: 'LeastAllocated', resources: cpuAndMemory, shape: [] };

export function ratingOf({ type, shape }: ScoringStrategy): Rating {
  if (type === 'LeastAllocated') return (used, all) => (used <= all ? (100 * (all - used)) / all : 0);
  if (type === 'MostAllocated') return (used, all) => (100 * Math.min(used, all)) / all;
  return (used, all) => 10 * scoreAt(shape, used <= all ? Math.trunc((100 * used) / all) : 100);
}

/** On the straight line between the points around it. */
function scoreAt(shape: readonly ShapePoint[], utilization: number): number {
  const at = shape.findIndex((point) => utilization <= point.utilization);
  const next = shape[at];
  const before = shape[at < 0 ? shape.length - 1 : at - 1];
  if (next === undefined || before === undefined) return (next ?? before)?.score ?? 0;
  const share = (utilization - before.utilization) / (next.utilization - before.utilization);
  return before.score + share * (next.score - before.score);
}

/** How unevenly shares from 0 to 1 are taken: their standard deviation. */
export function deviation(shares: readonly number[]): number {
  const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
  return Math.sqrt(shares.reduce((sum, share) => sum + (share - mean) ** 2, 0) / shares.length);
}
