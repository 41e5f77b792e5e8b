/** Which page is at which address. They answer on while one proxy takes the place of another. */
import type { Clock } from '../clock/clock.ts';
import { messageOf } from '../errors/known-error.ts';
import { boundAddress, type Page, PageServer, type Pages } from '../observability/health-pages.ts';
import type { Log } from '../observability/log.ts';
import { debugFlagPages } from './debug-flags.ts';
import type { ProxyMetrics } from './metrics.ts';
import type { ProxyOptions } from './options.ts';
import type { Profiling } from './profiling.ts';
import { metricsPages, type Read } from './service-counters.ts';
import { statusPages } from './status-pages.ts';

interface Told {
  readonly mode: string;
  readonly metrics: ProxyMetrics;
  readonly counts: Read;
  /** `eligible`: whether traffic should come to this node counts too. */
  readonly health: (eligible: boolean) => Page;
}

/** kube-proxy's. */
const retryMs = 5000;

export class ProxyPages {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #startedAt: number;
  readonly #listening = new Map<string, Listening>();
  #profiling: Profiling | undefined;
  /** What /configz tells. */
  configuration: object | undefined;

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
    this.#startedAt = clock.now();
  }

  /** They tell of this proxy from now on, at its addresses. Throws PORT_TAKEN when that shall end the start; else it is tried again. */
  async serve(options: ProxyOptions, told: Told): Promise<void> {
    this.configuration = options.configuration;
    await this.#profile(options.debugFlags === true && options.setVerbosity !== undefined);
    const wanted = Map.groupBy(this.#rows(options, told), ([address]) => address);
    // First: what is left may be in the way of what comes, as 0.0.0.0 is of every other host with its port.
    for (const [address, held] of this.#listening) {
      if (wanted.has(address)) continue;
      this.#listening.delete(address);
      await held.close();
    }
    for (const [address, rows] of wanted) {
      if (address === undefined) continue;
      const pages = Object.fromEntries(rows.map(([, path, page]) => [path, page]));
      const held = this.#listening.get(address) ?? new Listening(address, this.#clock, this.#log);
      held.tell(pages);
      if (!this.#listening.has(address)) await held.listen(options.bindAddressHardFail === true);
      this.#listening.set(address, held);
    }
  }

  /** Begins with it or ends it. A proxy that is not asked for it does not load it. */
  async #profile(isWanted: boolean): Promise<void> {
    if (isWanted) this.#profiling ??= await (await import('./profiling.ts')).Profiling.start(this.#clock);
    else this.#profiling?.close();
    if (!isWanted) this.#profiling = undefined;
  }

  #rows(options: ProxyOptions, told: Told): (readonly [address: string | undefined, path: string, page: Pages[string]])[] {
    const { healthzAddress, metricsAddress, serviceCounters = true, flags = {}, configuration, debugFlags, setVerbosity } = options;
    const { metrics, mode } = told;
    const health = (eligible: boolean) => (): Page => {
      const answer = told.health(eligible);
      (eligible ? metrics.healthz : metrics.livez).inc({ code: String(answer.code) });
      return answer;
    };
    const others = [
      ...statusPages(flags, this.#startedAt, this.#clock, configuration && (() => this.configuration)),
      ...metricsPages(metrics.registry, serviceCounters ? told.counts : undefined),
      ...(debugFlags && setVerbosity ? debugFlagPages(setVerbosity) : []),
      ...(this.#profiling?.pages ?? []),
    ];
    return [
      // That it answers is all that kube-proxy says there. Where both addresses are one, the next line holds.
      [metricsAddress, '/healthz', () => ({ code: 200, body: 'ok' })],
      [healthzAddress, '/healthz', health(true)],
      [healthzAddress, '/livez', health(false)],
      [metricsAddress, '/proxyMode', () => ({ code: 200, body: mode })],
      ...others.map(([path, page]) => [metricsAddress, path, page] as const),
    ];
  }

  /** Where a client on this machine finds what is served at an address; undefined where nothing is, or not yet. */
  bound(address: string | undefined): string | undefined {
    const port = address === undefined ? undefined : this.#listening.get(address)?.port;
    return address === undefined || port === undefined ? undefined : boundAddress(address, port);
  }

  async close(): Promise<void> {
    this.#profiling?.close();
    await Promise.all([...this.#listening.values()].map((held) => held.close()));
    this.#listening.clear();
  }
}

/** The pages of one address, where another program may listen for now. */
class Listening {
  readonly #address: string;
  readonly #clock: Clock;
  readonly #log: Log;
  #pages: Pages = {};
  #server: PageServer | undefined;
  #retry: { cancel(): void } | undefined;
  #isClosed = false;
  port: number | undefined;

  constructor(address: string, clock: Clock, log: Log) {
    this.#address = address;
    this.#clock = clock;
    this.#log = log;
  }

  tell(pages: Pages): void {
    this.#pages = pages;
    if (this.#server) this.#server.pages = pages;
  }

  /** Throws only when `isFatal`. */
  async listen(isFatal: boolean, isFirst = true): Promise<void> {
    this.#server = new PageServer(this.#pages);
    try {
      this.port = await this.#server.listen(this.#address);
      if (!isFirst) this.#log.info(`Listens on "${this.#address}"`);
      if (this.#isClosed) await this.#server.close();
    } catch (err) {
      if (isFatal) throw err;
      if (isFirst) this.#log.error(`${messageOf(err)}; the rules do not wait, it is tried every ${retryMs / 1000} s`);
      if (!this.#isClosed) this.#retry = this.#clock.after(retryMs, () => void this.listen(false, false));
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#retry?.cancel();
    if (this.port !== undefined) await this.#server?.close();
  }
}
