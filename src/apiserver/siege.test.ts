/** A user of no importance does all that he can to keep the server from its nodes. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { attackKinds } from './testing/attack.ts';
import { type Measured, quantile, Siege } from './testing/siege.ts';

const idleConnections = 2600;
const watches = 1300;

describe('a server that a weak user attacks with large bodies, slow ones, connections, watches and floods at once', () => {
  let siege: Siege;
  let idle: Measured;
  let attacked: Awaited<ReturnType<Siege['attacked']>>;
  before(async () => {
    siege = await Siege.prepare();
    idle = await siege.idle(1500);
    attacked = await siege.attacked({ kinds: attackKinds, idleConnections, watches, ms: 6000 });
  });
  after(() => siege.end());

  test('renews every lease and answers every probe', () => {
    assert.deepEqual(idle.failed, []);
    assert.deepEqual(attacked.failed, []);
    assert.ok(attacked.renewals.length > 5 && attacked.probes.length > 0, `${attacked.renewals.length}, ${attacked.probes.length}`);
  });

  test('never keeps its thread for long from looking at other connections', () => {
    const most = Math.max(100, 40 * idle.longestBlock);
    assert.ok(attacked.longestBlock < most, `${attacked.longestBlock} ms of processor time, ${idle.longestBlock} ms when idle`);
  });

  test('does not keep its nodes waiting', () => {
    const usual = quantile(idle.renewals, 0.5);
    for (const series of ['renewals', 'ready'] as const) {
      const slow = quantile(attacked[series], 0.99);
      assert.ok(slow < 400 * usual, `${series}: ${slow} ms, ${usual} ms for a renewal when idle`);
    }
  });

  test('says that it is ready to who asks over a connection of its own', () => {
    const usual = quantile(idle.probes, 0.5);
    // A few dozen probes; a processor that the attacker has too delays the last of them.
    const slow = quantile(attacked.probes, 0.9);
    assert.ok(slow < 400 * usual, `${slow} ms for a probe, ${usual} ms when idle`);
  });

  test('refuses what is too much, and serves what is not', () => {
    const { answers } = attacked;
    const codes = Object.keys(answers).filter((what) => what.startsWith('bodies'));
    assert.ok(codes.length > 0 && codes.every((what) => /^bodies (201|400|413|422|429)$/.test(what)), JSON.stringify(answers));
    assert.ok((answers['slow-bodies 429'] ?? 0) > 0, JSON.stringify(answers));
    const floods = Object.keys(answers).filter((what) => what.startsWith('flood'));
    assert.ok(floods.length > 0 && floods.every((what) => /^flood (200|201|403|429)$/.test(what)), JSON.stringify(answers));
    assert.ok((answers['watches 200'] ?? 0) <= 1000, JSON.stringify(answers));
  });

  test('has all its seats and connections back afterwards', async () => {
    const held = async (): Promise<string[]> => {
      const { text } = await siege.server.call('GET', '/metrics');
      return text
        .split('\n')
        .filter((line) => /^apiserver_flowcontrol_current_(executing_seats|inqueue_requests).*workload-low"} [1-9]/.test(line));
    };
    const until = Date.now() + 90_000;
    while ((await held()).length > 0 && Date.now() < until) await sleep(50);
    assert.deepEqual(await held(), []);
  });
});
