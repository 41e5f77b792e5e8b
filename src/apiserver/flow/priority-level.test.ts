import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { FairQueue } from './fair-queue.ts';
import type { LevelRow } from './levels.ts';
import { Pace } from './pace.ts';
import { PriorityLevel, type Seat } from './priority-level.ts';

const nextRound = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function levelOf(more: Partial<LevelRow> & { readonly seats?: number } = {}): {
  level: PriorityLevel;
  clock: FakeClock;
  rejected: string[];
  /** What the pace goes by. */
  time: { ms: number };
} {
  const { seats = 2, ...row } = more;
  const clock = new FakeClock();
  const rejected: string[] = [];
  const time = { ms: 0 };
  const level = new PriorityLevel({ name: 'workload-low', shares: 1, queueLength: 3, paced: false, ...row }, seats, {
    clock,
    pace: new Pace({ monotonic: () => time.ms }),
    onReject: (flow, why) => rejected.push(`${flow} ${why}`),
  });
  return { level, clock, rejected, time };
}

const refused = { name: 'StatusError', code: 429, message: 'Too many requests, please try again later.' };

describe('FairQueue', () => {
  test('gives each flow its turn, however many one of them has put in', () => {
    const queue = new FairQueue<string>();
    for (const item of ['a1', 'a2', 'a3', 'b1', 'c1', 'b2']) queue.push(item[0]!, item);
    assert.deepEqual([queue.size, queue.lengthOf('a'), queue.peek()], [6, 3, 'a1']);
    assert.equal(queue.remove('a', 'a2'), true);
    assert.equal(queue.remove('a', 'a2'), false);
    const order: (string | undefined)[] = [];
    while (queue.size > 0) order.push(queue.shift());
    assert.deepEqual(order, ['a1', 'b1', 'c1', 'a3', 'b2']);
    assert.equal(queue.shift(), undefined);
  });
});

describe('PriorityLevel', () => {
  test('seats requests at once while there is room, and a seat is free once however often it is left', async () => {
    const { level } = levelOf();
    const first = level.enter('a') as Seat;
    void level.enter('a');
    const waiting = level.enter('a') as Promise<Seat>;
    assert.ok(waiting instanceof Promise);
    assert.deepEqual([level.taken, level.waiting], [2, 1]);
    first.leave();
    first.leave();
    await waiting;
    assert.deepEqual([level.taken, level.waiting], [2, 0]);
  });

  test('lets a modest flow pass a greedy one', async () => {
    const { level } = levelOf({ seats: 1 });
    let seat = level.enter('greedy') as Seat;
    const order: string[] = [];
    const ask = async (flow: string): Promise<void> => {
      seat = await level.enter(flow);
      order.push(flow);
    };
    const all = [ask('greedy'), ask('greedy'), ask('greedy'), ask('modest')];
    for (let i = 0; i < all.length; i++) {
      seat.leave();
      await nextRound();
    }
    assert.deepEqual(order, ['greedy', 'modest', 'greedy', 'greedy']);
  });

  test('sends away who has too many waiting, and nobody else', async () => {
    const { level, rejected } = levelOf({ seats: 1 });
    void level.enter('greedy');
    for (let i = 0; i < 3; i++) void level.enter('greedy');
    assert.throws(() => level.enter('greedy'), refused);
    assert.ok(level.enter('modest') instanceof Promise);
    assert.deepEqual(rejected, ['greedy queue-full']);
  });

  test('sends away who has waited too long', async () => {
    const { level, clock, rejected } = levelOf({ seats: 1 });
    void level.enter('a');
    const waits = assert.rejects(level.enter('a') as Promise<Seat>, refused);
    await clock.advance(15_000);
    await waits;
    assert.deepEqual([level.waiting, rejected], [0, ['a time-out']]);
  });

  test('waits until there is room for a wide request, and never asks for more than there is', async () => {
    const { level } = levelOf({ seats: 3 });
    const narrow = level.enter('a') as Seat;
    const wide = level.enter('b', 100) as Promise<Seat>;
    assert.equal(level.waiting, 1);
    narrow.leave();
    await wide;
    assert.equal(level.taken, 3);
  });

  test('begins so many requests that can wait as fit into some milliseconds of a round, then one in each round', async () => {
    const { level, time } = levelOf({ seats: 100, queueLength: 100, paced: true });
    const began: number[] = [];
    let round = 0;
    const ask = async (): Promise<void> => {
      const seat = level.enter('a');
      // Each keeps the thread for two milliseconds.
      if (seat instanceof Promise) await seat;
      began.push(round);
      time.ms += 2;
    };
    const all = Array.from({ length: 6 }, ask);
    assert.deepEqual(began, [0, 0, 0]);
    while (began.length < 6) {
      round++;
      await nextRound();
    }
    await Promise.all(all);
    assert.equal(new Set(began.slice(3)).size, 3, `in the rounds ${began}`);
  });
});
