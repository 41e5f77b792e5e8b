import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StoreFact } from '../preflight/facts.ts';
import { reachStore } from './reach-store.ts';

test('a store is asked when the service can read its files', async () => {
  const asked: string[] = [];
  const context = {
    askStore: async (url: string): Promise<StoreFact> => {
      asked.push(url);
      return { isEmpty: true };
    },
    keeper: { hides: async (path: string) => (path.startsWith('/root/') ? 'the unit does not see it' : undefined) },
  };
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
