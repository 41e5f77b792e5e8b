/** What answers for a proxy: its pages, the health ports of Services, and whether syncs keep up. One proxy after the other may use it, and it answers all the while. */
import type { Clock } from '../clock/clock.ts';
import type { Log } from '../observability/log.ts';
import { ServiceHealth } from './health.ts';
import { Liveness } from './liveness.ts';
import { ProxyPages } from './proxy-pages.ts';

export class Answers {
  readonly liveness: Liveness;
  readonly health: ServiceHealth;
  readonly pages: ProxyPages;

  constructor(clock: Clock, log: Log) {
    this.liveness = new Liveness(clock);
    this.health = new ServiceHealth(() => this.liveness.isAlive, log);
    this.pages = new ProxyPages(clock, log);
  }

  async close(): Promise<void> {
    await this.health.close();
    await this.pages.close();
  }
}
