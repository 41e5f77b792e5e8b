/** What flow control counts, under upstream's names. */
import { Counter, Gauge, type Registry } from 'prom-client';
import type { FlowControl, FlowCounts } from './flow-control.ts';
import type { LevelName } from './levels.ts';
import type { Rejection } from './priority-level.ts';

export interface FlowMetrics {
  /** Shows these levels from now on. */
  follow(flow: FlowControl): void;
  rejected(level: LevelName, why: Rejection): void;
}

export function flowMetrics(registry: Registry): FlowMetrics {
  let followed: FlowControl | undefined;
  const gauge = (name: string, help: string, read: (counts: FlowCounts) => number): Gauge =>
    new Gauge({
      name: `apiserver_flowcontrol_${name}`,
      help,
      labelNames: ['priority_level'],
      registers: [registry],
      collect() {
        for (const counts of followed?.counts() ?? []) this.set({ priority_level: counts.level }, read(counts));
      },
    });
  gauge('nominal_limit_seats', 'Seats of the level.', ({ seats }) => seats);
  gauge('current_executing_seats', 'Seats that are taken.', ({ taken }) => taken);
  gauge('current_inqueue_requests', 'Requests that wait for a seat.', ({ waiting }) => waiting);
  const rejections = new Counter({
    name: 'apiserver_flowcontrol_rejected_requests_total',
    help: 'Requests that were answered with 429.',
    labelNames: ['priority_level', 'reason'],
    registers: [registry],
  });
  return {
    follow(flow) {
      followed = flow;
    },
    rejected: (level, reason) => rejections.inc({ priority_level: level, reason }),
  };
}
