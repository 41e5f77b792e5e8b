import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { codec, type Message, type MessageName, paths } from './messages.ts';

/** Fields on the wire (https://protobuf.dev/programming-guides/encoding), each a number and what it holds: small numbers, text and messages. */
function wire(...fields: readonly (readonly [number: number, value: number | string | Buffer])[]): Buffer {
  return Buffer.concat(
    fields.map(([number, value]) => {
      const isNumber = typeof value === 'number';
      const key = number * 8 + (isNumber ? 0 : 2);
      const tag = key < 128 ? [key] : [(key % 128) + 128, Math.floor(key / 128)];
      const content = isNumber ? Buffer.of(value) : Buffer.from(value);
      return Buffer.concat([Buffer.from(tag), isNumber ? Buffer.alloc(0) : Buffer.of(content.length), content]);
    }),
  );
}

const header = { clusterId: 1, memberId: 2, revision: 3, raftTerm: 4 };
const headerBytes = wire([1, 1], [2, 2], [3, 3], [4, 4]);
const kv = { key: 'k', createRevision: 2, modRevision: 3, version: 4, value: Buffer.from('v'), lease: 6 };
const kvBytes = wire([1, 'k'], [2, 2], [3, 3], [4, 4], [5, 'v'], [6, 6]);

/** By the numbers of rpc.proto and kv.proto. */
const requests: { readonly [Name in MessageName]?: readonly [value: object, bytes: Buffer] } = {
  RangeRequest: [
    { key: 'a', rangeEnd: 'b', limit: 3, revision: 4, keysOnly: true, countOnly: true },
    wire([1, 'a'], [2, 'b'], [3, 3], [4, 4], [8, 1], [9, 1]),
  ],
  TxnRequest: [
    {
      compare: [{ result: 3, target: 2, key: 'a', version: 4, modRevision: 6, value: Buffer.from('v'), rangeEnd: 'b' }],
      success: [{ requestPut: { key: 'a', value: Buffer.from('v'), lease: 3 } }, { requestRange: { key: 'a' } }],
      failure: [{ requestDeleteRange: { key: 'a', rangeEnd: 'b', prevKv: true } }],
    },
    wire(
      [1, wire([1, 3], [2, 2], [3, 'a'], [4, 4], [6, 6], [7, 'v'], [64, 'b'])],
      [2, wire([2, wire([1, 'a'], [2, 'v'], [3, 3])])],
      [2, wire([1, wire([1, 'a'])])],
      [3, wire([3, wire([1, 'a'], [2, 'b'], [3, 1])])],
    ),
  ],
  CompactionRequest: [{ revision: 7 }, wire([1, 7])],
  LeaseGrantRequest: [{ ttl: 5, id: 6 }, wire([1, 5], [2, 6])],
  LeaseTimeToLiveRequest: [{ id: 6 }, wire([1, 6])],
  StatusRequest: [{}, wire()],
  SnapshotRequest: [{}, wire()],
  WatchRequest: [
    {
      createRequest: { key: 'a', rangeEnd: 'b', startRevision: 3, progressNotify: true, prevKv: true, watchId: 7, fragment: true },
      cancelRequest: { watchId: 9 },
    },
    wire([1, wire([1, 'a'], [2, 'b'], [3, 3], [4, 1], [6, 1], [7, 7], [8, 1])], [2, wire([1, 9])]),
  ],
};

const responses: { readonly [Name in MessageName]?: readonly [bytes: Buffer, value: object] } = {
  RangeResponse: [wire([1, headerBytes], [2, kvBytes], [3, 1], [4, 9]), { header, kvs: [kv], more: true, count: 9 }],
  CompactionResponse: [wire([1, headerBytes]), { header }],
  LeaseGrantResponse: [wire([1, headerBytes], [2, 6], [3, 5], [4, 'e']), { header, id: 6, ttl: 5, error: 'e' }],
  LeaseTimeToLiveResponse: [wire([1, headerBytes], [2, 6], [3, 5]), { header, id: 6, ttl: 5 }],
  StatusResponse: [wire([1, headerBytes], [2, '3.5'], [4, 4], [8, 'e']), { header, version: '3.5', leader: 4, errors: ['e'] }],
  SnapshotResponse: [wire([1, headerBytes], [2, 9], [3, 'b']), { header, remainingBytes: 9, blob: Buffer.from('b') }],
  PutResponse: [wire([1, headerBytes]), { header }],
  DeleteRangeResponse: [wire([1, headerBytes], [2, 1], [3, kvBytes]), { header, deleted: 1, prevKvs: [kv] }],
  Event: [wire([1, 1], [2, kvBytes], [3, kvBytes]), { type: 1, kv, prevKv: kv }],
  WatchResponse: [
    wire([1, headerBytes], [2, 7], [3, 1], [4, 1], [5, 5], [6, 'c'], [7, 1], [11, wire([1, 1], [2, kvBytes])]),
    {
      ...{ header, watchId: 7, created: true, canceled: true, compactRevision: 5, cancelReason: 'c', fragment: true },
      events: [{ type: 1, kv }],
    },
  ],
};

/** Without what is not there. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

describe('the messages of etcd', () => {
  for (const [name, [value, bytes]] of Object.entries(requests))
    test(`${name} is written by its numbers`, () => {
      assert.deepEqual(Buffer.from(codec.encode(name as MessageName, value as never)).toString('hex'), bytes.toString('hex'));
    });

  for (const [name, [bytes, value]] of Object.entries(responses))
    test(`${name} is read by its numbers`, () => {
      assert.deepEqual(plain(codec.decode(name as MessageName, bytes)), plain(value));
    });

  test('TxnResponse is read with the answers to each of its operations', () => {
    const parts = [wire([1, wire([2, kvBytes])]), wire([2, wire([1, headerBytes])]), wire([3, wire([2, 1])])];
    const bytes = wire([1, headerBytes], [2, 1], ...parts.map((part) => [3, part] as const));
    const { succeeded, header: read, responses: answers }: Message<'TxnResponse'> = codec.decode('TxnResponse', bytes);
    assert.deepEqual([succeeded, read?.revision], [true, 3]);
    assert.equal(answers[0]?.responseRange?.kvs[0]?.key, 'k');
    assert.equal(answers[1]?.responsePut?.header?.raftTerm, 4);
    assert.equal(answers[2]?.responseDeleteRange?.deleted, 1);
  });

  test('each call has a path of a service of etcd', () => {
    for (const path of Object.values(paths)) assert.match(path, /^\/etcdserverpb\.(KV|Lease|Maintenance|Watch)\/[A-Z]\w+$/);
    assert.equal(new Set(Object.values(paths)).size, Object.keys(paths).length);
  });
});
