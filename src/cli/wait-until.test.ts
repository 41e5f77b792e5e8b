import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '../clock/clock.ts';
import { waitUntil } from './wait-until.ts';

/** Each sleep takes as long as it says, at once. */
function swiftClock(): Clock {
  let time = 0;
  return {
    now: () => time,
    monotonic: () => time,
    after: () => ({ cancel() {} }),
    sleep: async (ms) => {
      time += ms;
    },
  };
}

test('waitUntil() tells after ten and twenty seconds what it waits for, and at its end why', async () => {
  const told: string[] = [];
  const waiting = waitUntil(
    'the nodes',
    { clock: swiftClock(), timeoutMs: 35_000, signal: new AbortController().signal, hint: 'See x', onPatience: (text) => told.push(text) },
    async () => 'node "a" has not registered',
  );
  await assert.rejects(waiting, { code: 'TIMED_OUT', message: 'Cannot wait longer for the nodes: node "a" has not registered' });
  assert.deepEqual(told, Array(2).fill('Waiting for the nodes: node "a" has not registered'));
});

test('waitUntil() says nothing when what it waits for comes soon', async () => {
  const answers = ['not yet', undefined];
  await waitUntil(
    'DNS',
    { clock: swiftClock(), timeoutMs: 1000, signal: new AbortController().signal, hint: '', onPatience: assert.fail },
    async () => answers.shift(),
  );
});
