/**
 * Follows one packet through every rule of nf_tables in a network namespace: a table of its own marks it, and the kernel tells of it. The table belongs
 * to a socket of this process and goes with it, however the process ends.
 */
import { KnownError } from '../../errors/known-error.ts';
import { familyOf } from '../../ip/ip.ts';
import { decodeAttrs, readText, text } from '../netlink/attribute.ts';
import { isErrno } from '../netlink/netlink-error.ts';
import { NETLINK_NETFILTER, NetlinkSocket } from '../netlink/netlink-socket.ts';
import { parseFlow, type TrackedFlow } from '../netlink/tracked-flow.ts';
import { messageType, nfgenmsg, subsystem } from './batch.ts';
import { ruleText } from './decompile.ts';
import { protocols } from './field-type.ts';
import { KernelNftables } from './kernel-nftables.ts';
import type { Chain, ChainHook, TableFamily } from './table.ts';
import { type Journey, journeyOf, type TraceEvent, traceEvent } from './trace-event.ts';

/** NFNLGRP_NFTRACE and NFNLGRP_CONNTRACK_NEW. */
const groups = { trace: 9, newFlows: 1 } as const;
/** Before anything else looks at the packet (NF_IP_PRI_RAW is -300), and behind all else. */
const [first, last] = [-350, 400];

export interface TracedPacket {
  readonly from: string;
  readonly sourcePort: number;
  readonly to: string;
  readonly port: number;
  readonly protocol: string;
}

/** A rule as it stands in its chain. */
export interface PlacedRule {
  /** From 0. */
  readonly index: number;
  /** In nft's syntax; undefined for a form that is not known here. */
  readonly text: string | undefined;
}

/** Its base chains that are empty make the kernel tell how the packet leaves. */
function chainsOf(family: TableFamily, { from, sourcePort, to, port, protocol }: TracedPacket): Chain[] {
  const rule = `meta l4proto ${protocol} ${family} saddr ${from} ${family} daddr ${to} th sport ${sourcePort} th dport ${port} meta nftrace set 1`;
  const chain = (hook: ChainHook, priority: number, ...rules: string[]): Chain => ({
    name: hook,
    hook: { type: 'filter', hook, priority },
    rules,
  });
  return [chain('prerouting', first, rule), chain('output', first, rule), chain('input', last), chain('postrouting', last)];
}

function isFlowOf({ orig }: TrackedFlow, packet: TracedPacket): boolean {
  return orig.src === packet.from && orig.srcPort === packet.sourcePort && orig.dst === packet.to && orig.dstPort === packet.port;
}

/** In the network namespace of this moment. */
export class PacketTrace implements Disposable {
  readonly table: string = `fairlead-trace-${process.pid}`;
  readonly #nft = new KernelNftables();
  readonly #socket = new NetlinkSocket(NETLINK_NETFILTER);
  /** Apart: a busy node begins to track thousands of connections meanwhile. */
  readonly #flows = new NetlinkSocket(NETLINK_NETFILTER);
  readonly #events: TraceEvent[] = [];
  #flow: TrackedFlow | undefined;
  #isComplete = true;

  private constructor(packet: TracedPacket) {
    this.#socket.subscribe([groups.trace], (message) => {
      if (message === 'lost') this.#isComplete = false;
      const event = message === 'lost' ? undefined : traceEvent(message);
      if (event) this.#events.push(event);
    });
    this.#flows.subscribe([groups.newFlows], (message) => {
      if (message === 'lost') return;
      const flow = parseFlow(message, familyOf(packet.to), protocols[packet.protocol]);
      if (flow && isFlowOf(flow, packet)) this.#flow ??= flow;
    });
  }

  /** Throws KERNEL_FEATURE_MISSING for a kernel whose tables have no owner (before Linux 5.12): what a killed process left would stay. */
  static async start(family: TableFamily, packet: TracedPacket): Promise<PacketTrace> {
    const trace = new PacketTrace(packet);
    try {
      const chains = chainsOf(family, packet).map((chain) => ({ op: 'add-chain', chain }) as const);
      await trace.#nft.commit({ family, table: trace.table, ops: [{ op: 'add-table', isOwned: true }, ...chains] });
    } catch (cause) {
      trace[Symbol.dispose]();
      throw new KnownError('KERNEL_FEATURE_MISSING', 'Cannot follow a packet: the kernel takes no table that ends with its owner', {
        hint: 'It takes root and Linux 5.12 or later',
        cause,
      });
    }
    return trace;
  }

  /** What the kernel has told so far. An answer comes behind what waits in a socket. */
  async told(): Promise<{ readonly journey: Journey; readonly flow: TrackedFlow | undefined; readonly isComplete: boolean }> {
    const request = { type: (subsystem << 8) | messageType.getGeneration, body: nfgenmsg(undefined) };
    for (const socket of [this.#socket, this.#flows]) await socket.get(request, 'read a packet trace');
    return { journey: journeyOf(this.#events, this.table), flow: this.#flow, isComplete: this.#isComplete };
  }

  /** The rules of a chain, by handle; none when it is gone. `family` is NFPROTO_*. */
  async rules(family: number, table: string, chain: string): Promise<ReadonlyMap<string, PlacedRule>> {
    const attrs = [[1, text(table)] as const, [2, text(chain)] as const];
    const rules = new Map<string, PlacedRule>();
    try {
      const body = Uint8Array.of(family, 0, 0, 0);
      const listed = await this.#socket.dump({ type: (subsystem << 8) | messageType.getRule, body, attrs }, 'list rules');
      for (const { data } of listed) {
        const a = decodeAttrs(data, 4);
        // Kernels before 5.6 tell of every chain.
        if (readText(a.get(1)) !== table || readText(a.get(2)) !== chain) continue;
        const handle = (a.get(3)?.readBigUInt64BE(0) ?? 0n).toString();
        rules.set(handle, { index: rules.size, text: ruleText(a.get(4) ?? Buffer.alloc(0), family === 10 ? 'ip6' : 'ip') });
      }
    } catch (err) {
      if (!isErrno(err, 'ENOENT')) throw err;
    }
    return rules;
  }

  [Symbol.dispose](): void {
    this.#nft.close();
    this.#socket.close();
    this.#flows.close();
  }
}
