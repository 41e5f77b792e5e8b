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
  /** What was told, by Service and what it is about: the families may have two messages about the same. */
  #told: ReadonlyMap<string, ReadonlySet<string>> = new Map();

  constructor(options: ServiceReportOptions) {
    this.#options = options;
  }

  /** Takes the warnings of every family: the same of two is told once. */
  update(warnings: Iterable<PlanWarning>): void {
    const { log, service, event } = this.#options;
    const now = new Map<string, Set<string>>();
    for (const { service: key, about, reason, message, hint } of warnings) {
      const id = `${key} ${about}`;
      const messages = now.get(id) ?? new Set();
      const isTold = messages.has(message) || this.#told.get(id)?.has(message);
      now.set(id, messages.add(message));
      if (isTold) continue;
      log.warn(message, { hint });
      const object = service(key);
      if (object) event(object, reason, message);
    }
    for (const [id, messages] of this.#told) if (!now.has(id)) for (const message of messages) log.info(`Over: ${message}`);
    this.#told = now;
  }
}
