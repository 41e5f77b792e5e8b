import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type TableFamily, tableFamilies } from '../linux/nftables/table.ts';
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
    takeOver.synced(tableFamilies);
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
  takeOver.synced(tableFamilies);
  takeOver.again();
  takeOver.synced(tableFamilies);
  assert.equal(runs, 1);
  finish(false);
  await settle();
  takeOver.synced(tableFamilies);
  assert.equal(runs, 2);
  let hasEnded = false;
  const ended = takeOver.close().then(() => {
    hasEnded = true;
  });
  await settle();
  assert.equal(hasEnded, false);
  finish(true);
  await ended;
  takeOver.synced(tableFamilies);
  assert.equal(runs, 2);
});

test('TakeOver cleans each family once that one has its rules, and those with something left again', async () => {
  const runs: string[] = [];
  let isLeft = true;
  const clean = async (families: readonly TableFamily[]): Promise<boolean> => {
    runs.push(families.join());
    return !isLeft;
  };
  const takeOver = new TakeOver(clean, silentLog);
  const sync = async (...families: TableFamily[]): Promise<void> => {
    takeOver.synced(families);
    await settle();
  };
  await sync();
  await sync('ip6');
  await sync('ip6', 'ip');
  takeOver.again();
  isLeft = false;
  await sync('ip6');
  takeOver.again();
  await sync('ip', 'ip6');
  takeOver.again();
  await sync('ip', 'ip6');
  assert.deepEqual(runs, ['ip6', 'ip', 'ip6', 'ip']);
});
