/** Tells users what their Services ask for and do not get, once for each reason, and when that is over. */
import type { KubeObject } from '../api/resource-types.ts';
import type { Log } from '../observability/log.ts';
import type { PlanWarning } from './plan/planner.ts';

interface ServiceReportOptions {
  readonly log: Log;
  /** The Service by `namespace/name`. */
  readonly service: (key: string) => KubeObject | undefined;
  /** Records a Warning about a Service. */
  readonly event: (about: KubeObject, reason: string, message: string) => void;
}

export class ServiceReport {
  readonly #options: ServiceReportOptions;
  /** What was told, by Service and what it is about. */
  #told: ReadonlyMap<string, string> = new Map();

  constructor(options: ServiceReportOptions) {
    this.#options = options;
  }

  /** Takes the warnings of every family: the same of two is told once. */
  update(warnings: Iterable<PlanWarning>): void {
    const { log, service, event } = this.#options;
    const now = new Map<string, string>();
    for (const { service: key, about, reason, message, hint } of warnings) {
      const isTold = (now.get(`${key} ${about}`) ?? this.#told.get(`${key} ${about}`)) === message;
      now.set(`${key} ${about}`, message);
      if (isTold) continue;
      log.warn(message, { hint });
      const object = service(key);
      if (object) event(object, reason, message);
    }
    for (const [key, message] of this.#told) if (!now.has(key)) log.info(`Over: ${message}`);
    this.#told = now;
  }
}
