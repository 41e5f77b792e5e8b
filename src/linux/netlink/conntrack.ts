/**
 * Connection tracking over nfnetlink: which connections the kernel remembers, and forgetting some of them. A UDP "connection"
 * keeps its translation for as long as packets flow, so whoever changes a translation must delete what was tracked before.
 */
import type { Family } from '../../ip/ip.ts';
import { isErrno } from './netlink-error.ts';
import { NETLINK_NETFILTER, NetlinkSocket } from './netlink-socket.ts';
import { deleteFlow, type FlowBytes, type FlowFilter, getFlows, parseFlow, readBytes, type TrackedFlow } from './tracked-flow.ts';

export class Conntrack {
  /** A busy node tracks hundreds of thousands of flows. */
  readonly #socket = new NetlinkSocket(NETLINK_NETFILTER, { aside: true });

  /** What is tracked, of one family and (when given) one protocol. */
  async flows(family: Family, protocol?: number): Promise<TrackedFlow[]> {
    // A busy node has hundreds of thousands of TCP, of which the kernel need not tell.
    return this.#list(family, protocol === undefined ? undefined : { protocol }, protocol);
  }

  /** What is tracked and meets the filter, and what else an older kernel tells of. */
  async flowsOf(family: Family, filter: FlowFilter): Promise<TrackedFlow[]> {
    return this.#list(family, filter, undefined);
  }

  /**
   * Tells what each flow carried whose destination was translated, as it is read; nothing is kept. `flow` reads the rest of it, while it is told. Those
   * whose bytes the kernel does not count are left out.
   */
  eachTranslated(family: Family, take: (bytes: FlowBytes, flow: () => TrackedFlow | undefined) => void): Promise<void> {
    return this.#socket.dumpEach(getFlows(family, 'translated'), 'list tracked connections', (message) => {
      const bytes = readBytes(message);
      if (bytes) take(bytes, () => parseFlow(message, family, undefined));
    });
  }

  async #list(family: Family, filter: FlowFilter | undefined, protocol: number | undefined): Promise<TrackedFlow[]> {
    const flows: TrackedFlow[] = [];
    await this.#socket.dumpEach(getFlows(family, filter), 'list tracked connections', (message) => {
      const flow = parseFlow(message, family, protocol);
      if (flow) flows.push(flow);
    });
    return flows;
  }

  /** Forgets the flows; those that have ended by themselves are fine. Returns how many there were. */
  async delete(flows: readonly TrackedFlow[]): Promise<number> {
    const errors = await this.#socket.stream(flows.map(deleteFlow), 'delete tracked connections');
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
