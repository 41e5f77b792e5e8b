/** How often weights follow connections. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { eventually } from '../../clock/testing/eventually.ts';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import type { ServicePlan } from '../plan/service-plan.ts';
import { type CountedFlow, LeastConnections } from './least-connection.ts';

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

  test('tells the Services of which another number was counted, and no others', async () => {
    const clock = new FakeClock();
    let flows: CountedFlow[] | undefined = [];
    const flowsOf = async (): Promise<CountedFlow[]> => flows ?? Promise.reject(new Error('busy'));
    const told: string[] = [];
    const loads = new LeastConnections('ip', { flowsOf }, clock, async () => {
      told.push(loads.moved.map(([key]) => key).join());
    });
    const at = (ip: string): ServicePlan['ports'] => [{ ...web, frontends: web.frontends.map((frontend) => ({ ...frontend, ip })) }];
    const put = (key: string, ip: string): void => loads.follow(key, { ...plan, key, ports: at(ip) });
    const flow = (id: number, dst: string, by: string): CountedFlow => ({
      ...{ id, protocol: 6, isClosing: false },
      orig: { src: '10.244.9.9', dst, srcPort: 1, dstPort: 80 },
      reply: { src: by, dst: '10.244.9.9', srcPort: 8080, dstPort: 1 },
    });
    const counted = async (): Promise<string | undefined> => {
      await clock.advance(1000);
      return told.at(-1);
    };
    put('n/a', '10.96.0.1');
    put('n/b', '10.96.0.2');
    assert.equal(await counted(), 'n/a,n/b', 'what was never counted');
    assert.equal(await counted(), '');
    flows = [flow(1, '10.96.0.2', '10.244.1.2')];
    assert.equal(await counted(), 'n/b', 'a connection that came');
    assert.equal(await counted(), 'n/b', 'no more of them are to come');
    assert.equal(await counted(), '');
    flows = [flow(1, '10.96.0.2', '10.244.1.3')];
    assert.equal(await counted(), 'n/b', 'as many at another endpoint');
    flows = undefined;
    assert.equal(await counted(), '', 'nothing is known');
    put('n/c', '10.96.0.3');
    assert.equal(await counted(), 'n/c');
    loads.follow('n/b', undefined);
    flows = [];
    assert.equal(await counted(), '');
    loads.close();
  });
});
