import type { Plugin } from '../plugin.ts';
import { podRequests, scoringRequests } from '../pod-resources.ts';

/** A pod fits when the node has room for every resource it asks for; emptier nodes are liked better (LeastAllocated). */
export const nodeResourcesFit: Plugin = {
  name: 'NodeResourcesFit',
  scoring: { weight: 1, scale: 'percent' },
  prepare(pod) {
    const wanted = Object.entries(podRequests(pod)).filter(([, amount]) => amount > 0);
    const scoring = scoringRequests(pod);
    return {
      filter(node) {
        let short: string[] | undefined;
        if (node.pods.size + 1 > (node.allocatable.pods ?? 110)) short = ['Too many pods'];
        for (const [name, amount] of wanted) {
          if ((node.requested[name] ?? 0) + amount <= (node.allocatable[name] ?? 0)) continue;
          short ??= [];
          short.push(`Insufficient ${name}`);
        }
        return short;
      },
      score(node) {
        const free = (used: number, all: number | undefined): number => (all && used <= all ? (100 * (all - used)) / all : 0);
        const cpu = free(node.scoring.cpu + scoring.cpu, node.allocatable.cpu);
        const memory = free(node.scoring.memory + scoring.memory, node.allocatable.memory);
        return Math.floor((cpu + memory) / 2);
      },
    };
  },
};

/** Likes nodes whose cpu and memory fill up alike, so that neither is left over without the other. */
export const nodeResourcesBalanced: Plugin = {
  name: 'NodeResourcesBalancedAllocation',
  scoring: { weight: 1, scale: 'percent' },
  prepare(pod) {
    const { cpu = 0, memory = 0 } = podRequests(pod);
    // A pod that asks for nothing does not change the balance.
    if (cpu === 0 && memory === 0) return undefined;
    return {
      score(node) {
        const share = (used: number, all: number | undefined): number => (all ? Math.min(used / all, 1) : 1);
        const c = share((node.requested.cpu ?? 0) + cpu, node.allocatable.cpu);
        const m = share((node.requested.memory ?? 0) + memory, node.allocatable.memory);
        return Math.floor((1 - Math.abs(c - m) / 2) * 100);
      },
    };
  },
};
