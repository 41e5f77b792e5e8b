import assert from 'node:assert/strict';
import { test } from 'node:test';
import { status } from '@grpc/grpc-js';
import type { Message } from './messages.ts';
import { NewestWrite } from './newest-write.ts';

const outOfRange = (details: string): Error => Object.assign(new Error(details), { code: status.OUT_OF_RANGE, details });
const compacted = outOfRange('etcdserver: mvcc: required revision has been compacted');
const future = outOfRange('etcdserver: mvcc: required revision is a future revision');

type KeyValue = Message<'KeyValue'>;

function kv(modRevision: number, value: string, key = '/a'): KeyValue {
  return { key, modRevision, createRevision: 1, version: 1, lease: 0, value: Buffer.from(value) };
}

/** What is answered for a key at a revision: `/a@7`, and `/a` for now. */
type Held = Readonly<Record<string, KeyValue | Error>>;

async function isThere(newest: NewestWrite, held: Held): Promise<boolean> {
  return newest.isThere(async (key, revision) => {
    const answer = held[revision === undefined ? key : `${key}@${revision}`];
    if (answer instanceof Error) throw answer;
    return answer;
  });
}

function put(revision: number, value: string, key = '/a'): Message<'Event'> {
  return { type: 0, kv: kv(revision, value, key), prevKv: undefined };
}

function deletion(revision: number): Message<'Event'> {
  return { type: 1, kv: kv(revision, ''), prevKv: undefined };
}

function having(...events: Message<'Event'>[]): NewestWrite {
  const newest = new NewestWrite();
  newest.sawEvents(events);
  return newest;
}

test('of nothing that is known nothing is missing', async () => {
  assert.equal(await isThere(new NewestWrite(), {}), true);
  assert.equal(await isThere(having(), {}), true);
});

const afterAPut: Readonly<Record<string, readonly [boolean, Held]>> = {
  'is there': [true, { '/a@7': kv(7, 'x') }],
  'is not there when another value is': [false, { '/a@7': kv(7, 'y') }],
  'is not there when the key was written before': [false, { '/a@7': kv(6, 'x') }],
  'is not there when the key is not': [false, {}],
  'is not there when the data end before': [false, { '/a@7': future }],
  'may be there when all is forgotten and the key is not there now': [true, { '/a@7': compacted }],
  'may be there when all is forgotten and the key was written since': [true, { '/a@7': compacted, '/a': kv(8, 'z') }],
  'may be there when all else is forgotten': [true, { '/a@7': compacted, '/a': kv(7, 'x') }],
  'is not there when all is forgotten and the key was written before': [false, { '/a@7': compacted, '/a': kv(6, 'x') }],
};
for (const [what, [expected, held]] of Object.entries(afterAPut))
  test(`what was written ${what}`, async () => assert.equal(await isThere(having(put(7, 'x')), held), expected));

const afterADeletion: Readonly<Record<string, readonly [boolean, Held]>> = {
  'is there': [true, { '/a@6': kv(3, 'x') }],
  'is not there when the key still is': [false, { '/a@6': kv(3, 'x'), '/a@7': kv(3, 'x') }],
  'is not there when there was nothing to delete': [false, {}],
  'is not there when the data end before': [false, { '/a@7': future }],
  'may be there when the revision before is forgotten': [true, { '/a@6': compacted }],
};
for (const [what, [expected, held]] of Object.entries(afterADeletion))
  test(`a deletion ${what}`, async () => assert.equal(await isThere(having(deletion(7)), held), expected));

test('what etcd does not answer is no answer', async () => {
  const gone = Object.assign(new Error(), { code: status.UNAVAILABLE, details: 'it is gone' });
  await assert.rejects(isThere(having(put(7, 'x')), { '/a@7': gone }), gone);
});

test('the newest of all that is told counts: events, what is read, what is written', async () => {
  const newest = having(put(3, 'x'), put(5, 'y', '/b'));
  newest.sawEvents([put(4, 'late')]);
  assert.equal(await isThere(newest, { '/b@5': kv(5, 'y', '/b') }), true);
  const header = { clusterId: 1, memberId: 1, revision: 20, raftTerm: 1 };
  const range = { header, kvs: [kv(6, 'z'), kv(9, 'q', '/c'), kv(8, 'p', '/d')], more: false, count: 3 };
  newest.saw('Range', { keysOnly: true }, range);
  assert.equal(newest.revision, 5, 'a key without its value says too little');
  newest.saw('Range', {}, range);
  assert.equal(await isThere(newest, { '/c@9': kv(9, 'q', '/c') }), true);
  const txn = { header: { ...header, revision: 21 }, succeeded: true, responses: [] };
  newest.saw('Txn', { success: [{ requestPut: { key: '/e', value: Buffer.from('w') } }] }, { ...txn, succeeded: false });
  newest.saw('Txn', { success: [{ requestRange: { key: '/e' } }] }, txn);
  newest.saw('Txn', {}, txn);
  newest.saw('Txn', { success: [{ requestDeleteRange: { key: '/e' } }] }, txn);
  assert.equal(newest.revision, 9, 'what changes nothing is no write');
  newest.saw('Txn', { success: [{ requestPut: { key: '/e', value: Buffer.from('w') } }, { requestPut: { key: '/f' } }] }, txn);
  assert.equal(await isThere(newest, { '/e@21': kv(21, 'w', '/e') }), true);
  const [none, gone] = [undefined, { header, deleted: 1, prevKvs: [kv(9, 'q', '/c')] }];
  const response = { responseRange: none, responsePut: none, responseDeleteRange: gone };
  newest.saw(
    'Txn',
    { success: [{ requestDeleteRange: { key: '/c' } }] },
    { header: { ...header, revision: 22 }, succeeded: true, responses: [response] },
  );
  assert.equal(await isThere(newest, { '/c@21': kv(9, 'q', '/c') }), true);
  assert.equal(await isThere(newest, { '/c@21': kv(9, 'q', '/c'), '/c@22': kv(9, 'q', '/c') }), false);
});

test('what tells which cluster it is is kept, by whatever way and of whatever revision it comes', () => {
  const newest = new NewestWrite('/ns');
  newest.sawEvents([put(9, 'x')]);
  assert.equal(newest.cluster, undefined);
  const header = { clusterId: 1, memberId: 1, revision: 20, raftTerm: 1 };
  newest.saw('Range', {}, { header, kvs: [kv(2, 'one', '/ns')], more: false, count: 1 });
  assert.deepEqual([Buffer.from(newest.cluster!).toString(), newest.revision], ['one', 9]);
  newest.sawEvents([put(10, 'two', '/ns')]);
  newest.sawEvents([put(11, 'y', '/nt')]);
  newest.sawEvents([{ type: 1, kv: kv(12, '', '/ns'), prevKv: undefined }]);
  assert.equal(Buffer.from(newest.cluster!).toString(), 'two');
});
