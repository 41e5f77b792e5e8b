/** Tells users of frontends that their Services do not get, once for each reason, and when that is over. */
import type { KubeObject } from '../api/resource-types.ts';
import type { Log } from '../observability/log.ts';
import type { Refusal } from './plan/arbiter.ts';

interface FrontendReportOptions {
  readonly log: Log;
  /** The Service by `namespace/name`. */
  readonly service: (key: string) => KubeObject | undefined;
  /** Records a Warning about a Service. */
  readonly event: (about: KubeObject, reason: string, message: string) => void;
}

export class FrontendReport {
  readonly #options: FrontendReportOptions;
  /** What was told, by Service and frontend. */
  #told: ReadonlyMap<string, string> = new Map();

  constructor(options: FrontendReportOptions) {
    this.#options = options;
  }

  update(refusals: Iterable<Refusal>): void {
    const { log, service, event } = this.#options;
    const now = new Map<string, string>();
    for (const { service: key, frontend, reason, why } of refusals) {
      const message = `Cannot serve "${frontend}" for Service "${key}": ${why}`;
      now.set(`${key} ${frontend}`, message);
      if (this.#told.get(`${key} ${frontend}`) === message) continue;
      log.warn(message, { hint: 'Give the Service another address or port' });
      const about = service(key);
      if (about) event(about, reason, message);
    }
    for (const [key, message] of this.#told) if (!now.has(key)) log.info(`Over: ${message}`);
    this.#told = now;
  }
}
