/** Tells users of a frontend that two Services claim, once, and when it is over. */
import type { KubeObject } from '../api/resource-types.ts';
import type { Log } from '../observability/log.ts';
import type { Contest } from './render/nftables/ledger.ts';

export interface ContestReportOptions {
  readonly log: Log;
  /** The Service by `namespace/name`. */
  readonly service: (key: string) => KubeObject | undefined;
  /** Records a Warning about a Service. */
  readonly event: (about: KubeObject, reason: string, message: string) => void;
}

export class ContestReport {
  readonly #options: ContestReportOptions;
  /** What was told, by frontend and loser. */
  #told: ReadonlyMap<string, string> = new Map();

  constructor(options: ContestReportOptions) {
    this.#options = options;
  }

  update(all: Iterable<ReadonlyMap<string, Contest>>): void {
    const { log, service, event } = this.#options;
    const now = new Map<string, string>();
    for (const contests of all) {
      for (const [frontend, { winner, losers }] of contests) {
        for (const loser of losers) {
          const key = `${loser} ${frontend}`;
          const message = `Cannot serve "${frontend}" for Service "${loser}": Service "${winner}" has it`;
          now.set(key, message);
          if (this.#told.get(key) === message) continue;
          log.warn(message, { hint: 'Give one of them another address or port' });
          const about = service(loser);
          if (about) event(about, 'FrontendTaken', message);
        }
      }
    }
    for (const [key, message] of this.#told) if (!now.has(key)) log.info(`Over: ${message}`);
    this.#told = now;
  }
}
