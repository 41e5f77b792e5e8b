/** A proxy whose settings may change while it works. The rules stay in the kernel from one to the next, so no connection notices. */
import { type Clock, systemClock } from '../clock/clock.ts';
import { messageOf } from '../errors/known-error.ts';
import { type Log, silentLog } from '../observability/log.ts';
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

export class ReloadingProxy {
  readonly #start: (settings: Settings) => Promise<ServiceProxy>;
  readonly #log: Log;
  #settings: Settings;
  #proxy!: ServiceProxy;
  /** Modes of proxies before this one that carry connections themselves. */
  readonly #former: Mode[] = [];
  /** Names of those that have not ended what is short. */
  readonly #leaving = new Set<string>();
  readonly #clock: Clock;
  #isClosed = false;
  readonly #cleanOthers: CleanOthers;

  private constructor(fixed: ProxyOptions, settings: Settings, start: typeof startProxy) {
    this.#settings = settings;
    this.#log = fixed.log ?? silentLog;
    this.#clock = fixed.clock ?? systemClock;
    const isStaying = ([name]: readonly [string, unknown]): boolean => !this.#leaving.has(name);
    const { rules, cleanOthers = rules ? async () => true : undefined } = fixed;
    this.#cleanOthers =
      cleanOthers ??
      ((own, log, options) => cleanOtherModes(own, log, options, Object.fromEntries(Object.entries(modes).filter(isStaying))));
    const otherListeners = (): Listener[] => this.#former.flatMap((mode) => mode.listeners?.() ?? []);
    this.#start = (now) => start({ ...fixed, otherListeners, cleanOthers: this.#cleanOthers, ...now });
  }

  /** `fixed` holds whatever the settings become. Throws what `startProxy` does. */
  static async start(fixed: ProxyOptions, settings: Settings, start: typeof startProxy = startProxy): Promise<ReloadingProxy> {
    const proxy = new ReloadingProxy(fixed, settings, start);
    proxy.#proxy = await proxy.#start(settings);
    return proxy;
  }

  /** Of the proxy at work. */
  get synced(): Promise<void> {
    return this.#proxy.synced;
  }

  get problem(): string | undefined {
    return this.#proxy.problem;
  }

  /** Goes on under other settings; when nothing can start under them, under those from before. One call after the other. */
  async change(settings: Settings): Promise<void> {
    // It holds the addresses of health and metrics, and one mode at a time may take up what is in the kernel.
    const former = await this.#proxy.release();
    if (former) this.#former.push(former);
    if (former) this.#leaving.add(former.name);
    try {
      this.#proxy = await this.#start(settings);
      this.#settings = settings;
      this.#log.info('Goes on under the changed configuration', { mode: settings.mode });
    } catch (err) {
      this.#log.error(`Cannot start under the changed configuration, goes on under the last one: ${messageOf(err)}`);
      this.#proxy = await this.#start(this.#settings);
    }
    // Until then nobody else takes what is new.
    if (former) void this.#proxy.synced.then(() => this.#clock.after(graceMs, () => void this.#retire(former)));
  }

  async #retire(former: Mode): Promise<void> {
    if (this.#isClosed) return;
    former.retire?.();
    this.#leaving.delete(former.name);
    if (former.name !== this.#proxy.modeName) await this.#cleanOthers(this.#proxy.modeName, this.#log, this.#settings.modeOptions);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#proxy.close();
    for (const mode of this.#former) mode.close();
  }
}
