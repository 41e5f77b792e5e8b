/**
 * Connection tracking over nfnetlink: which connections the kernel remembers, and forgetting some of them. A UDP "connection"
 * keeps its translation for as long as packets flow, so whoever changes a translation must delete what was tracked before.
 */
import type { Family } from '../../ip/ip.ts';
import { isErrno } from './netlink-error.ts';
import { NETLINK_NETFILTER, NetlinkSocket } from './netlink-socket.ts';
import { deleteFlow, getFlows, parseFlow, type TrackedFlow } from './tracked-flow.ts';

export class Conntrack {
  /** A busy node tracks hundreds of thousands of flows. */
  readonly #socket = new NetlinkSocket(NETLINK_NETFILTER, { aside: true });

  /** What is tracked, of one family and (when given) one protocol. */
  async flows(family: Family, protocol?: number): Promise<TrackedFlow[]> {
    const flows: TrackedFlow[] = [];
    for (const message of await this.#socket.dump(getFlows(family), 'list tracked connections')) {
      const flow = parseFlow(message, family, protocol);
      if (flow) flows.push(flow);
    }
    return flows;
  }

  /** Forgets the flows; those that have ended by themselves are fine. Returns how many there were. */
  async delete(flows: readonly TrackedFlow[]): Promise<number> {
    const errors = await this.#socket.batch(flows.map(deleteFlow), 'delete tracked connections');
    const refused = errors.find((e) => e !== undefined && !isErrno(e, 'ENOENT'));
    if (refused) throw refused;
    return errors.filter((e) => e === undefined).length;
  }

  /** Forgets what `matches`. Returns how many there were. */
  async deleteWhere(family: Family, protocol: number, matches: (flow: TrackedFlow) => boolean): Promise<number> {
    return this.delete((await this.flows(family, protocol)).filter(matches));
  }

  close(): void {
    this.#socket.close();
  }
}
