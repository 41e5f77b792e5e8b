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
  readonly #waiting: { readonly calls: readonly string[]; readonly answered: PromiseWithResolvers<readonly Result[]> }[] = [];

  pipeline(): unknown {
    const calls: string[] = [];
    const fence: string[] = [];
    const note = (word: string): unknown => {
      fence.push(word);
      return pipeline;
    };
    const pipeline = {
      callBuffer: (command: string) => void calls.push(command),
      publish: () => pipeline,
      hget: () => pipeline,
      role: () => pipeline,
      wait: (count: number) => note(`wait ${count}`),
      exec: () => {
        this.sent.push([...calls, ...fence].join(' '));
        const answered = Promise.withResolvers<readonly Result[]>();
        this.#waiting.push({ calls, answered });
        return answered.promise;
      },
    };
    return pipeline;
  }

  /** Answers each command with itself, or as it is said, and the fence with this. */
  async answer(results: readonly Result[], but: Readonly<Record<string, Error>> = {}): Promise<void> {
    await nextTurn();
    const { calls = [], answered } = this.#waiting.shift() ?? {};
    answered?.resolve([...calls.map((word): Result => (but[word] ? [but[word], null] : [null, word])), ...results]);
    await nextTurn();
  }

  async break(): Promise<void> {
    await nextTurn();
    this.#waiting.shift()?.answered.reject(new Error('it broke'));
    await nextTurn();
  }
}

/** Over a Redis and with one replica at least; what has been told to callers is noted by their command. */
function begin({ waitReplicas = 1, confirmMs = 60_000, isReplaced = (): boolean => false } = {}): {
  redis: FakeRedis;
  told: string[];
  send(command?: string): void;
  reach(revision: number): void;
} {
  const redis = new FakeRedis();
  const commits = new GroupCommit(redis as unknown as Redis, { waitReplicas, confirmMs, isReplaced });
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

  test('waits for nobody where no replica must have it', async () => {
    const { redis, told, send } = begin({ waitReplicas: 0 });
    send('a');
    await nextTurn();
    send('b');
    await nextTurn();
    assert.deepEqual(redis.sent, ['a', 'b']);
    await redis.answer([]);
    await redis.answer([], { b: error('OOM') });
    assert.deepEqual(told, ['a: a', 'b: OOM']);
  });

  test('tells at once what Redis refuses', async () => {
    const { redis, told, send } = begin();
    send('a');
    send('b');
    await redis.answer(fence(10, 9), { a: error('OOM') });
    assert.deepEqual(told.splice(0), ['a: OOM']);
    await redis.answer(fence(10));
    await redis.answer(fence(10));
    assert.deepEqual(told, ['b: b']);
  });

  test('tells everybody when the connection breaks, and goes on', async () => {
    const { redis, told, send } = begin();
    send('a');
    await redis.answer(fence(10, 9));
    send('b');
    await redis.answer(fence(10, 9));
    await redis.break();
    assert.deepEqual(told.splice(0).toSorted(), ['a: it broke', 'b: it broke']);
    send('c');
    await redis.break();
    send('d');
    await redis.answer(fence(10));
    assert.deepEqual(told, ['c: it broke', 'd: d']);
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
