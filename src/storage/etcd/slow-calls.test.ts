import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { LeaderChanged } from './etcd-error.ts';
import { type MemberState, SlowCalls } from './slow-calls.ts';

/** Calls to a member that gives these answers; undefined never comes. */
function callsTo(...answers: (MemberState | Error | undefined)[]) {
  const clock = new FakeClock();
  const asked: number[] = [];
  const calls = new SlowCalls(clock, () => {
    asked.push(clock.monotonic());
    const answer = answers.shift();
    if (answer instanceof Error) return Promise.reject(answer);
    return answer ? Promise.resolve(answer) : new Promise(() => {});
  });
  const givenUp: string[] = [];
  const send = (name: string, term = 1): (() => void) =>
    calls.add(term, (why) => void givenUp.push(`${name} ${why instanceof LeaderChanged ? 'leader' : why.message}`));
  return { clock, asked, givenUp, send };
}

const old = { term: 1, hasLeader: true };
const elected = { term: 2, hasLeader: true };
const electing = { term: 2, hasLeader: false };

describe('SlowCalls', () => {
  test('asks nothing while every call is answered soon', async () => {
    const { clock, asked, send } = callsTo();
    for (let i = 0; i < 20; i++) {
      const end = send('quick');
      await clock.advance(100);
      end();
    }
    await clock.advance(10_000);
    assert.deepEqual(asked, []);
    assert.equal(clock.pending, 0, 'and no timer is left');
  });

  test('asks again and again while one takes long, one question at a time', async () => {
    const { clock, asked, givenUp, send } = callsTo(old, old, undefined);
    const end = send('slow');
    await clock.advance(10_000);
    assert.deepEqual(asked, [250, 500, 750]);
    end();
    assert.deepEqual(givenUp, []);
  });

  test('gives a call up when another leader was elected and it is not answered by the next question', async () => {
    const { clock, asked, givenUp, send } = callsTo(old, electing, electing, elected, elected);
    send('lost');
    await clock.advance(1_000);
    assert.deepEqual(givenUp, [], 'the new leader may still commit it');
    await clock.advance(10_000);
    assert.deepEqual([givenUp, asked.at(-1)], [['lost leader'], 1_250]);
  });

  test('leaves alone what was sent after the election, and what was answered meanwhile', async () => {
    const { clock, givenUp, send } = callsTo(elected, elected, elected, elected);
    const end = send('answered');
    send('later', 2);
    await clock.advance(250);
    end();
    await clock.advance(750);
    assert.deepEqual(givenUp, []);
  });

  test('gives up what waits for a member that says nothing, but not what was sent since', async () => {
    const { clock, givenUp, send } = callsTo(new Error('silence'), undefined);
    send('first');
    send('second');
    await clock.advance(249);
    send('new');
    await clock.advance(1);
    assert.deepEqual(givenUp, ['first silence', 'second silence']);
  });
});
