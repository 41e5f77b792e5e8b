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
