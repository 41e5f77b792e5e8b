/**
 * Counts what connections to Services carry, for modes whose rules cannot: a rule that counts each packet costs some 4 % of small ones, the kernel's
 * account of each tracked connection next to nothing. It is read now and then, and what each carried more is added.
 */
import type { Clock } from '../../clock/clock.ts';
import type { Family } from '../../ip/ip.ts';
import { protocolNames } from '../../linux/netlink/tracked-flow.ts';
import type { TableFamily } from '../../linux/nftables/table.ts';
import type { FlowAccounting } from './flow-accounting.ts';
import { FlowTable } from './flow-table.ts';
import type { Connections, CountedFlow } from './least-connection.ts';

/** Bytes of IP packets: from clients, and to them. */
export interface PairBytes {
  readonly connections: 0;
  received: number;
  sent: number;
}

/** Less than conntrack remembers an ended TCP connection (reset 10 s, else 120 s) or a short UDP flow (30 s): what they carried is still told. */
const periodMs = 8000;
/** Reading takes at most a hundredth of the time … */
const pauseShare = 100;
/** … but what ended is not waited for until it is forgotten. */
const longestPauseMs = 110_000;
/** Who asks gets what is as old as this at most, if reading is quick. */
const freshMs = 1000;
/** Of frontend and endpoint. Further pairs are not counted. */
export const mostPairs = 65_536;

export class ByteCounts {
  readonly #family: Family;
  readonly #connections: Connections;
  readonly #accounting: FlowAccounting;
  readonly #clock: Clock;
  readonly #flows = new FlowTable();
  /** By `10.96.0.1 . tcp . 80 . 10.244.1.2 . 8080`. */
  readonly #pairs = new Map<string, PairBytes>();
  #isStarted = false;
  #isFirst = true;
  #reading: Promise<void> | undefined;
  #timer: { cancel(): void } | undefined;
  #endedAt = Number.NEGATIVE_INFINITY;
  #tookMs = 0;
  #isClosed = false;

  constructor(family: TableFamily, connections: Connections, accounting: FlowAccounting, clock: Clock) {
    this.#family = family === 'ip' ? 4 : 6;
    this.#connections = connections;
    this.#accounting = accounting;
    this.#clock = clock;
  }

  /** From now on; once is enough. What connections carried before is somebody else's count. */
  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#accounting.begin();
    void this.#read();
  }

  /** What each pair carried, read anew unless that was just done. */
  async pairs(): Promise<ReadonlyMap<string, PairBytes>> {
    const isDue = this.#clock.monotonic() - this.#endedAt >= Math.max(freshMs, pauseShare * this.#tookMs);
    if (this.#isStarted && !this.#isClosed && (this.#reading || isDue)) await this.#read();
    return this.#pairs;
  }

  /** Nobody is asked for these any more, or somebody else has added them up. */
  forget(pairs: Iterable<string>): void {
    for (const pair of pairs) this.#pairs.delete(pair);
  }

  #read(): Promise<void> {
    this.#timer?.cancel();
    this.#reading ??= this.#readOnce().finally(() => {
      this.#reading = undefined;
      const pauseMs = Math.min(longestPauseMs, Math.max(periodMs, pauseShare * this.#tookMs));
      this.#timer = this.#isClosed ? undefined : this.#clock.after(pauseMs, () => void this.#read());
    });
    return this.#reading;
  }

  async #readOnce(): Promise<void> {
    const begun = this.#clock.monotonic();
    try {
      await this.#connections.eachTranslated?.(this.#family, ({ id, orig, reply }, flow) => {
        const more = this.#flows.grown(id, orig, reply);
        if (more && !this.#isFirst && more.orig + more.reply > 0) this.#add(flow(), more.orig, more.reply);
      });
      this.#flows.endRound();
      this.#isFirst = false;
    } catch {
      // What flows carried is not lost: the next reading compares with what each was read to have carried last.
    }
    // The question may have loaded the part of the kernel that keeps accounts.
    this.#accounting.begin({ wasAsked: true });
    this.#endedAt = this.#clock.monotonic();
    this.#tookMs = this.#endedAt - begun;
  }

  #add(flow: CountedFlow | undefined, received: number, sent: number): void {
    if (!flow) return;
    const { protocol, orig, reply } = flow;
    const pair = `${orig.dst} . ${protocolNames.get(protocol)} . ${orig.dstPort} . ${reply.src} . ${reply.srcPort}`;
    const known = this.#pairs.get(pair);
    if (known) {
      known.received += received;
      known.sent += sent;
    } else if (this.#pairs.size < mostPairs) this.#pairs.set(pair, { connections: 0, received, sent });
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }
}
