import assert from 'node:assert/strict';
import { test } from 'node:test';
import packet from 'dns-packet';
import { readResolverReply } from './resolver-reply.ts';

const question = { type: 'A' as const, name: 'www.example.com' };
const end = 12 + 17 + 4;
const opt = {
  type: 'OPT',
  name: '.',
  udpPayloadSize: 1232,
  flags: 0,
  options: [],
  extendedRcode: 0,
  ednsVersion: 0,
  flag_do: false,
} as unknown as packet.Answer;
const soa = (ttl: number, minimum: number): packet.Answer => ({
  type: 'SOA',
  name: 'example.com',
  ttl,
  data: { mname: 'ns.example.com', rname: 'x.example.com', serial: 1, refresh: 1, retry: 1, expire: 1, minimum },
});
const a = (ttl: number): packet.Answer => ({ type: 'A', name: 'www.example.com', ttl, data: '192.0.2.1' });

const table: readonly (readonly [string, packet.Packet, number])[] = [
  ['the smallest ttl of the answer', { answers: [a(60), a(20)] }, 20],
  ['the ttl of a negative answer', { authorities: [soa(15, 900)] }, 15],
  ['the minimum of a negative answer', { authorities: [soa(900, 15)] }, 15],
  ['nothing for a negative answer without SOA', {}, 0],
  ['nothing for half an answer', { flags: packet.TRUNCATED_RESPONSE, answers: [a(60)] }, 0],
  ['a little for a failure', { flags: 2 }, 5],
  ['no heed to the glue', { answers: [a(60)], additionals: [a(1)] }, 60],
];
for (const [sentence, message, seconds] of table) {
  test(`an answer may be kept for ${sentence}`, () => {
    const bytes = packet.encode({ type: 'response', id: 1, questions: [question], ...message });
    assert.equal(readResolverReply(bytes, end)?.seconds, seconds);
  });
}

const hexRoot = Buffer.from([0]);
/** A record of the root: type, ttl, data. */
function recordOf(type: number, ttl: number, data: Uint8Array): Buffer {
  const head = Buffer.alloc(10);
  head.writeUInt16BE(type, 0);
  head.writeUInt16BE(1, 2);
  head.writeUInt32BE(ttl, 4);
  head.writeUInt16BE(data.length, 8);
  return Buffer.concat([hexRoot, head, data]);
}
const optOf = (highRcode: number): Buffer => recordOf(41, highRcode * 2 ** 24, Buffer.alloc(0));
const address = recordOf(1, 60, Buffer.from([192, 0, 2, 1]));

/** A reply with these records, and the counts of its sections. */
function messageOf(records: readonly Uint8Array[], counts: readonly [number, number, number]): Buffer {
  const bytes = packet.encode({ type: 'response', id: 1, questions: [question] });
  for (const [i, n] of counts.entries()) bytes.writeUInt16BE(n, 6 + 2 * i);
  return Buffer.concat([bytes, ...records]);
}

const badCounts = messageOf([], [0, 0, 0]);
badCounts.writeUInt16BE(2, 4);
const pointer = (to: number): Buffer => Buffer.concat([Buffer.from([0xc0, to]), address.subarray(1)]);

/** Sentence, message, whether it is well-formed. */
const forms: readonly (readonly [string, Buffer, boolean])[] = [
  ['without records', messageOf([], [0, 0, 0]), true],
  ['with a record in each section', messageOf([address, address, address], [1, 1, 1]), true],
  ['with bytes that nobody counts', messageOf([address, Buffer.alloc(9)], [1, 0, 0]), true],
  ['with less than it promises', messageOf([address], [2, 0, 0]), false],
  ['with a record whose data is cut off', messageOf([address.subarray(0, -1)], [1, 0, 0]), false],
  ['with a record that is cut off before its data', messageOf([address.subarray(0, 10)], [1, 0, 0]), false],
  ['with two questions', badCounts, false],
  ['that is shorter than its question', messageOf([], [0, 0, 0]).subarray(0, -1), false],
  ['with a pointer to its question', messageOf([pointer(12)], [1, 0, 0]), true],
  ['with a pointer into the header', messageOf([pointer(11)], [1, 0, 0]), false],
  ['with a label of an undefined kind', messageOf([Buffer.concat([Buffer.from([64]), address])], [1, 0, 0]), false],
  ['with a code beyond the four bits', messageOf([optOf(1)], [0, 0, 1]), false],
  ['with OPT among the answers', messageOf([optOf(0)], [1, 0, 0]), false],
  ['with OPT among the additional records', messageOf([optOf(0)], [0, 0, 1]), true],
];
for (const [sentence, bytes, isGood] of forms) {
  test(`a reply ${sentence} is ${isGood ? 'taken' : 'refused'}`, () => assert.equal(readResolverReply(bytes, end) !== undefined, isGood));
}

