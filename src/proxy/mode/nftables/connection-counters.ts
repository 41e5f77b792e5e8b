/** What the table's rules counted, by ports of Services; and the elements of what is gone, which nobody else takes away. */
import { cidrContains, mustCidr } from '../../../ip/ip.ts';
import type { CountedElement, Nftables, Op } from '../../../linux/nftables/table.ts';
import type { NodeContext } from '../../plan/node-context.ts';
import { frontendName, type ServicePlan } from '../../plan/service-plan.ts';
import type { ServiceCount } from '../mode.ts';
import { endpointsOf, type Tally, talliesOf } from '../tallies.ts';
import { connectionsSet, refusalsSet } from './counting.ts';
import { tableName } from './layout.ts';

/** Above this, endpoints that are gone make room. Until then their elements stay, so that a proxy that starts again counts on from where it was. */
const roomyElements = 32_768;

/** The port of a Service that has a frontend (`10.96.0.1 . tcp . 80`), given with the address that was asked for. */
type PortOf = (frontend: string) => Tally | undefined;

function portOf(tallies: readonly Tally[], { nodePortIps, serviceCidrs }: NodeContext): PortOf {
  const byFrontend = new Map<string, Tally>();
  for (const tally of tallies) for (const frontend of tally.plan.frontends) byFrontend.set(frontendName(frontend, tally.plan), tally);
  const ranges = serviceCidrs.map(mustCidr);
  const isNodes = (ip: string): boolean =>
    nodePortIps === 'all' ? !ranges.some((range) => cidrContains(range, ip)) : nodePortIps.includes(ip);
  return (frontend) => {
    const exact = byFrontend.get(frontend);
    if (exact) return exact;
    const at = frontend.indexOf(' . ');
    return isNodes(frontend.slice(0, at)) ? byFrontend.get(frontend.slice(at + 3)) : undefined;
  };
}

function frontendNames(plan: ServicePlan | undefined): string[] {
  return plan?.ports.flatMap((port) => port.frontends.map((frontend) => frontendName(frontend, port))) ?? [];
}

const nameOf = ({ service, plan }: Tally): string => `${service} ${plan.name} ${plan.protocol}`;

export class ConnectionCounters {
  readonly #nft: Pick<Nftables, 'readCounters' | 'commit'>;
  /** Connections of elements that had to make room, by port. */
  #past: ReadonlyMap<string, number> = new Map();
  #hasGone = false;

  constructor(nft: Pick<Nftables, 'readCounters' | 'commit'>) {
    this.#nft = nft;
  }

  /** Whether a frontend went since the last reading: who gets it next is not to find its counts. */
  get hasGone(): boolean {
    return this.#hasGone;
  }

  /** Takes note of a change of a Service. */
  changed(before: ServicePlan | undefined, after: ServicePlan | undefined): void {
    const now = new Set(frontendNames(after));
    if (frontendNames(before).some((name) => !now.has(name))) this.#hasGone = true;
  }

  /** Reads all, and takes away what is nobody's. */
  async read(plans: Iterable<ServicePlan>, node: NodeContext): Promise<ServiceCount[]> {
    if (!node.countsConnections) return [];
    const tallies = talliesOf(plans);
    const find = portOf(tallies, node);
    const [connections, refusals] = [connectionsSet(node), refusalsSet(node)];
    const read = (set: typeof connections): Promise<readonly CountedElement[]> => this.#nft.readCounters(node.family, tableName, set);
    const gone = [this.#tellConnections(await read(connections), tallies, find), tellRefusals(await read(refusals), find)];
    const ops = [connections, refusals].map((set, i): Op => ({ op: 'delete-elements', set, keys: gone[i] ?? [] }));
    const changes = ops.filter((op) => op.op === 'delete-elements' && op.keys.length > 0);
    if (changes.length > 0) await this.#nft.commit({ family: node.family, table: tableName, ops: changes });
    this.#hasGone = false;
    return tallies.map(({ count }) => count);
  }

  /** Gives the elements that are to go. */
  #tellConnections(counted: readonly CountedElement[], tallies: readonly Tally[], find: PortOf): string[] {
    const past = new Map(tallies.map((tally) => [nameOf(tally), this.#past.get(nameOf(tally)) ?? 0]));
    const needsRoom = counted.length > roomyElements;
    const gone: string[] = [];
    for (const { key, packets } of counted) {
      const at = key.lastIndexOf(' . ', key.lastIndexOf(' . ') - 1);
      const tally = find(key.slice(0, at));
      const endpoint = key.slice(at + 3);
      if (tally && !(needsRoom && !endpointsOf(tally.plan).has(endpoint))) {
        tally.reached(endpoint, { connections: packets });
        continue;
      }
      gone.push(key);
      if (tally) past.set(nameOf(tally), (past.get(nameOf(tally)) ?? 0) + packets);
    }
    for (const tally of tallies) tally.passed({ connections: past.get(nameOf(tally)) ?? 0 });
    this.#past = past;
    return gone;
  }
}

function tellRefusals(counted: readonly CountedElement[], find: PortOf): string[] {
  const gone: string[] = [];
  for (const { key, packets } of counted) {
    const tally = find(key);
    if (tally) tally.refuse(packets);
    else gone.push(key);
  }
  return gone;
}
