import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import type { Endpoints } from './endpoints.ts';
import { findWrite } from './lost-answer.ts';
import type { Message, Request } from './messages.ts';

const compacted = Object.assign(new Error(), {
  code: status.OUT_OF_RANGE,
  details: 'etcdserver: mvcc: required revision has been compacted',
});

function kv(modRevision: number, value: string, createRevision = 1): Message<'KeyValue'> {
  return { key: '/a', modRevision, createRevision, version: 1, lease: 0, value: Buffer.from(value) };
}

/** What came of the write of "x" over revision 5; `past` is newest first, what stands there now in front. */
async function found(past: readonly Message<'KeyValue'>[], failure?: Error, ifRevision = 5): Promise<unknown> {
  const call = async (_: string, { key, revision = 0 }: Request<'Range'>): Promise<unknown> => {
    assert.equal(key, '/a');
    const then = past.find(({ modRevision }) => modRevision <= revision);
    if (!then && failure) throw failure;
    return { response: { kvs: then ? [then] : [] } };
  };
  const wanted = { key: '/a', value: Buffer.from('x'), ifRevision };
  const write = await findWrite({ call } as unknown as Pick<Endpoints, 'call'>, wanted, past[0]!);
  return typeof write === 'object' ? write.modRevision : write;
}

describe('a write over revision 5 whose answer was lost', () => {
  const cases: Readonly<Record<string, readonly [expected: unknown, past: readonly Message<'KeyValue'>[]]>> = {
    'is what stands there': [6, [kv(6, 'x'), kv(5, 'old')]],
    'was replaced': [6, [kv(9, 'z'), kv(8, 'y'), kv(6, 'x'), kv(5, 'old')]],
    'never was, when another one took its place': ['never', [kv(6, 'y'), kv(5, 'old')]],
    'never was, when none of those since is it': ['never', [kv(9, 'z'), kv(6, 'y'), kv(5, 'x')]],
    'is not another one of the same value, in a key that was made anew': [undefined, [kv(9, 'x', 7), kv(5, 'old')]],
    'is not known when the key was made anew since': [undefined, [kv(9, 'z', 7), kv(5, 'old')]],
    'is not known when revision 5 was not of this key': [undefined, [kv(9, 'z'), kv(4, 'old')]],
    'is not known when there is nothing before': [undefined, [kv(9, 'z')]],
    'is found among fifty': [6, [...Array.from({ length: 49 }, (_, i) => kv(100 - i, 'z')), kv(6, 'x'), kv(5, 'old')]],
    'is not looked for among more': [undefined, [...Array.from({ length: 50 }, (_, i) => kv(100 - i, 'z')), kv(6, 'x'), kv(5, 'old')]],
  };
  for (const [what, [expected, past]] of Object.entries(cases)) test(what, async () => assert.equal(await found(past), expected));

  test('as a creation is found where it was replaced, else not known', async () => {
    assert.equal(await found([kv(9, 'z', 6), kv(6, 'x', 6)], undefined, 0), 6);
    assert.equal(await found([kv(9, 'z', 6), kv(6, 'y', 6)], undefined, 0), undefined);
    assert.equal(await found([kv(6, 'x', 6)], undefined, 0), 6);
  });

  test('is not known when etcd has forgotten what was before, and what it refuses else is told', async () => {
    assert.equal(await found([kv(9, 'z')], compacted), undefined);
    const gone = Object.assign(new Error(), { code: status.UNAVAILABLE, details: 'it is gone' });
    await assert.rejects(found([kv(9, 'z')], gone), gone);
  });
});
