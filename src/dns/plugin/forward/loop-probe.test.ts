import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../../../clock/testing/fake-clock.ts';
import { parseQuery } from '../../message/query.ts';
import { LoopProbe } from './loop-probe.ts';

interface Bed {
  readonly clock: FakeClock;
  readonly probe: LoopProbe;
  /** What the resolver was asked. */
  readonly asked: Buffer[];
  /** Whether it answers. */
  answers: boolean;
}

function bedOf(): Bed {
  const clock = new FakeClock();
  const asked: Buffer[] = [];
  const ask = async (message: Buffer): Promise<void> => {
    asked.push(message);
    if (!bed.answers) throw new Error('silence');
  };
  const bed: Bed = { clock, asked, answers: true, probe: new LoopProbe(clock, ask) };
  return bed;
}

test('a resolver is asked for a name of its own, once, and every thirty seconds while it is in trouble', async () => {
  const { clock, probe, asked } = bedOf();
  const counts: number[] = [];
  for (const [ms, isInTrouble] of [
    [0, false],
    [60_000, false],
    [0, true],
    [29_999, true],
    [1, true],
    [30_000, false],
  ] as const) {
    await clock.advance(ms);
    probe.probe(isInTrouble);
    counts.push(asked.length);
  }
  assert.deepEqual(counts, [1, 1, 2, 2, 3, 3]);
  const parsed = parseQuery(asked[0] as Buffer);
  assert.ok(parsed.kind === 'query');
  assert.deepEqual([parsed.query.name, parsed.query.type], [probe.name, 13]);
  assert.notEqual(bedOf().probe.name, probe.name);
});

test('who leads back is left out until a probe is answered that did not come here, and that is news once', async () => {
  const bed = bedOf();
  const { clock, probe } = bed;
  probe.probe(false);
  assert.equal(probe.loops, false);
  assert.deepEqual([probe.cameBack(), probe.cameBack(), probe.loops], [true, false, true]);
  // Whatever answers a probe that came here, it loops.
  await clock.advance(30_000);
  probe.probe(false);
  assert.deepEqual([bed.asked.length, probe.cameBack(), probe.loops], [2, false, true]);
  await clock.advance(34_999);
  assert.equal(probe.loops, true);
  await clock.advance(1);
  assert.equal(probe.loops, false);
  bed.answers = false;
  probe.probe(false);
  await clock.advance(0);
  assert.equal(probe.cameBack(), false, 'silence says nothing');
  await clock.advance(35_000);
  bed.answers = true;
  probe.probe(false);
  await clock.advance(0);
  assert.equal(probe.cameBack(), true);
});
