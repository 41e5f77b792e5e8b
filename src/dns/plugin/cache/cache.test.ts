import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../../../clock/testing/fake-clock.ts';
import { encodeQuery, parseQuery, type Query } from '../../message/query.ts';
import { emptyReply, type RawReply, type Reply } from '../../message/reply.ts';
import type { Answer, Request } from '../plugin.ts';
import { Cache } from './cache.ts';

function requestOf(name: string, change: Partial<Query> = {}): Request {
  const parsed = parseQuery(encodeQuery(name, 'A'));
  assert.ok(parsed.kind === 'query');
  return { query: { ...parsed.query, ...change }, client: { family: 4, address: '10.244.1.7', port: 40_000 }, transport: 'udp' };
}

function rawOf(length: number = 4, seconds: number = 30): RawReply {
  return { raw: Buffer.alloc(length), ttlAt: [], seconds };
}

/** Asks a cache for several things in turn. Gives how often the next plugin was asked. */
async function countOf(
  requests: readonly Request[],
  answer: () => Answer | Promise<Answer>,
  disable: readonly string[] = [],
): Promise<number> {
  const cache = new Cache({ disable, clock: new FakeClock() });
  let asked = 0;
  for (const request of requests)
    await cache.handle(request, () => {
      asked++;
      return answer();
    });
  return asked;
}

const own: Reply = emptyReply(0);
const secure = { size: 1232, version: 0, wantsDnssec: true };
const twice = (request: Request): Request[] => [request, request];

/** Sentence, requests, what the next plugin answers, how often it is asked. */
const table: readonly (readonly [string, readonly Request[], () => Answer | Promise<Answer>, number])[] = [
  ['keeps what a resolver answered, later', twice(requestOf('a.example')), async () => rawOf(), 1],
  ['keeps what a resolver answered, at once', twice(requestOf('a.example')), () => rawOf(), 1],
  ['keeps no answer of ours', twice(requestOf('a.example')), () => own, 2],
  ['keeps nothing that may not be kept', twice(requestOf('a.example')), () => rawOf(4, 0), 2],
  ['keeps an answer of 8 KiB', twice(requestOf('a.example')), () => rawOf(8 * 1024), 1],
  ['keeps none that is longer', twice(requestOf('a.example')), () => rawOf(8 * 1024 + 1), 2],
  ['keeps names apart', [requestOf('a.example'), requestOf('b.example')], () => rawOf(), 2],
  ['keeps types apart', [requestOf('a.example'), requestOf('a.example', { type: 28 })], () => rawOf(), 2],
  ['keeps answers with DNSSEC apart', [requestOf('a.example'), requestOf('a.example', { edns: secure })], () => rawOf(), 2],
  ['keeps unchecked answers apart', [requestOf('a.example'), requestOf('a.example', { checkingDisabled: true })], () => rawOf(), 2],
  ['looks for no name of a zone that is disabled', twice(requestOf('a.cluster.local')), () => rawOf(), 2],
  ['looks for no disabled zone itself', twice(requestOf('cluster.local')), () => rawOf(), 2],
  ['looks for names that only end alike', twice(requestOf('acluster.local')), () => rawOf(), 1],
];
for (const [sentence, requests, answer, wanted] of table) {
  test(`the cache ${sentence}`, async () => assert.equal(await countOf(requests, answer, ['Cluster.local']), wanted));
}

test('a question that fails is asked again, and nobody waits for it any more', async () => {
  const cache = new Cache({ clock: new FakeClock() });
  await assert.rejects(async () => cache.handle(requestOf('a.example'), () => Promise.reject(new Error('no route'))), /no route/);
  assert.deepEqual(await cache.handle(requestOf('a.example'), async () => rawOf()), rawOf());
});

test('the least recently asked goes first when there are too many', async () => {
  const cache = new Cache({ clock: new FakeClock() });
  for (let i = 0; i < 10_000; i++) await cache.handle(requestOf(`n${i}.example`), () => rawOf());
  await cache.handle(requestOf('n0.example'), () => assert.fail('it is there'));
  await cache.handle(requestOf('one-more.example'), () => rawOf());
  assert.deepEqual(cache.statistics, { hits: 1, misses: 10_001, entries: 10_000, evictions: 1 });
  await cache.handle(requestOf('n0.example'), () => assert.fail('it was asked for just now'));
  let asked = 0;
  await cache.handle(requestOf('n1.example'), () => {
    asked++;
    return own;
  });
  assert.equal(asked, 1);
});

test('an answer that comes anew takes no more room than the one before', async () => {
  const clock = new FakeClock();
  const cache = new Cache({ clock });
  const length = 8 * 1024;
  for (let i = 0; i < 2_000; i++) {
    await cache.handle(requestOf('a.example'), () => rawOf(length, 1));
    await clock.advance(1_000);
  }
  for (let i = 0; i < 1_023; i++) await cache.handle(requestOf(`n${i}.example`), () => rawOf(length));
  assert.deepEqual([cache.statistics.evictions, cache.statistics.hits], [0, 0]);
  await cache.handle(requestOf('one-byte-more.example'), () => rawOf(1));
  assert.equal(cache.statistics.evictions, 1);
});

test('one question stands for all who ask it while it is under way', async () => {
  const cache = new Cache({ clock: new FakeClock() });
  const first = cache.handle(requestOf('a.example'), async () => rawOf());
  const second = cache.handle(requestOf('a.example'), () => assert.fail('it is asked already'));
  assert.deepEqual(await Promise.all([first, second]), [rawOf(), rawOf()]);
});

test('no answer that is kept promises more time than it is kept for, the first one included; it is asked for anew then', async () => {
  const clock = new FakeClock();
  const cache = new Cache({ clock });
  const raw = Buffer.alloc(12);
  for (const [i, ttl] of [86_400, 3_600, 7].entries()) raw.writeUInt32BE(ttl, 4 * i);
  let asked = 0;
  const seen: unknown[] = [];
  for (const ms of [0, 999, 19_001, 9_999, 1]) {
    await clock.advance(ms);
    const reply = await cache.handle(requestOf('a.example'), async () => {
      asked++;
      return { raw, ttlAt: [0, 4, 8], seconds: 3_600 };
    });
    assert.ok('raw' in reply);
    const kept = Buffer.from(reply.raw);
    seen.push([asked, ...[0, 4, 8].map((at) => kept.readUInt32BE(at))]);
  }
  assert.deepEqual(seen, [
    [1, 30, 30, 7],
    [1, 30, 30, 7],
    [1, 10, 10, 0],
    [1, 1, 1, 0],
    [2, 30, 30, 7],
  ]);
});
