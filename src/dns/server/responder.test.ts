import assert from 'node:assert/strict';
import { test } from 'node:test';
import packet from 'dns-packet';
import { silentLog } from '../../observability/log.ts';
import { RCODE } from '../message/names.ts';
import { addressRecord, optRecord } from '../message/records.ts';
import { emptyReply, type Reply } from '../message/reply.ts';
import type { Answer, Next } from '../plugin/plugin.ts';
import { type ReplyInfo, Responder } from './responder.ts';

const client = { family: 6, address: 'fd00::7', port: 40_000 } as const;
const found: Reply = { ...emptyReply(RCODE.NOERROR), answers: [addressRecord(undefined, 5, '192.0.2.1')] };
/** Takes 100 × 16 bytes. */
const many: Reply = { ...found, answers: Array.from({ length: 100 }, (_, i) => addressRecord(undefined, 5, `192.0.2.${i}`)) };

function question(type: packet.RecordType = 'A', options: { class?: 'CH'; opcode?: number; opt?: Buffer } = {}): Buffer {
  const bytes = packet.encode({
    type: 'query',
    id: 7,
    flags: (options.opcode ?? 0) << 11,
    questions: [{ type, name: 'a.example', ...(options.class ? { class: options.class } : {}) }],
  });
  if (!options.opt) return bytes;
  bytes.writeUInt16BE(1, 10);
  return Buffer.concat([bytes, options.opt]);
}

function optOf(size: number, version: number = 0): Buffer {
  const opt = Buffer.from(optRecord(0, true));
  opt.writeUInt16BE(size, 3);
  opt[6] = version;
  return opt;
}

function codeOf(bytes: Buffer): number {
  const [opt] = packet.decode(bytes).additionals ?? [];
  return (opt?.type === 'OPT' ? opt.extendedRcode << 4 : 0) | ((bytes[3] ?? 0) & 15);
}

/** Sentence, question, code; the plugins are asked for the good one alone. */
const codes: readonly (readonly [string, Buffer, number])[] = [
  ['a question', question(), RCODE.NOERROR],
  ['an UPDATE', question('A', { opcode: 5 }), RCODE.NOTIMP],
  ['another version of EDNS', question('A', { opt: optOf(1232, 1) }), RCODE.BADVERS],
  ['a question of Chaos', question('A', { class: 'CH' }), RCODE.REFUSED],
  ['a whole zone', question('AXFR'), RCODE.REFUSED],
  ['the changes of a zone', question('IXFR'), RCODE.REFUSED],
  ['two questions', Buffer.from(question()).fill(2, 5, 6), RCODE.FORMERR],
];
for (const [sentence, bytes, rcode] of codes) {
  test(`${sentence} gets code ${rcode}, and the plugins are ${rcode === 0 ? '' : 'not '}asked`, async () => {
    let asked = 0;
    const answer = (): Answer => {
      asked++;
      return found;
    };
    const reply = await new Responder({ answer, log: silentLog }).respond(bytes, 'udp', client);
    assert.ok(reply);
    assert.deepEqual([codeOf(reply), asked], [rcode, rcode === 0 ? 1 : 0]);
  });
}

test('a reply is met with silence', () => {
  const bytes = question();
  bytes[2] = 0x80;
  assert.equal(new Responder({ answer: () => found, log: silentLog }).respond(bytes, 'udp', client), undefined);
});

/** Transport, what the client takes, the most that is sent. */
for (const [transport, opt, most] of [
  ['udp', undefined, 512],
  ['udp', optOf(100), 512],
  ['udp', optOf(1000), 1000],
  ['udp', optOf(65_535), 4096],
  ['tcp', undefined, 65_535],
] as const) {
  test(`by ${transport} a client that ${opt ? `takes ${opt.readUInt16BE(3)}` : 'does not say how much it takes'} gets at most ${most} bytes`, async () => {
    const answers = Array.from({ length: most < 65_535 ? 300 : 6_000 }, (_, i) =>
      addressRecord(undefined, 5, `192.0.${i >> 8}.${i & 255}`),
    );
    const bytes = question('A', opt ? { opt } : {});
    const reply = await new Responder({ answer: () => ({ ...many, answers }), log: silentLog }).respond(bytes, transport, client);
    assert.ok(reply);
    // Another record would not have found room.
    assert.ok(reply.length <= most && reply.length + 16 > most, `${reply.length}`);
    assert.equal(packet.decode(reply).flag_tc, true);
  });
}

test("what was answered is observed, a resolver's answer too", async () => {
  const seen: unknown[] = [];
  const observe = (
    { name, type, rcode, wantsDnssec, room, size }: ReplyInfo,
    transport: string,
    who: { family: number },
    seconds: number,
  ): void => {
    seen.push([name, type, rcode, wantsDnssec, room, size, transport, who.family]);
    assert.ok(seconds >= 0 && seconds < 1_000);
  };
  const raw = packet.encode({ type: 'response', id: 1, flags: 3, questions: [{ type: 'A', name: 'a.example' }] });
  const respond = async (answer: Next, bytes: Buffer, transport: 'udp' | 'tcp'): Promise<number | undefined> =>
    (await new Responder({ answer, log: silentLog, observe }).respond(bytes, transport, client))?.length;
  const sizes = [
    await respond(() => found, question(), 'udp'),
    await respond(() => ({ raw, ttlAt: [], seconds: 0 }), question('A', { opt: optOf(9_000) }), 'udp'),
    await respond(async () => found, question('AAAA'), 'tcp'),
    await respond(() => assert.fail('a fault'), question(), 'udp'),
  ];
  assert.deepEqual(seen, [
    ['a.example', 1, 0, false, 512, sizes[0], 'udp', 6],
    ['a.example', 1, 3, true, 9_000, sizes[1], 'udp', 6],
    ['a.example', 28, 0, false, 65_535, sizes[2], 'tcp', 6],
    ['a.example', 1, 2, false, 512, sizes[3], 'udp', 6],
  ]);
});

test('settled() waits for what is under way', async () => {
  const { promise, resolve } = Promise.withResolvers<Answer>();
  const responder = new Responder({ answer: () => promise, log: silentLog });
  await responder.settled();
  void responder.respond(question(), 'udp', client);
  let isSettled = false;
  const settled = responder.settled().then(() => {
    isSettled = true;
  });
  await new Promise((done) => setImmediate(done));
  assert.equal(isSettled, false);
  resolve(found);
  await settled;
});
