/**
 * What every plugin is. After CoreDNS: plugins form a chain, each answers a request or asks the next one, and may look at or change what
 * that answered. A new plugin is a folder here, and a line in `order.ts`.
 */
import type { Registry } from 'prom-client';
import type { InformerSet } from '../../client/informers.ts';
import type { Clock } from '../../clock/clock.ts';
import type { Log } from '../../observability/log.ts';
import type { Query } from '../message/query.ts';
import type { RawReply, Reply } from '../message/reply.ts';

export type Transport = 'udp' | 'tcp';

/** Who asks. */
export interface Client {
  readonly family: 4 | 6;
  readonly address: string;
  readonly port: number;
}

export interface Request {
  readonly query: Query;
  readonly client: Client;
  readonly transport: Transport;
}

export type Answer = Reply | RawReply;

/** What comes after a plugin: the rest of the chain. */
export type Next = (request: Request) => Answer | Promise<Answer>;

/** A plugin that is set up. */
export interface Handler {
  /**
   * Answers, or gives what `next` answers. What can be answered from memory is answered without a promise. What throws or rejects here is
   * logged, and SERVFAIL for this one question.
   */
  handle(request: Request, next: Next): Answer | Promise<Answer>;
  /** Resolves when it knows all that it must know. Absent: from the start. */
  readonly synced?: Promise<void>;
  /** For /ready: why it cannot answer well, as `NAME` or `NAME: reason`. Absent, or undefined: it can. */
  notReady?(): string | undefined;
}

/** What a plugin is given beside its settings. */
export interface Env {
  readonly clock: Clock;
  readonly log: Log;
  /** Where it registers its metrics, under CoreDNS's names. */
  readonly metrics: Registry;
  /** The `server` label of CoreDNS's metrics: `dns://:53`. */
  readonly server: string;
  readonly informers: InformerSet;
  /** Addresses at which others reach this server. */
  readonly serverIps: readonly string[];
  /** Asks the whole chain from its start, as a client would. CoreDNS calls it upstream. */
  readonly lookup: Next;
  /** Aborts when nobody asks any more: sockets and timers end. */
  readonly signal: AbortSignal;
}

/** `Block` is what the plugin's block of a Corefile says, as a value. */
export interface Plugin<Block = unknown> {
  /** As in a Corefile. */
  readonly name: string;
  /** Throws a KnownError for settings that cannot be. */
  setup(block: Block, env: Env): Handler;
}
