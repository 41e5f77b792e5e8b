import assert from 'node:assert/strict';
import { test } from 'node:test';
import packet from 'dns-packet';
import { parseQuery, type Query } from './query.ts';
import { addressRecord, nameRecord } from './records.ts';
import { buildReply, emptyReply, type Reply, rebuildRaw } from './reply.ts';

const opt = { type: 'OPT', name: '.', udpPayloadSize: 1232, flags: 0, options: [], extendedRcode: 0, ednsVersion: 0 } as const;

function queryOf(name: string, withOpt: boolean = false, flags: number = 0): Query {
  const additionals = withOpt ? [{ ...opt, flags } as unknown as packet.Answer] : [];
  const parsed = parseQuery(packet.encode({ type: 'query', id: 1, questions: [{ type: 'A', name }], additionals }));
  assert.ok(parsed.kind === 'query');
  return parsed.query;
}

const records = (n: number): Uint8Array[] => Array.from({ length: n }, (_, i) => addressRecord(undefined, 5, `192.0.2.${i}`));
const small = addressRecord(undefined, 5, '192.0.2.200');
const ns = nameRecord('example.com', 'NS', 5, 'ns.example.com');

/** Sentence, what is to be sent, room for so many address records behind the question, counts of each section, TC. */
const table: readonly (readonly [string, Partial<Reply>, number, readonly [number, number, number], boolean])[] = [
  ['everything when it fits', { answers: records(2), additional: records(1) }, 3, [2, 0, 1], false],
  ['fewer additional records, which nobody misses, without TC', { answers: records(2), additional: records(3) }, 3, [2, 0, 1], false],
  [
    'no additional record beside TC, though a small one would fit',
    { answers: [...records(2), ns], additional: [small] },
    3,
    [2, 0, 0],
    true,
  ],
  [
    'no additional record beside an authority that was cut',
    { answers: records(2), authority: [ns], additional: [small] },
    3,
    [2, 0, 0],
    true,
  ],
  ['authority behind the answers', { answers: records(1), authority: [ns], additional: [small] }, 9, [1, 1, 1], false],
  ['the first answers and TC', { answers: records(5) }, 3, [3, 0, 0], true],
];

for (const [sentence, reply, room, counts, isCut] of table) {
  test(`buildReply() gives ${sentence}`, () => {
    const query = queryOf('www.example.com');
    const whole: Reply = { rcode: 0, authoritative: true, answers: [], authority: [], additional: [], ...reply };
    const message = packet.decode(buildReply(query, whole, query.questionEnd + room * small.length));
    assert.deepEqual(
      [message.answers, message.authorities, message.additionals].map((s) => s?.length),
      counts,
    );
    assert.equal(message.flag_tc, isCut);
  });
}

test('buildReply() says that it can take DNSSEC to those who want it, and to no others', () => {
  for (const flags of [0, packet.DNSSEC_OK]) {
    const [option] = packet.decode(buildReply(queryOf('www.example.com', true, flags), emptyReply(0), 512)).additionals ?? [];
    assert.equal(option?.type === 'OPT' && option.flags, flags);
  }
});

test('buildReply() repeats how much the client takes, and says of no answer of its own that it may recurse', () => {
  const parsed = parseQuery(
    packet.encode({
      type: 'query',
      id: 1,
      flags: packet.RECURSION_DESIRED,
      questions: [{ type: 'A', name: 'a.example' }],
      additionals: [{ ...opt, udpPayloadSize: 4096 } as unknown as packet.Answer],
    }),
  );
  assert.ok(parsed.kind === 'query');
  for (const isOwn of [true, false]) {
    const message = packet.decode(buildReply(parsed.query, { ...emptyReply(5), authoritative: isOwn }, 512));
    const [option] = message.additionals ?? [];
    assert.deepEqual([message.flag_aa, message.flag_ra, message.flag_rd], [isOwn, false, true]);
    assert.equal(option?.type === 'OPT' && option.udpPayloadSize, 4096);
  }
});

test('buildReply() gives the upper bits of a code in OPT', () => {
  const bytes = buildReply(queryOf('www.example.com', true), emptyReply(16), 512);
  const [option] = packet.decode(bytes).additionals ?? [];
  assert.deepEqual([(bytes[3] ?? 0) & 15, option?.type === 'OPT' && option.extendedRcode], [0, 1]);
});

test('rebuildRaw() gives the question as this client spelt it, and TC as soon as OPT has no room beside the answer', () => {
  const raw = packet.encode({
    type: 'response',
    id: 7,
    questions: [{ type: 'A', name: 'www.example.com' }],
    answers: [{ type: 'A', name: 'www.example.com', ttl: 5, data: '192.0.2.1' }],
  });
  const query = queryOf('wWw.eXample.com', true);
  const whole = packet.decode(rebuildRaw(query, raw, raw.length + 11));
  assert.deepEqual(
    [whole.id, whole.questions?.[0]?.name, whole.answers?.length, whole.additionals?.length, whole.flag_tc],
    [1, 'wWw.eXample.com', 1, 1, false],
  );
  const cut = packet.decode(rebuildRaw(query, raw, raw.length + 10));
  assert.deepEqual(
    [cut.id, cut.questions?.[0]?.name, cut.answers?.length, cut.additionals?.length, cut.flag_tc, cut.flag_ra],
    [1, 'wWw.eXample.com', 0, 1, true, true],
  );
});
