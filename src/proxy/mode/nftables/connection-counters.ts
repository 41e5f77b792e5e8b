/** What the table's rules counted, by ports of Services; and the elements of what is gone, which nobody else takes away. */
import type { CountedElement, Nftables, Op } from '../../../linux/nftables/table.ts';
import type { NodeContext } from '../../plan/node-context.ts';
import { frontendName, keepsFrontends, type ServicePlan } from '../../plan/service-plan.ts';
import { type ByteCounts, mostPairs } from '../byte-counts.ts';
import { frontendOf, MetTallies, PastCounts } from '../met-tallies.ts';
import type { ServiceCount } from '../mode.ts';
import { connectionsSet, refusalsSet } from './counting.ts';
import { tableName } from './layout.ts';

/** Above this, endpoints that are gone make room. Until then their elements stay, so that a proxy that starts again counts on from where it was. */
const roomyElements = 32_768;

function frontendNames(plan: ServicePlan | undefined): string[] {
  return plan?.ports.flatMap((port) => port.frontends.map((frontend) => frontendName(frontend, port))) ?? [];
}

export class ConnectionCounters {
  readonly #nft: Pick<Nftables, 'readCounters' | 'commit'>;
  readonly #bytes: Pick<ByteCounts, 'pairs' | 'forget'> | undefined;
  readonly #past = { connections: new PastCounts(), bytes: new PastCounts() };
  #hasGone = false;

  constructor(nft: Pick<Nftables, 'readCounters' | 'commit'>, bytes?: Pick<ByteCounts, 'pairs' | 'forget'>) {
    this.#nft = nft;
    this.#bytes = bytes;
  }

  /** Whether a frontend went since the last reading: who gets it next is not to find its counts. */
  get hasGone(): boolean {
    return this.#hasGone;
  }

  /** Takes note of a change of a Service. */
  changed(before: ServicePlan | undefined, after: ServicePlan | undefined): void {
    if (this.#hasGone || !before || keepsFrontends(before, after)) return;
    const now = new Set(frontendNames(after));
    if (frontendNames(before).some((name) => !now.has(name))) this.#hasGone = true;
  }

  /** Reads all, and takes away what is nobody's. Ports that were met by nobody may be left out. */
  async read(plans: Iterable<ServicePlan>, node: NodeContext): Promise<ServiceCount[]> {
    if (!node.countsConnections) return [];
    const sets = [connectionsSet(node), refusalsSet(node)] as const;
    const read = (set: (typeof sets)[number]): Promise<readonly CountedElement[]> => this.#nft.readCounters(node.family, tableName, set);
    const [connections, refusals] = [await read(sets[0]), await read(sets[1])];
    const pairs = (await this.#bytes?.pairs()) ?? new Map();
    const past = [this.#past.connections, this.#past.bytes];
    const frontends = [
      ...connections.map(({ key }) => frontendOf(key)),
      ...refusals.map(({ key }) => key),
      ...[...pairs.keys()].map(frontendOf),
    ];
    const met = new MetTallies(plans, node, { frontends, past });
    const counted = connections.map(({ key, packets }) => [key, { connections: packets }] as const);
    const gone = [this.#past.connections.addTo(met, counted, connections.length > roomyElements), tellRefusals(refusals, met)];
    this.#bytes?.forget(this.#past.bytes.addTo(met, pairs, pairs.size > mostPairs / 2));
    const changes = sets.map((set, i): Op => ({ op: 'delete-elements', set, keys: gone[i] ?? [] })).filter((_, i) => gone[i]?.length);
    if (changes.length > 0) await this.#nft.commit({ family: node.family, table: tableName, ops: changes });
    this.#hasGone = false;
    return Array.from(met.all, ({ count }) => count);
  }
}

function tellRefusals(counted: readonly CountedElement[], met: MetTallies): string[] {
  const gone: string[] = [];
  for (const { key, packets } of counted) {
    const tally = met.at(key);
    if (tally) tally.refuse(packets);
    else gone.push(key);
  }
  return gone;
}
