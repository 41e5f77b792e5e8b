/** Pods on nodes that have room for them: NodeResourcesFit and NodeResourcesBalancedAllocation. */
import type { NodeInfo } from '../node-info.ts';
import type { Plugin, Reason } from '../plugin.ts';
import { type Amounts, podRequests, scoringRequests } from '../pod-resources.ts';
import { cpuAndMemory, deviation, leastAllocated, type ResourceWeight, ratingOf, type ScoringStrategy } from './resource-scoring.ts';

export interface FitOptions {
  /** Resources that a node need not have room for. */
  readonly ignores?: (resource: string) => boolean;
  readonly strategy?: ScoringStrategy;
}

/** A pod fits when the node has room for every resource it asks for; emptier nodes are liked better, unless another strategy is given. */
export function nodeResourcesFitWith({ ignores = () => false, strategy = leastAllocated }: FitOptions = {}): Plugin {
  const score = scorerOf(strategy);
  return {
    name: 'NodeResourcesFit',
    scoring: { weight: 1, scale: 'percent' },
    prepare(pod) {
      const requests = podRequests(pod);
      const wanted = Object.entries(requests).filter(([name, amount]) => amount > 0 && !ignores(name));
      const scoring = scoringRequests(pod);
      const taking = takingOf(requests, scoring);
      const general = (node: NodeInfo): number => score(node, taking);
      // Asked for each node and pod, so nearly everybody's strategy is written out.
      const usual = (node: NodeInfo): number => {
        const { cpu, memory } = node.allocatable;
        if (!cpu || !memory) return general(node);
        const free =
          Math.max(cpu - node.scoring.cpu - scoring.cpu, 0) / cpu + Math.max(memory - node.scoring.memory - scoring.memory, 0) / memory;
        return Math.floor(50 * free);
      };
      return {
        filter: (node) => shortages(node, wanted),
        yields: ({ allocatable }) => wanted.every(([name, amount]) => amount <= (allocatable[name] ?? 0)),
        score: strategy === leastAllocated ? usual : general,
      };
    },
  };
}

export const nodeResourcesFit: Plugin = nodeResourcesFitWith();

function shortages(node: NodeInfo, wanted: readonly (readonly [string, number])[]): readonly Reason[] | undefined {
  let short: string[] | undefined;
  if (node.pods.size + 1 > (node.allocatable.pods ?? 110)) short = ['Too many pods'];
  for (const [name, amount] of wanted) {
    if ((node.requested[name] ?? 0) + amount <= (node.allocatable[name] ?? 0)) continue;
    short ??= [];
    short.push(`Insufficient ${name}`);
  }
  return short;
}

/** What would be used of a resource with the pod there; undefined for one that does not count, as the pod does not ask for it. */
type Taking = (node: NodeInfo, resource: string) => number | undefined;

function takingOf(requests: Amounts, scoring: { readonly cpu: number; readonly memory: number }): Taking {
  return (node, resource) => {
    if (resource === 'cpu') return node.scoring.cpu + scoring.cpu;
    if (resource === 'memory') return node.scoring.memory + scoring.memory;
    const wanted = requests[resource];
    return wanted ? (node.requested[resource] ?? 0) + wanted : undefined;
  };
}

/** The weighted mean of what each resource that the node has is rated. */
function scorerOf(strategy: ScoringStrategy): (node: NodeInfo, taking: Taking) => number {
  const rate = ratingOf(strategy);
  // Upstream leaves out what a shape says nothing of, and rounds the rest.
  const isShape = strategy.type === 'RequestedToCapacityRatio';
  const round = isShape ? Math.round : Math.floor;
  return (node, taking) => {
    let sum = 0;
    let weights = 0;
    for (const { name, weight } of strategy.resources) {
      const all = node.allocatable[name];
      const used = all && taking(node, name);
      const score = all && used !== undefined ? rate(used, all) : undefined;
      if (score === undefined || (isShape && score === 0)) continue;
      sum += score * weight;
      weights += weight;
    }
    return weights === 0 ? 0 : round(sum / weights);
  };
}

function share(used: number, all: number | undefined): number {
  return all ? Math.min(used / all, 1) : 1;
}

/** Likes nodes whose resources fill up alike, cpu and memory if nothing else is said, so that none is left over without the others. */
export function nodeResourcesBalancedWith(resources: readonly Pick<ResourceWeight, 'name'>[] = cpuAndMemory): Plugin {
  const names = resources.map(({ name }) => name);
  return {
    name: 'NodeResourcesBalancedAllocation',
    scoring: { weight: 1, scale: 'percent' },
    prepare(pod) {
      const requests = podRequests(pod);
      // A pod that asks for nothing does not change the balance.
      if (names.every((name) => !requests[name])) return undefined;
      const { cpu = 0, memory = 0 } = requests;
      const shareOf = (node: NodeInfo, name: string): number =>
        share((node.requested[name] ?? 0) + (requests[name] ?? 0), node.allocatable[name]);
      // Of two it is half their distance; written out as above.
      const usual = (node: NodeInfo): number => {
        const c = share((node.requested.cpu ?? 0) + cpu, node.allocatable.cpu);
        const m = share((node.requested.memory ?? 0) + memory, node.allocatable.memory);
        return Math.floor((1 - Math.abs(c - m) / 2) * 100);
      };
      const general = (node: NodeInfo): number => Math.floor((1 - deviation(names.map((name) => shareOf(node, name)))) * 100);
      return { score: resources === cpuAndMemory ? usual : general };
    },
  };
}

export const nodeResourcesBalanced: Plugin = nodeResourcesBalancedWith();
