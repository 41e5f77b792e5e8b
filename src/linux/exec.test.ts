import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { systemExec } from './exec.ts';

describe('a program is given its input in pieces', () => {
  test('one in a turn of the event loop at most, however fast it reads', async () => {
    let turn = 0;
    let isDone = false;
    const next = (): void => {
      turn++;
      if (!isDone) setImmediate(next);
    };
    next();
    const turns: number[] = [];
    const pieces = function* (): Generator<string> {
      for (let i = 0; i < 200; i++) {
        turns.push(turn);
        yield 'x'.repeat(10_000);
      }
    };
    const { stdout } = await systemExec.run('wc', ['-c'], { input: pieces() });
    isDone = true;
    assert.equal(stdout.trim(), '2000000');
    assert.equal(new Set(turns).size, 200);
  });

  test('until it ends, whatever is left', async () => {
    const { promise: isOver, resolve } = Promise.withResolvers<void>();
    const endless = function* (): Generator<string> {
      try {
        for (;;) yield 'x'.repeat(10_000);
      } finally {
        resolve();
      }
    };
    assert.equal((await systemExec.run('head', ['-c', '1'], { input: endless() })).stdout, 'x');
    await isOver;
  });

  test('and whoever makes them fails for all', async () => {
    const broken = function* (): Generator<string> {
      yield 'x';
      throw new RangeError('no more');
    };
    await assert.rejects(systemExec.run('cat', [], { input: broken() }), { name: 'RangeError', message: 'no more' });
  });
});
