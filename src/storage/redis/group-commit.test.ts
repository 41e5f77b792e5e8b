import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { eventually } from '../../clock/testing/eventually.ts';
import { GroupCommit } from './group-commit.ts';
import { Unconfirmed } from './redis-error.ts';

type Result = readonly [Error | null, unknown];

/** Answers to the fence of a primary at offset 10 and revision 7 whose replicas have come so far. */
function fence(...offsets: readonly number[]): Result[] {
  const role = (at: (offset: number) => number): unknown => ['master', 10, offsets.map((offset, i) => ['host', `${i}`, `${at(offset)}`])];
  return [
    [null, 0],
    [null, '7'],
    [null, role(() => 1)],
    [null, offsets.filter((offset) => offset >= 10).length],
    [null, role((offset) => offset)],
  ];
}

const error = (message: string): Error => Object.assign(new Error(message), { name: 'ReplyError' });
const replica = ['slave', 'host', 6379, 'connected', 12];

/** A Redis that answers one batch after the other when it is told to; notes what it was sent. */
class FakeRedis {
  readonly sent: string[] = [];
  readonly #waiting: ((results: readonly Result[]) => void)[] = [];
  #calls: string[] = [];

  pipeline(): unknown {
    const words: string[] = [];
    const pipeline = {
      callBuffer: (command: string) => void words.push(command),
      publish: () => pipeline,
      hget: () => pipeline,
      role: () => pipeline,
      wait: (count: number) => {
        words.push(`wait ${count}`);
        return pipeline;
      },
      exec: () => {
        this.sent.push(words.join(' '));
        this.#calls = words.filter((word) => !word.startsWith('wait'));
        return new Promise((resolve) => void this.#waiting.push(resolve));
      },
    };
    return pipeline;
  }

  /** Answers each command with itself, and the fence with this. */
  async answer(results: readonly Result[]): Promise<void> {
    await nextTurn();
    this.#waiting.shift()?.([...this.#calls.map((word): Result => [null, word]), ...results]);
    await nextTurn();
  }
}

/** Over a Redis and with one replica at least; what has been told to callers is noted by their command. */
function begin({ confirmMs = 60_000, isReplaced = (): boolean => false } = {}): {
  redis: FakeRedis;
  told: string[];
  send(command?: string): void;
  reach(revision: number): void;
} {
  const redis = new FakeRedis();
  const commits = new GroupCommit(redis as unknown as Redis, { waitReplicas: 1, confirmMs, isReplaced });
  const told: string[] = [];
  const send = (command?: string): void =>
    void commits.send(command === undefined ? undefined : [command]).then(
      (reply) => told.push(`${command}: ${String(reply)}`),
      (err: unknown) => told.push(`${command}: ${err instanceof Unconfirmed ? 'unconfirmed, ' : ''}${(err as Error).message}`),
    );
  const reach = (revision: number): void => void commits.reach(revision).then(() => told.push(`up to ${revision}`));
  return { redis, told, send, reach };
}

describe('GroupCommit', () => {
  test('sends what comes while a batch is under way with the next one', async () => {
    const { redis, told, send } = begin();
    send('a');
    send('b');
    await nextTurn();
    send('c');
    send();
    await redis.answer(fence(10));
    assert.deepEqual(told.splice(0), ['a: a', 'b: b']);
    await redis.answer(fence(10));
    assert.deepEqual(told, ['c: c', 'undefined: undefined']);
    assert.deepEqual(redis.sent, ['a b wait 1', 'c wait 1']);
  });

  test('asks nobody for a revision that the replicas have, or are asked for', async () => {
    const { redis, told, send, reach } = begin();
    send('a');
    await nextTurn();
    reach(7);
    reach(8);
    await redis.answer(fence(10));
    assert.deepEqual(told.splice(0), ['a: a', 'up to 7']);
    reach(6);
    await nextTurn();
    assert.deepEqual(told.splice(0), ['up to 6']);
    await redis.answer(fence(10));
    assert.deepEqual(told, ['up to 8']);
    assert.deepEqual(redis.sent, ['a wait 1', 'wait 1']);
  });

  test('asks again for what a replica lacks, and waits for as many as there are then', async () => {
    const { redis, told, send } = begin();
    send('a');
    await redis.answer(fence(10, 9));
    assert.deepEqual(told, []);
    send('b');
    await redis.answer(fence(10, 9));
    assert.deepEqual(told, []);
    await redis.answer(fence(10));
    await redis.answer(fence(10));
    assert.deepEqual(told, ['a: a', 'b: b']);
    assert.deepEqual(redis.sent, ['a wait 1', 'wait 2', 'b wait 2']);
  });

  test('says after its time how many replicas confirmed it', async () => {
    const { redis, told, send } = begin({ confirmMs: 0 });
    send('a');
    await redis.answer(fence(9, 10, 10));
    assert.deepEqual(told, ['a: unconfirmed, 2 of 3 replicas confirmed it']);
  });

  test('answers nothing while another primary is about to take its place', async () => {
    let isReplaced = true;
    const { redis, told, send } = begin({ isReplaced: () => isReplaced });
    send('a');
    await redis.answer(fence(10));
    assert.deepEqual(told, []);
    isReplaced = false;
    await eventually('it to ask again', () => redis.sent.length === 2);
    await redis.answer(fence(10));
    assert.deepEqual(told, ['a: a']);
  });

  for (const [what, answers, expected] of [
    [
      'became a replica',
      [...fence(9).slice(0, 2), [null, replica], [error('ERR WAIT cannot be used'), null], [null, replica]],
      'it is the primary no more',
    ],
    ['became one while it waited', [...fence(9).slice(0, 3), [error('UNBLOCKED'), null], [null, replica]], 'it is the primary no more'],
    ['may not be asked', [...fence(9).slice(0, 2), [error('NOPERM'), null], [null, 1], [error('NOPERM'), null]], 'NOPERM'],
    ['may not be waited for', [...fence(10).slice(0, 3), [error('NOPERM'), null], ...fence(10).slice(4)], 'NOPERM'],
  ] as const satisfies readonly (readonly [string, readonly Result[], string])[])
    test(`answers nothing when Redis ${what}`, async () => {
      const { redis, told, send } = begin();
      send('a');
      await redis.answer(answers);
      assert.deepEqual(told, [`a: ${expected}`]);
      send('b');
      await redis.answer(fence(10));
      assert.deepEqual(told.slice(1), ['b: b']);
    });
});
