/** The life of a process: settings first, then its parts one after the other, one signal for all, and the end in reverse. */
import { aborted, onAbort } from '../../clock/aborted.ts';
import type { Clock } from '../../clock/clock.ts';
import { messageOf } from '../../errors/known-error.ts';
import type { GaugeSource } from '../../observability/gauge.ts';
import { type Page, servePages } from '../../observability/health-pages.ts';
import type { Log } from '../../observability/log.ts';
import type { LogThreshold } from '../../observability/stream-log.ts';
import type { FlagReader } from '../flag-reader.ts';
import type { SecureServing } from '../secure-serving.ts';
import { InformerPool } from './informer-pool.ts';
import type { Part, PartContext, Running, Setting } from './part.ts';

export interface Wanted {
  readonly part: Part;
  readonly flags: FlagReader;
}

export interface ProcessOptions {
  readonly setting: Setting;
  /** `HOST:PORT` where /healthz tells how the parts are; undefined for nowhere. */
  readonly healthzAddress?: string | undefined;
  /** Pages under flags of their own. */
  readonly pages?: SecureServing | undefined;
  /** Said when the end begins. */
  readonly farewell: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly logThreshold?: LogThreshold;
  readonly signal: AbortSignal;
}

/** A part with its settings read. */
export interface Configured {
  readonly name: string;
  start(context: PartContext): Promise<Running>;
}

/** Runs the parts until the signal aborts. Rejects when one cannot start or go on; the others have ended then. */
export async function runParts(wanted: readonly Wanted[], options: ProcessOptions): Promise<number> {
  const { setting, healthzAddress, farewell, log, signal } = options;
  const parts: Configured[] = [];
  // Whatever can be wrong with the settings of any part is found here, before anything of the machine is touched.
  for (const { part, flags } of wanted) {
    const config = await part.config(flags, setting);
    parts.push({ name: part.name, start: (context) => part.start(config, context) });
  }
  const process = new PartProcess(parts, options);
  const pages = await servePages(['/healthz', '/livez'].map((path) => [healthzAddress, path, () => healthPage(process.health())]));
  let secure: Awaited<ReturnType<SecureServing['serve']>> | undefined;
  try {
    secure = await options.pages?.serve(process);
    await process.start(signal);
    await Promise.race([aborted(signal), process.failed]);
    log.info(farewell);
  } finally {
    await process.stop();
    await Promise.all([pages.close(), secure?.close()]);
  }
  return 0;
}

/** Parts at work. */
export class PartProcess {
  readonly #all: readonly Configured[];
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #logThreshold: LogThreshold | undefined;
  readonly #informers = new InformerPool();
  /** Those that have started. */
  readonly #parts: { readonly name: string; readonly stop: AbortController; readonly running: Running }[] = [];
  readonly #failed = Promise.withResolvers<never>();

  constructor(parts: readonly Configured[], { clock, log, logThreshold }: Pick<ProcessOptions, 'clock' | 'log' | 'logThreshold'>) {
    this.#all = parts;
    this.#clock = clock;
    this.#log = log;
    this.#logThreshold = logThreshold;
    // Nobody may be waiting for it.
    this.#failed.promise.catch(() => {});
  }

  /** Rejects when a part cannot go on. */
  get failed(): Promise<never> {
    return this.#failed.promise;
  }

  /** Starts one after the other. The one that is starting is ended by the signal, those that have started by `stop`. */
  async start(signal: AbortSignal): Promise<void> {
    for (const part of this.#all) if (!signal.aborted) await this.#start(part, signal);
  }

  async #start(part: Configured, signal: AbortSignal): Promise<void> {
    const { name } = part;
    const log = this.#log.child({ part: name });
    const stop = new AbortController();
    using _untilItHasStarted = onAbort(signal, () => stop.abort(signal.reason));
    try {
      const threshold = this.#logThreshold ? { logThreshold: this.#logThreshold } : {};
      const running = await part.start({ informers: this.#informers, clock: this.#clock, log, ...threshold, signal: stop.signal });
      this.#parts.push({ name, stop, running });
      running.ready?.then(
        (words) => log.info(words),
        () => {},
      );
      running.stopped.catch((err: unknown) => this.#fail(`Cannot go on with ${name}`, err, stop.signal));
    } catch (err) {
      stop.abort(err);
      this.#fail(`Cannot start ${name}`, err, signal);
      throw err;
    }
  }

  /** Ends the parts, the last one first: those that others rest on serve them to their end. */
  async stop(): Promise<void> {
    for (let last = this.#parts.at(-1); last; last = this.#parts.at(-1)) {
      last.stop.abort();
      await last.running.stopped.catch(() => {});
      this.#parts.pop();
    }
  }

  /** What is wrong with each part, in the order of their start. */
  health(): ReadonlyMap<string, string | undefined> {
    const started = new Map(this.#parts.map(({ name, running }) => [name, running]));
    const problem = (name: string): string | undefined => (started.has(name) ? started.get(name)?.health?.() : 'it does not run');
    return new Map(this.#all.map(({ name }) => [name, problem(name)]));
  }

  /** By Lease: whether this process holds it, of the parts that elect. */
  leads(): ReadonlyMap<string, boolean> {
    return new Map(this.#parts.flatMap(({ running }) => (running.leads ? [running.leads()] : [])));
  }

  /** What the parts count about their work. */
  gauges(): readonly GaugeSource[] {
    return this.#parts.flatMap(({ running }) => running.gauges?.() ?? []);
  }

  /** What an end brings about is no failure. */
  #fail(what: string, err: unknown, ending: AbortSignal): void {
    if (ending.aborted) return;
    this.#log.error(`${what}: ${messageOf(err)}`);
    this.#failed.reject(err);
  }
}

/** As Kubernetes' parts answer: `ok`, or each of them by name. */
export function healthPage(health: ReadonlyMap<string, string | undefined>): Page {
  const lines = [...health].map(([name, problem]) => (problem === undefined ? `[+]${name} ok` : `[-]${name} failed: ${problem}`));
  if (lines.every((line) => line.startsWith('[+]'))) return { code: 200, body: 'ok' };
  return { code: 500, body: `${lines.join('\n')}\nhealthz check failed\n` };
}