test('what stands behind an OPT goes with it', () => {
  const reply = readResolverReply(messageOf([address, address, optOf(0), address], [1, 0, 3]), end);
  assert.ok(reply);
  const { answers, additionals } = packet.decode(Buffer.from(reply.raw));
  assert.deepEqual([answers?.length, additionals?.length, reply.ttlAt.length, reply.raw.length], [1, 1, 2, end + 2 * address.length]);
});

test('the minimum of an SOA counts from its 22nd byte on, and only in a negative answer', () => {
  const soaOf = (length: number, minimum: number): Buffer => {
    const data = Buffer.alloc(length);
    data.writeUInt32BE(minimum, length - 4);
    return recordOf(6, 900, data);
  };
  assert.equal(readResolverReply(messageOf([soaOf(22, 15)], [0, 1, 0]), end)?.seconds, 15);
  assert.equal(readResolverReply(messageOf([soaOf(21, 15)], [0, 1, 0]), end)?.seconds, 900);
  assert.equal(readResolverReply(messageOf([address, soaOf(22, 15)], [1, 1, 0]), end)?.seconds, 60);
});

for (const [rcode, seconds] of [
  [0, 60],
  [2, 5],
  [3, 60],
  [5, 5],
] as const) {
  test(`a reply with code ${rcode} and a record of 60 s is kept for ${seconds} s`, () => {
    const bytes = messageOf([address], [1, 0, 0]);
    bytes[3] = rcode;
    assert.equal(readResolverReply(bytes, end)?.seconds, seconds);
  });
}

test('OPT is taken off, the ttls are where they are said to be, and nobody claims authority', () => {
  const flags = packet.AUTHORITATIVE_ANSWER;
  const bytes = packet.encode({ type: 'response', id: 1, flags, questions: [question], answers: [a(60)], additionals: [a(7), opt] });
  const reply = readResolverReply(bytes, end);
  assert.ok(reply);
  const message = packet.decode(Buffer.from(reply.raw));
  assert.equal(message.additionals?.length, 1);
  assert.equal(message.flag_aa, false);
  assert.equal(message.flag_ra, true);
  assert.deepEqual(
    reply.ttlAt.map((at) => Buffer.from(reply.raw).readUInt32BE(at)),
    [60, 7],
  );
});

test('whatever comes from elsewhere, it is read within its bounds or not at all', () => {
  const seed = Number(process.env.FAIRLEAD_SEED ?? Date.now() % 1e9);
  let state = seed;
  const random = (n: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  const good = packet.encode({
    type: 'response',
    id: 1,
    questions: [question],
    answers: [a(60), a(20)],
    authorities: [soa(1, 1)],
    additionals: [opt],
  });
  for (let i = 0; i < 5000; i++) {
    const bytes = Buffer.from(good.subarray(0, random(good.length + 1)));
    for (let flips = random(6); flips > 0 && bytes.length > 0; flips--) bytes[random(bytes.length)] = random(256);
    assert.doesNotThrow(() => {
      const reply = readResolverReply(bytes, end);
      for (const at of reply?.ttlAt ?? []) Buffer.from(reply?.raw ?? []).readUInt32BE(at);
    }, `seed ${seed}`);
  }
});
