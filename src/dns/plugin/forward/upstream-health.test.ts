import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../../../clock/testing/fake-clock.ts';
import { UpstreamHealth } from './upstream-health.ts';

function healthOf(maxFails: number): {
  health: UpstreamHealth;
  checks: () => number;
  failures: () => number;
  heal(): void;
  pass(ms: number): Promise<void>;
  stop(): void;
} {
  const clock = new FakeClock();
  const end = new AbortController();
  let isWell = false;
  let checks = 0;
  let failures = 0;
  const health = new UpstreamHealth({
    check: async () => {
      checks++;
      if (!isWell) throw new Error('silence');
    },
    everyMs: 500,
    maxFails,
    onFailure: () => failures++,
    clock,
    signal: end.signal,
  });
  return {
    health,
    checks: () => checks,
    failures: () => failures,
    heal: () => {
      isWell = true;
    },
    pass: async (ms) => {
      for (let gone = 0; gone < ms; gone += 100) {
        await new Promise((resolve) => setImmediate(resolve));
        await clock.advance(100);
      }
      await new Promise((resolve) => setImmediate(resolve));
    },
    stop: () => end.abort(),
  };
}

test('a resolver in doubt is checked twice a second, is down after the third failure, and up with the first answer', async () => {
  const { health, checks, failures, heal, pass } = healthOf(2);
  assert.equal(health.state, 'up');
  await pass(5_000);
  assert.equal(checks(), 0, 'nobody doubts: nobody checks');
  health.doubt();
  assert.equal(health.state, 'doubtful');
  await pass(500);
  assert.deepEqual([health.state, failures()], ['doubtful', 2]);
  health.doubt();
  await pass(500);
  assert.deepEqual([health.state, failures()], ['down', 3]);
  heal();
  await pass(500);
  assert.equal(health.state, 'up');
  const before = checks();
  await pass(5_000);
  assert.equal(checks(), before, 'and is left alone again');
});

test('an answer to a question ends the doubt, and the round of checks', async () => {
  const { health, checks, pass } = healthOf(2);
  health.doubt();
  await pass(2_000);
  assert.equal(health.state, 'down');
  health.answered();
  assert.equal(health.state, 'up');
  const before = checks();
  await pass(2_000);
  assert.equal(checks(), before);
  health.doubt();
  assert.equal(health.state, 'doubtful', 'failures are counted from the beginning');
  await pass(1_000);
  assert.equal(health.state, 'down');
});

test('with max_fails 0 nothing is checked or down, and the end of the server ends the checks', async () => {
  const never = healthOf(0);
  never.health.doubt();
  await never.pass(5_000);
  assert.deepEqual([never.health.state, never.checks()], ['up', 0]);
  const ended = healthOf(2);
  ended.health.doubt();
  await ended.pass(500);
  ended.stop();
  const before = ended.checks();
  await ended.pass(5_000);
  assert.equal(ended.checks(), before);
});
