import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Client } from '../../client/client.ts';
import { refusal } from '../../client/testing/fake-client.ts';
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
  await clock.advance(1000);
  assert.equal(await read(), '2');
  await clock.advance(1);
  assert.equal(await read(), '3');
  await Promise.all([source.configMap('other', 'a'), source.configMap('default', 'b'), source.secret('default', 'a')]);
  assert.equal(asked, 6, 'each object by itself');
});

test('CachedConfigSource has nothing of an object that is not there, and looks again the next time', async () => {
  const answers = [refusal(404, 'NotFound'), refusal(500, 'InternalError'), undefined];
  const get = async (): Promise<object> => {
    const answer = answers.shift();
    if (answer) throw answer;
    return { metadata: { name: 'a' } };
  };
  const source = new CachedConfigSource({ get } as unknown as Client, new FakeClock());
  assert.equal(await source.secret('default', 'a'), undefined);
  await assert.rejects(source.secret('default', 'a'), { code: 500 });
  assert.equal((await source.secret('default', 'a'))?.metadata.name, 'a');
});
