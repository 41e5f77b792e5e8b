import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Controller } from '../client/controller.ts';
import { turn } from '../client/testing/fake-cluster.ts';
import { type Log, silentLog } from '../observability/log.ts';
import { type ControllerContext, KeyedController, keyed, type RunController } from './context.ts';
import { controllers, startControllers } from './start.ts';
import { TestBed } from './testing/test-bed.ts';

describe('startControllers()', () => {
  test('starts again what ends with an error, ever later, and leaves the others alone', async () => {
    await using bed = new TestBed();
    const starts: number[] = [];
    const errors: string[] = [];
    let others = 0;
    const log: Log = { ...silentLog, error: (message) => void errors.push(message) };
    const failing: RunController = async () => {
      starts.push(bed.clock.monotonic());
      throw new Error('out of luck');
    };
    const steady: RunController = async () => {
      others++;
    };
    const context: ControllerContext = { ...bed.context, log };
    void startControllers(context, ['failing', 'steady'], { failing, steady });
    await bed.clock.advance(100_000);
    assert.deepEqual(starts, [0, 1_000, 3_000, 7_000, 15_000, 31_000, 63_000]);
    assert.equal(errors[0], 'Controller "failing" ended and starts again: out of luck');
    assert.equal(others, 1);
  });

  test('ends with the signal, and starts nothing after it', async () => {
    const bed = new TestBed();
    let starts = 0;
    const failing: RunController = async () => {
      starts++;
      throw new Error('out of luck');
    };
    const running = startControllers(bed.context, ['failing'], { failing });
    await bed.clock.advance(500);
    await bed[Symbol.asyncDispose]();
    await running;
    assert.equal(starts, 1);
  });

  test('knows no controller that is not there', async () => {
    await using bed = new TestBed();
    await assert.rejects(startControllers(bed.context, ['no-such-controller']), /Cannot start controller "no-such-controller"/);
  });

  test('every controller runs on an empty cluster until the signal, and writes nothing', async () => {
    const bed = new TestBed();
    let ended = 0;
    const running = Object.values(controllers).map((run) => run(bed.context).then(() => ended++));
    await bed.deliver();
    await bed.clock.advance(120_000);
    assert.deepEqual(bed.client.took(), []);
    assert.equal(ended, 0);
    await bed[Symbol.asyncDispose]();
    await Promise.all(running);
    assert.equal(ended, Object.keys(controllers).length);
  });
});

test('keyed() runs several reconcilers under one name', async () => {
  await using bed = new TestBed();
  const keys: string[] = [];
  class A extends KeyedController {
    readonly name: string = 'a';
    setup(controller: Controller): void {
      controller.enqueue(this.name);
    }
    async reconcile(key: string): Promise<undefined> {
      keys.push(key);
    }
  }
  class B extends A {
    override readonly name = 'b';
  }
  const run = keyed(A, B);
  void run(bed.context);
  await turn();
  assert.deepEqual(keys, ['a', 'b']);
});
