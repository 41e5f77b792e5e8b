/**
 * Clients with affinity whose endpoint is gone, or whose packets go by another list now: the kernel would go on sending their new connections
 * there, until they are forgotten.
 */
import type { Nftables, SetDeclaration } from '../../../linux/nftables/table.ts';
import type { NodeContext } from '../../plan/node-context.ts';
import { frontendName, keepsFrontends, type ServicePlan } from '../../plan/service-plan.ts';
import { affinitySet, tableName } from './layout.ts';

function hasAffinity(plan: ServicePlan | undefined): plan is ServicePlan {
  return plan?.ports.some((port) => port.affinitySeconds !== undefined) === true;
}

/** By which list each frontend chooses, for clients inside and outside. */
function routesOf(plan: ServicePlan | undefined): Map<string, string> {
  return new Map(plan?.ports.flatMap((port) => port.frontends.map((f) => [frontendName(f, port), `${f.inside} ${f.outside}`] as const)));
}

export class ClientMemory {
  readonly #nft: Pick<Nftables, 'commit' | 'readElements'>;
  /** Services some of whose clients may have to be forgotten, and the frontends all of whose clients have. */
  readonly #stale = new Map<string, Set<string>>();

  constructor(nft: Pick<Nftables, 'commit' | 'readElements'>) {
    this.#nft = nft;
  }

  /** Takes note of a change of a Service. */
  changed(key: string, before: ServicePlan | undefined, after: ServicePlan | undefined): void {
    if (!hasAffinity(before)) return;
    const rerouted = this.#stale.get(key) ?? new Set();
    this.#stale.set(key, rerouted);
    if (keepsFrontends(before, after)) return;
    const routes = routesOf(after);
    for (const [frontend, route] of routesOf(before)) if (routes.get(frontend) !== route) rerouted.add(frontend);
  }

  /** Forgets clients of Services that changed; of `all` when nobody knows what the kernel remembers. */
  async forget(plans: ReadonlyMap<string, ServicePlan>, node: NodeContext, all: boolean): Promise<void> {
    if (all) for (const [key, plan] of plans) if (hasAffinity(plan) && !this.#stale.has(key)) this.#stale.set(key, new Set());
    for (const [key, rerouted] of this.#stale) {
      const plan = plans.get(key);
      // With its last port that has affinity the whole set went.
      if (hasAffinity(plan)) await this.#forgetOf(plan, rerouted, node);
      this.#stale.delete(key);
    }
  }

  async #forgetOf(plan: ServicePlan, rerouted: ReadonlySet<string>, node: NodeContext): Promise<void> {
    const set: SetDeclaration = affinitySet(plan.key, node);
    const valid = targetsOf(plan, rerouted);
    for (let attempt = 1; ; attempt++) {
      const known = await this.#nft.readElements(node.family, tableName, set);
      const keys = [...known].filter(([key, endpoint]) => !valid(key, endpoint)).map(([key]) => key);
      if (keys.length === 0) return;
      try {
        await this.#nft.commit({ family: node.family, table: tableName, ops: [{ op: 'delete-elements', set, keys }] });
        return;
      } catch (err) {
        // One of them may have run out in between.
        if (attempt === 5) throw err;
      }
    }
  }
}

function targetsOf(plan: ServicePlan, rerouted: ReadonlySet<string>): (key: string, endpoint: string) => boolean {
  const targets = new Map<string, Set<string>>();
  for (const port of plan.ports) {
    if (port.affinitySeconds === undefined) continue;
    const endpoints = new Set([...port.cluster, ...port.local].map((e) => e.name));
    for (const f of port.frontends) if (!rerouted.has(frontendName(f, port))) targets.set(frontendName(f, port), endpoints);
  }
  return (key, endpoint) => {
    // client . frontend, where a node port's address is any of the node's.
    const frontend = key.slice(key.indexOf(' . ') + 3);
    const endpoints = targets.get(frontend) ?? targets.get(frontend.slice(frontend.indexOf(' . ') + 3));
    return endpoints?.has(endpoint) === true;
  };
}
