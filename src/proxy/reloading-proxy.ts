/**
 * A proxy whose settings may change while it works. The rules stay in the kernel from one to the next and what answers goes on answering, so neither a
 * connection nor a load balancer notices.
 */
import { BackOff } from '../clock/back-off.ts';
import { type Clock, systemClock } from '../clock/clock.ts';
import { messageOf } from '../errors/known-error.ts';
import { type Log, silentLog } from '../observability/log.ts';
import { Answers } from './answers.ts';
import type { Mode } from './mode/mode.ts';
import { modes } from './mode/modes.ts';
import type { ProxyOptions } from './options.ts';
import { cleanOtherModes } from './other-modes.ts';
import type { Listener } from './plan/reserved.ts';
import { type ServiceProxy, startProxy } from './proxy.ts';

/** What may change. */
type Settings = Partial<ProxyOptions>;
type CleanOthers = NonNullable<ProxyOptions['cleanOthers']>;

/** So long a mode that carries connections itself goes on with what came to it before the next one's rules: most are over then. */
const graceMs = 1000;
/** How long it waits when nothing could start, at first and at most. */
const firstRetryMs = 1000;
const lastRetryMs = 30_000;

export class ReloadingProxy {
  readonly #start: (settings: Settings) => Promise<ServiceProxy>;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #answers: Answers;
  readonly #cleanOthers: CleanOthers;
  #settings: Settings;
  /** Undefined while none could start. */
  #proxy: ServiceProxy | undefined;
  /** Modes of proxies before this one that carry connections themselves. */
  readonly #former: Mode[] = [];
  /** Those of them that have not ended what is short. */
  readonly #leaving = new Set<Mode>();
  #trouble: string | undefined;
  #retry: { cancel(): void } | undefined;
  #retrying: Promise<void> | undefined;
  #changing: Promise<void> | undefined;
  #isClosed = false;

  private constructor(fixed: ProxyOptions, settings: Settings, start: typeof startProxy) {
    this.#settings = settings;
    this.#log = fixed.log ?? silentLog;
    this.#clock = fixed.clock ?? systemClock;
    this.#answers = new Answers(this.#clock, this.#log);
    const isStaying = ([name]: readonly [string, unknown]): boolean => ![...this.#leaving].some((mode) => mode.name === name);
    const { rules, cleanOthers = rules ? async () => true : undefined } = fixed;
    this.#cleanOthers =
      cleanOthers ??
      ((own, log, options, families) =>
        cleanOtherModes(own, log, options, families, Object.fromEntries(Object.entries(modes).filter(isStaying))));
    const otherListeners = (): Listener[] => this.#former.flatMap((mode) => mode.listeners?.() ?? []);
    this.#start = (now) => start({ ...fixed, answers: this.#answers, otherListeners, cleanOthers: this.#cleanOthers, ...now });
  }

  /** `fixed` holds whatever the settings become. Throws what `startProxy` does. */
  static async start(fixed: ProxyOptions, settings: Settings, start: typeof startProxy = startProxy): Promise<ReloadingProxy> {
    const proxy = new ReloadingProxy(fixed, settings, start);
    try {
      proxy.#proxy = await proxy.#start(settings);
    } catch (err) {
      await proxy.#answers.close();
      throw err;
    }
    return proxy;
  }

  /** Of the proxy at work. */
  get synced(): Promise<void> {
    return this.#proxy?.synced ?? Promise.resolve();
  }

  get problem(): string | undefined {
    return this.#trouble ?? this.#proxy?.problem;
  }

  /** Goes on under other settings; when nothing can start under them, under those from before. One call after the other. */
  change(settings: Settings): Promise<void> {
    this.#changing = this.#change(settings);
    return this.#changing;
  }

  async #change(settings: Settings): Promise<void> {
    await this.#endRetries();
    if (this.#isClosed) return;
    if (!this.#proxy || !isSame(this.#settings, settings)) await this.#restart(settings);
    else {
      this.#answers.pages.configuration = settings.configuration;
      this.#settings = settings;
    }
    if (this.#settings === settings) this.#log.info('Goes on under the changed configuration', { mode: settings.mode });
  }

  async #restart(settings: Settings): Promise<void> {
    // One mode at a time may take up what is in the kernel.
    const former = await this.#proxy?.release();
    this.#proxy = undefined;
    if (former) {
      this.#former.push(former);
      this.#leaving.add(former);
    }
    try {
      await this.#begin(settings);
      this.#settings = settings;
    } catch (err) {
      this.#log.error(`Cannot start under the changed configuration, goes back to the last one: ${messageOf(err)}`);
      await this.#goBack(new BackOff({ durationMs: firstRetryMs, capMs: lastRetryMs }));
    }
  }

  async #begin(settings: Settings): Promise<void> {
    const proxy = await this.#start(settings);
    this.#proxy = proxy;
    this.#trouble = undefined;
    // Until then nobody else takes what is new.
    for (const mode of this.#leaving) void proxy.settled.then(() => this.#clock.after(graceMs, () => void this.#retire(mode)));
  }

  /** To the settings from before: until it works nothing follows the cluster, and rules and answers stay as they are. */
  async #goBack(backOff: BackOff): Promise<void> {
    if (this.#isClosed) return;
    try {
      await this.#begin(this.#settings);
      if (this.#isClosed) await this.#proxy?.close();
    } catch (err) {
      this.#trouble = `no proxy runs: ${messageOf(err)}`;
      this.#answers.liveness.queued();
      const delayMs = backOff.step();
      this.#log.error(
        `Cannot start under the last configuration either, no rules change until it can; tries again in ${delayMs / 1000} s: ${messageOf(err)}`,
      );
      this.#retry = this.#clock.after(delayMs, () => {
        this.#retrying = this.#goBack(backOff);
      });
    }
  }

  /** The one under way first: when it fails it arms the next. */
  async #endRetries(): Promise<void> {
    await this.#retrying;
    this.#retry?.cancel();
  }

  async #retire(former: Mode): Promise<void> {
    if (this.#isClosed || !this.#leaving.delete(former)) return;
    former.retire?.();
    const own = this.#proxy?.modeName;
    if (own !== undefined && former.name !== own) await this.#cleanOthers(own, this.#log, this.#settings.modeOptions);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    // A proxy that is about to start would live on.
    await Promise.allSettled([this.#changing]);
    await this.#endRetries();
    await this.#proxy?.close();
    await this.#answers.close();
    for (const mode of this.#former) mode.close();
  }
}

/** But for what is only told. */
function isSame(before: Settings, after: Settings): boolean {
  const effective = ({ configuration: _, ...rest }: Settings): string => JSON.stringify(rest);
  return effective(before) === effective(after);
}
