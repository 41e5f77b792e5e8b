/** What a process runs: a part has flags, reads its settings from them, and is started and ended as all others are. */
import type { OptionSpec } from '../../cli/command.ts';
import type { ClientConfig } from '../../client/client-config.ts';
import type { Clock } from '../../clock/clock.ts';
import type { GaugeSource } from '../../observability/gauge.ts';
import type { Log } from '../../observability/log.ts';
import type { LogThreshold } from '../../observability/stream-log.ts';
import type { FlagReader } from '../flag-reader.ts';
import type { InformerPool } from './informer-pool.ts';

export interface PartFlag extends OptionSpec {
  /** What differs in a command of several parts, whose flags must say which of them is meant; false for a flag that such a command lacks. */
  readonly among?: (Partial<OptionSpec> & { readonly name?: string }) | false;
  /** Upstream's flag without an effect here. With `allowed`: it may have these values only. */
  readonly upstream?: { readonly allowed?: readonly string[]; readonly why: string; readonly honoured?: true };
}

export type PartFlags = Readonly<Record<string, PartFlag>>;

/** What is known of the process before anything is started. */
export interface Setting {
  /** The names of its parts. */
  readonly parts: readonly string[];
  /** Of a part that leads: it may change the cluster while this lasts. */
  readonly term?: ClientConfig['term'];
  /** Where its own API server is, whatever a kubeconfig says for others. */
  readonly apiServer?: Pick<ClientConfig, 'server' | 'serverName'> | undefined;
}

export interface PartContext {
  readonly informers: InformerPool;
  readonly clock: Clock;
  /** Names the part. */
  readonly log: Log;
  /** Of the process; a part that is alone in it may move it. */
  readonly logThreshold?: LogThreshold;
  /** Aborting ends the part. */
  readonly signal: AbortSignal;
}

export interface Running {
  /** Resolves when it does its work, with the words for the log. A part without works at once, or speaks for itself. */
  readonly ready?: Promise<string>;
  /** Resolves when it has ended after the signal; rejects when it cannot go on. */
  readonly stopped: Promise<unknown>;
  /** Of a part that elects: its Lease, and whether this process holds it. */
  leads?(): readonly [lease: string, leads: boolean];
  /** What it counts about its work, for /metrics. */
  gauges?(): readonly GaugeSource[];
  /** What is wrong now, in words; undefined while nothing is. A part without it counts as well until it ends. */
  health?(): string | undefined;
}

export interface Part<F extends PartFlags = PartFlags, C = unknown> {
  readonly name: string;
  readonly flags: F;
  /**
   * Brings about what the files that the flags name need to be there for, such as a new node's first certificate: before any settings are read, and
   * with as much patience as it takes. Throws USAGE and BAD_CONFIG.
   */
  prepare?(flags: FlagReader<keyof F & string>, context: Pick<PartContext, 'clock' | 'log' | 'signal'>): Promise<void>;
  /** Settings from flags and from the files that they name; touches nothing of the machine. Throws USAGE and BAD_CONFIG. */
  config(flags: FlagReader<keyof F & string>, setting: Setting): Promise<C>;
  /** Begins. When it rejects, the signal aborts, and so ends what had begun. */
  start(config: C, context: PartContext): Promise<Running>;
}

/** Ties what `config` and `start` take to the part's own flags and settings. */
export function definePart<const F extends PartFlags, C>(part: Part<F, C>): Part {
  return part as unknown as Part;
}
