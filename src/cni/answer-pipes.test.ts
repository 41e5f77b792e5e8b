import assert from 'node:assert/strict';
import { constants, mkdtempSync, openSync, readSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { AnswerPipes } from './answer-pipes.ts';

/** Above the largest process id that Linux gives. */
const dead = '4194305';
const self = String(process.pid);

describe('AnswerPipes', () => {
  let dir: string;
  let pipes: AnswerPipes;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'fl-pipes-'));
    pipes = new AnswerPipes(dir);
  });
  afterEach(() => {
    pipes.close();
    rmSync(dir, { recursive: true });
  });

  function take(n: number, pid: string, secondsAgo = 0): () => string {
    const path = join(dir, `${n}.taken`);
    writeFileSync(path, `${pid}\n`, { flag: 'wx' });
    const then = Date.now() / 1000 - secondsAgo;
    utimesSync(path, then, then);
    const fd = openSync(join(dir, String(n)), constants.O_RDONLY | constants.O_NONBLOCK);
    return () => {
      const bytes = Buffer.alloc(100);
      return bytes.toString('utf8', 0, readSync(fd, bytes));
    };
  }

  test('answers a caller once, and has a fresh pipe for the next one', () => {
    const read = take(3, self);
    pipes.caller(3, self)?.answer('one');
    const readNext = take(3, self);
    pipes.caller(3, self)?.answer('two');
    assert.deepEqual([read(), read(), readNext(), readNext()], ['one', '', 'two', '']);
  });

  test('knows no caller that has not taken its pipe', () => {
    take(3, self);
    for (const [n, pid] of [
      [3, '1'],
      [4, self],
      [99, self],
      [Number.NaN, ''],
    ] as const)
      assert.equal(pipes.caller(n, pid), undefined);
  });

  test('ends every caller when it is closed', () => {
    const read = take(3, self);
    assert.throws(read, { code: 'EAGAIN' });
    pipes.close();
    assert.equal(read(), '');
  });

  test('frees pipes of callers that are dead, not of live ones, nor of those who may only look dead', () => {
    take(1, dead, 120);
    take(2, dead);
    take(3, self, 120);
    const late = pipes.caller(1, dead);
    pipes.sweep();
    const read = take(1, self);
    late?.answer('for somebody else');
    pipes.caller(1, self)?.answer('mine');
    assert.equal(read(), 'mine');
    assert.throws(() => take(2, self), { code: 'EEXIST' });
    assert.throws(() => take(3, self), { code: 'EEXIST' });
  });
});
