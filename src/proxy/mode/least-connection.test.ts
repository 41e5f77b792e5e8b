/** How often weights follow connections. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { eventually } from '../../clock/testing/eventually.ts';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import type { ServicePlan } from '../plan/service-plan.ts';
import { LeastConnections } from './least-connection.ts';

const plan: ServicePlan = { key: 'n/a', rank: '', ports: [], algorithm: 'least-connection' };
const web: ServicePlan['ports'][number] = {
  name: '',
  protocol: 'tcp',
  frontends: [{ kind: 'cluster-ip', ip: '10.96.0.1', port: 80, inside: 'cluster', outside: 'cluster', masquerade: 'outside-pods' }],
  cluster: [],
  local: [],
  serving: new Set(),
};

describe('LeastConnections', () => {
  const cases: readonly [what: string, countingMs: number, changingMs: number, pauseMs: number][] = [
    ['each second where that takes next to nothing', 1, 10, 1000],
    ['each second where a change takes a fifth of the time', 1, 250, 1000],
    ['less often where a change takes longer', 1, 500, 2000],
    ['no more than a twentieth of the time where counting takes long', 200, 10, 4000],
  ];
  for (const [what, countingMs, changingMs, pauseMs] of cases)
    test(`counts ${what}`, async () => {
      const clock = new FakeClock();
      const begins: number[] = [];
      const flowsOf = async (): Promise<[]> => {
        begins.push(clock.monotonic());
        await clock.sleep(countingMs);
        return [];
      };
      const loads = new LeastConnections('ip', { flowsOf }, clock, () => clock.sleep(changingMs));
      loads.follow('n/a', { ...plan, ports: [web] });
      await clock.advance(1000);
      await clock.advance(countingMs);
      await clock.advance(changingMs);
      await eventually(() => clock.pending === 1);
      await clock.advance(pauseMs - 1);
      assert.deepEqual(begins, [1000]);
      await clock.advance(1);
      assert.deepEqual(begins, [1000, 1000 + countingMs + changingMs + pauseMs]);
      loads.close();
    });
});
