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

/** Messages by what they are about. */
type Told = ReadonlyMap<string, ReadonlySet<string>>;

export class ServiceReport {
  readonly #options: ServiceReportOptions;
  /** What was told of each Service, by what it is about: the families may have two messages about the same. */
  readonly #told = new Map<string, Told>();

  constructor(options: ServiceReportOptions) {
    this.#options = options;
  }

  /** Takes all warnings about a Service (`namespace/name`), of every family: the same of two is told once. */
  update(key: string, warnings: Iterable<PlanWarning>): void {
    const { log, service, event } = this.#options;
    const before: Told = this.#told.get(key) ?? new Map();
    const now = new Map<string, Set<string>>();
    for (const { about, reason, message, hint } of warnings) {
      const messages = now.get(about) ?? new Set();
      const isTold = messages.has(message) || before.get(about)?.has(message);
      now.set(about, messages.add(message));
      if (isTold) continue;
      log.warn(message, { hint });
      const object = service(key);
      if (object) event(object, reason, message);
    }
    this.#tellOver(before, now);
    if (now.size > 0) this.#told.set(key, now);
    else this.#told.delete(key);
  }

  #tellOver(before: Told, now: Told): void {
    for (const [about, messages] of before) if (!now.has(about)) for (const message of messages) this.#options.log.info(`Over: ${message}`);
  }
}
