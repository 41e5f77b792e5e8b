import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KnownError } from '../errors/known-error.ts';
import { tableFamilies } from '../linux/nftables/table.ts';
import { silentLog } from '../observability/log.ts';
import type { Mode } from './mode/mode.ts';
import { cleanOtherModes, cleanUpProxy } from './other-modes.ts';

test('cleanOtherModes() has something left to do while a mode carries connections', async () => {
  let open = 2;
  const carrying = { name: 'carrying', drain: async () => --open === 0, close() {} } as unknown as Mode;
  const all = { carrying: async () => carrying };
  assert.deepEqual(
    [await cleanOtherModes('own', silentLog, {}, tableFamilies, all), await cleanOtherModes('own', silentLog, {}, tableFamilies, all)],
    [false, true],
  );
});

test('cleanOtherModes() takes away what others left, whatever one of them cannot', async () => {
  const done: string[] = [];
  const mode = (name: string, work: () => Promise<void> = async () => void done.push(name)) =>
    [name, async () => ({ name, cleanUp: work, close: () => done.push(`${name} closed`) }) as unknown as Mode] as const;
  const lacking = async (): Promise<Mode> => {
    throw new KnownError('KERNEL_FEATURE_MISSING', 'no');
  };
  const refused = async (): Promise<void> => {
    throw new KnownError('KERNEL_REFUSED', 'no');
  };
  const said: string[] = [];
  const log = { ...silentLog, warn: (text: string) => said.push(text) };
  const all = Object.fromEntries([mode('own'), ['lacking', lacking] as const, mode('first', refused), mode('second')]);
  assert.equal(await cleanOtherModes('own', log, {}, tableFamilies, all), false);
  assert.deepEqual(done, ['first closed', 'second', 'second closed']);
  assert.match(said.join(), /"first", will try again: no/);
  assert.equal(await cleanOtherModes('first', log, {}, tableFamilies, all), true);
});

test('cleanUpProxy() goes through every mode, and tells of the one that cannot', async () => {
  const done: unknown[] = [];
  const mode = (cleanUp: () => Promise<void>) => async (options: unknown) => {
    done.push(options);
    return { cleanUp, close() {} } as unknown as Mode;
  };
  const refused = async (): Promise<void> => {
    throw new KnownError('KERNEL_REFUSED', 'busy');
  };
  const options = { ipvs: { excludeCidrs: ['192.0.2.0/24'] } };
  await assert.rejects(cleanUpProxy(options, { first: mode(refused), second: mode(async () => void done.push('second')) }), /busy/);
  assert.deepEqual(done, [options, options, 'second']);
});

test('cleanOtherModes() touches no other families than those that are said', async () => {
  const done: string[] = [];
  const mode = (name: string, work: object) => [name, async () => ({ name, close() {}, ...work }) as unknown as Mode] as const;
  const all = Object.fromEntries([
    mode('plain', { cleanUp: async (families: string[]) => void done.push(`plain ${families}`) }),
    mode('carrying', { drain: async (families: string[]) => done.push(`carrying ${families}`) > 0 }),
  ]);
  assert.equal(await cleanOtherModes('own', silentLog, {}, ['ip6'], all), true);
  assert.deepEqual(done, ['plain ip6', 'carrying ip6']);
});
