/** A proxy whose settings may change while it works. The rules stay in the kernel from one to the next, so no connection notices. */
import { messageOf } from '../errors/known-error.ts';
import { type Log, silentLog } from '../observability/log.ts';
import type { Mode } from './mode/mode.ts';
import type { ProxyOptions } from './options.ts';
import type { Listener } from './plan/reserved.ts';
import { type ServiceProxy, startProxy } from './proxy.ts';

/** What may change. */
type Settings = Partial<ProxyOptions>;

export class ReloadingProxy {
  readonly #start: (settings: Settings) => Promise<ServiceProxy>;
  readonly #log: Log;
  #settings: Settings;
  #proxy: ServiceProxy;
  /** Modes of proxies before this one that carry connections themselves. */
  readonly #former: Mode[];

  private constructor(
    start: (settings: Settings) => Promise<ServiceProxy>,
    settings: Settings,
    proxy: ServiceProxy,
    former: Mode[],
    log: Log,
  ) {
    this.#start = start;
    this.#settings = settings;
    this.#proxy = proxy;
    this.#former = former;
    this.#log = log;
  }

  /** `fixed` holds whatever the settings become. Throws what `startProxy` does. */
  static async start(fixed: ProxyOptions, settings: Settings, start: typeof startProxy = startProxy): Promise<ReloadingProxy> {
    const former: Mode[] = [];
    const otherListeners = (): Listener[] => former.flatMap((mode) => mode.listeners?.() ?? []);
    const startUnder = (now: Settings): Promise<ServiceProxy> => start({ ...fixed, otherListeners, ...now });
    return new ReloadingProxy(startUnder, settings, await startUnder(settings), former, fixed.log ?? silentLog);
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
    try {
      this.#proxy = await this.#start(settings);
      this.#settings = settings;
      this.#log.info('Goes on under the changed configuration', { mode: settings.mode });
    } catch (err) {
      this.#log.error(`Cannot start under the changed configuration, goes on under the last one: ${messageOf(err)}`);
      this.#proxy = await this.#start(this.#settings);
    }
    // Until then nobody else takes what is new.
    void this.#proxy.synced.then(() => former?.retire?.());
  }

  async close(): Promise<void> {
    await this.#proxy.close();
    for (const mode of this.#former) mode.close();
  }
}
