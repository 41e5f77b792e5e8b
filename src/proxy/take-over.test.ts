import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLog } from '../observability/log.ts';
import { TakeOver } from './take-over.ts';

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('TakeOver cleans after the first sync, and again only while something is left', async () => {
  const results: (boolean | Error)[] = [false, new Error('no'), true];
  const said: string[] = [];
  let runs = 0;
  const clean = async (): Promise<boolean> => {
    runs++;
    const result = results.shift() ?? false;
    if (result instanceof Error) throw result;
    return result;
  };
  const takeOver = new TakeOver(clean, { ...silentLog, warn: (text: string) => void said.push(text) });
  const seen: number[] = [];
  for (const again of [false, false, true, true, true, false]) {
    if (again) takeOver.again();
    takeOver.synced();
    await settle();
    seen.push(runs);
  }
  assert.deepEqual(seen, [1, 1, 2, 3, 3, 3]);
  assert.deepEqual(said, ['Cannot take away what another proxy left, will try again: no']);
});

test('TakeOver never runs twice at once, and its end waits for what is under way', async () => {
  let finish = (_isDone: boolean): void => {};
  let runs = 0;
  const clean = (): Promise<boolean> => {
    runs++;
    return new Promise((resolve) => {
      finish = resolve;
    });
  };
  const takeOver = new TakeOver(clean, silentLog);
  takeOver.synced();
  takeOver.again();
  takeOver.synced();
  assert.equal(runs, 1);
  finish(false);
  await settle();
  takeOver.synced();
  assert.equal(runs, 2);
  let hasEnded = false;
  const ended = takeOver.close().then(() => {
    hasEnded = true;
  });
  await settle();
  assert.equal(hasEnded, false);
  finish(true);
  await ended;
  takeOver.synced();
  assert.equal(runs, 2);
});
