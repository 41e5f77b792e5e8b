import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Client } from '../../client/client.ts';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { CachedConfigSource } from './config-source.ts';

test('CachedConfigSource shares what was read within a second, until somebody wants it anew', async () => {
  let asked = 0;
  const get = async (): Promise<object> => ({ metadata: { name: 'a' }, data: { asked: String(++asked) } });
  const clock = new FakeClock();
  const source = new CachedConfigSource({ get } as unknown as Client, clock);
  const read = async (): Promise<string | undefined> => (await source.configMap('default', 'a'))?.data?.asked;
  assert.deepEqual([await read(), await read()], ['1', '1']);
  source.forget();
  assert.deepEqual([await read(), await read()], ['2', '2']);
  await clock.advance(1001);
  assert.equal(await read(), '3');
});
