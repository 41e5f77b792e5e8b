/** The life of a process: settings first, then its parts one after the other, one signal for all, and the end in reverse. */
import { aborted } from '../../clock/aborted.ts';
import type { Clock } from '../../clock/clock.ts';
import { messageOf } from '../../errors/known-error.ts';
import { type Page, servePages } from '../../observability/health-pages.ts';
import type { Log } from '../../observability/log.ts';
import type { FlagReader } from '../flag-reader.ts';
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
  /** Said when the end begins. */
  readonly farewell: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** A part with its settings read. */
export interface Configured {
  readonly name: string;
  start(context: PartContext): Promise<Running>;
}

/** Whatever can be wrong with the settings of any part is found here, before anything of the machine is touched. */
async function configure(wanted: readonly Wanted[], setting: Setting): Promise<readonly Configured[]> {
  const configured: Configured[] = [];
  for (const { part, flags } of wanted) {
    const config = await part.config(flags, setting);
    configured.push({ name: part.name, start: (context) => part.start(config, context) });
  }
  return configured;
}

/** Runs the parts until the signal aborts. Rejects when one cannot start or go on; the others have ended then. */
export async function runParts(wanted: readonly Wanted[], options: ProcessOptions): Promise<number> {
  const { setting, healthzAddress, farewell, log, signal } = options;
  const parts = await configure(wanted, setting);
  const process = new PartProcess(options);
  const pages = await servePages(['/healthz', '/livez'].map((path) => [healthzAddress, path, () => healthPage(process.health())]));
  try {
    for (const part of parts) if (!signal.aborted) await process.start(part, signal);
    await Promise.race([aborted(signal), process.failed]);
    log.info(farewell);
  } finally {
    await process.stop();
    await pages.close();
  }
  return 0;
}

/** Parts at work. */
export class PartProcess {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #informers = new InformerPool();
  readonly #parts: { readonly name: string; readonly stop: AbortController; readonly running: Running }[] = [];
  readonly #failed = Promise.withResolvers<never>();

  constructor({ clock, log }: Pick<ProcessOptions, 'clock' | 'log'>) {
    this.#clock = clock;
    this.#log = log;
    // Nobody may be waiting for it.
    this.#failed.promise.catch(() => {});
  }

  /** Rejects when a part cannot go on. */
  get failed(): Promise<never> {
    return this.#failed.promise;
  }

  /** Starts one more part, behind all others. One that is still starting is ended by the signal, one that has started by `stop`. */
  async start(part: Configured, signal: AbortSignal): Promise<void> {
    const { name } = part;
    const log = this.#log.child({ part: name });
    const stop = new AbortController();
    const onAbort = (): void => stop.abort(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      const running = await part.start({ informers: this.#informers, clock: this.#clock, log, signal: stop.signal });
      this.#parts.push({ name, stop, running });
      running.ready.then(
        (words) => (words === undefined ? undefined : log.info(words)),
        () => {},
      );
      running.stopped.catch((err: unknown) => this.#fail(`Cannot go on with ${name}`, err, stop.signal));
    } catch (err) {
      stop.abort(err);
      this.#fail(`Cannot start ${name}`, err, signal);
      throw err;
    } finally {
      signal.removeEventListener('abort', onAbort);
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
    return new Map(this.#parts.map(({ name, running }) => [name, running.health()]));
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
