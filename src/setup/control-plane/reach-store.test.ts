import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StoreFact } from '../preflight/facts.ts';
import { reachStore } from './reach-store.ts';
import { storeContext } from './testing/store-context.ts';

test('a store is asked when the service can read its files', async () => {
  const { context, asked } = storeContext(() => ({ isEmpty: true }));
  const cause = async (store: string): Promise<string | undefined> => {
    const answer = await reachStore(context, store);
    return answer !== undefined && 'refusal' in answer ? answer.refusal.cause : undefined;
  };
  assert.match((await cause('etcd=https://a?ca-file=ca.crt')) ?? '', /cannot read ca\.crt.*no absolute path/);
  assert.match((await cause('etcd=https://a?ca-file=/etc/ca.crt&key-file=/root/a.key')) ?? '', /\/root\/a\.key.*does not see it/);
  assert.match((await cause('rediss://a?password-file=/root/p')) ?? '', /\/root\/p/);
  assert.deepEqual(asked, []);
  for (const store of ['etcd=https://a?ca-file=/etc/ca.crt', 'sqlite:///root/a.db']) assert.equal(await cause(store), undefined);
  assert.equal(asked.length, 2);
});

test('a store that does not answer is waited for, with one note, and not for ever', async () => {
  const away = (tried: number): StoreFact => ({ refusal: { cause: `no leader after ${tried}.5s`, cure: 'See etcd', isAway: true } });
  const { context, asked, notes, time } = storeContext((count) => (count < 4 ? away(count) : { isEmpty: true }));
  assert.deepEqual(await reachStore(context, 'etcd=https://a'), { isEmpty: true });
  assert.deepEqual([asked.length, time(), notes], [4, 3_000, ['Waiting: no leader after 1.5s. See etcd']]);

  const never = storeContext(away);
  assert.deepEqual(await reachStore(never.context, 'etcd=https://a'), away(11));
  assert.equal(never.time(), 10_000);
});

test('a store that refuses is asked once', async () => {
  const refusal = { refusal: { cause: 'of another version', cure: 'Upgrade it', isAway: false } };
  const { context, asked, notes } = storeContext(() => refusal);
  assert.deepEqual(await reachStore(context, 'etcd=https://a'), refusal);
  assert.deepEqual([asked.length, notes], [1, []]);
});
