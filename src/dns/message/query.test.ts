import assert from 'node:assert/strict';
import { test } from 'node:test';
import packet from 'dns-packet';
import { asSpelt, encodeQuery, type Parsed, parseQuery, type Query } from './query.ts';
import { optRecord } from './records.ts';

/** `www.example.com A`, what stands behind it, and the counts of the sections. */
function messageOf(behind: readonly Uint8Array[], counts: readonly [number, number, number], flags: number = 0): Buffer {
  const question = packet.encode({ type: 'query', id: 7, flags, questions: [{ type: 'A', name: 'www.example.com' }] });
  for (const [i, n] of counts.entries()) question.writeUInt16BE(n, 6 + 2 * i);
  return Buffer.concat([question, ...behind]);
}

function queryOf(parsed: Parsed): Query {
  assert.ok(parsed.kind === 'query');
  return parsed.query;
}

const opt = optRecord(0, true);
const stray = Buffer.from([1, 120, 0, 0, 250, 0, 255, 0, 0, 0, 0, 0, 1, 9]);
/** OPT with an option of `length` bytes, of which `there` are there; `room` is what its record says. */
function optWith(length: number, there: number, room: number): Buffer {
  const head = Buffer.from(opt);
  head.writeUInt16BE(room, 9);
  return Buffer.concat([head, Buffer.from([0, 10, 0, length]), Buffer.alloc(there)]);
}

/** Sentence, what stands behind the question, counts, whether it is read and with DO. */
const table: readonly (readonly [string, readonly Uint8Array[], readonly [number, number, number], 'malformed' | 'no OPT' | 'DO'])[] = [
  ['nothing', [], [0, 0, 0], 'no OPT'],
  ['an OPT record', [opt], [0, 0, 1], 'DO'],
  ['an OPT record and bytes that nobody counts', [opt, Buffer.alloc(9)], [0, 0, 1], 'DO'],
  ['an OPT record that is not counted', [opt], [0, 0, 0], 'no OPT'],
  ['an OPT record that is cut off', [opt.subarray(0, 10)], [0, 0, 1], 'malformed'],
  ['an option that is whole', [optWith(8, 8, 12)], [0, 0, 1], 'DO'],
  ['an option longer than its record', [optWith(9, 9, 12)], [0, 0, 1], 'malformed'],
  ['an option shorter than its record', [optWith(8, 9, 13)], [0, 0, 1], 'malformed'],
  ['an option that the message cuts off', [optWith(8, 7, 12)], [0, 0, 1], 'malformed'],
  ['another additional record', [stray], [0, 0, 1], 'no OPT'],
  ['an OPT record behind another one', [stray, opt], [0, 0, 2], 'DO'],
  ['an OPT record in front of another one', [opt, stray], [0, 0, 2], 'DO'],
  ['two OPT records (RFC 6891 §6.1.1)', [opt, opt], [0, 0, 2], 'malformed'],
  ['three additional records', [stray, stray, opt], [0, 0, 3], 'malformed'],
  ['an answer, which is passed over', [stray, opt], [1, 0, 1], 'DO'],
  ['two answers', [stray, stray], [2, 0, 0], 'malformed'],
  ['an authority, which is passed over', [stray, opt], [0, 1, 1], 'DO'],
  ['two authorities', [stray, stray], [0, 2, 0], 'malformed'],
  ['a record that is promised and not there', [], [0, 0, 1], 'malformed'],
  ['an answer that is promised and not there', [], [1, 0, 0], 'malformed'],
];

for (const [sentence, behind, counts, wanted] of table) {
  test(`parseQuery() reads a question with ${sentence} behind it: ${wanted}`, () => {
    const parsed = parseQuery(messageOf(behind, counts));
    if (wanted === 'malformed') assert.deepEqual(parsed, { kind: 'malformed', id: 7 });
    else assert.deepEqual(queryOf(parsed).edns, wanted === 'DO' ? { size: 1232, version: 0, wantsDnssec: true } : undefined);
  });
}

test('parseQuery() looks at nothing behind the question of an operation that is not served', () => {
  const { opcode, edns } = queryOf(parseQuery(messageOf([], [0, 9, 0], 5 << 11)));
  assert.deepEqual([opcode, edns], [5, undefined]);
});

test('parseQuery() gives each field of the header, of the question and of OPT', () => {
  const bytes = packet.encode({
    type: 'query',
    id: 4711,
    flags: packet.RECURSION_DESIRED | packet.CHECKING_DISABLED,
    questions: [{ type: 'AAAA', name: 'wWw.example.com', class: 'CH' }],
  });
  assert.deepEqual(queryOf(parseQuery(bytes)), {
    bytes,
    id: 4711,
    opcode: 0,
    recursionDesired: true,
    checkingDisabled: true,
    name: 'www.example.com',
    isLowerCase: false,
    type: 28,
    class: 3,
    questionEnd: bytes.length,
    edns: undefined,
  });
  const small = Buffer.from(opt);
  small.writeUInt16BE(511, 3);
  small[6] = 3;
  small.writeUInt16BE(0, 7);
  const plain = queryOf(parseQuery(messageOf([small], [0, 0, 1])));
  assert.deepEqual([plain.recursionDesired, plain.checkingDisabled, plain.isLowerCase], [false, false, true]);
  assert.deepEqual(plain.edns, { size: 512, version: 3, wantsDnssec: false });
});

test('parseQuery() says nothing to a reply or to less than a header, and FORMERR to what is no single question', () => {
  const good = messageOf([], [0, 0, 0]);
  assert.deepEqual(parseQuery(good.subarray(0, 11)), { kind: 'silent' });
  assert.deepEqual(parseQuery(messageOf([], [0, 0, 0], 0).fill(0x80, 2, 3)), { kind: 'silent' });
  assert.deepEqual(parseQuery(good.subarray(0, 12)), { kind: 'malformed', id: 7 });
  assert.deepEqual(parseQuery(good.subarray(0, -1)), { kind: 'malformed', id: 7 });
  for (const count of [0, 2]) {
    const bytes = Buffer.from(good);
    bytes.writeUInt16BE(count, 4);
    assert.deepEqual(parseQuery(bytes), { kind: 'malformed', id: 7 });
  }
});

test('asSpelt() gives the end of the name as it was asked for', () => {
  const query = queryOf(parseQuery(encodeQuery('wEb.Default.sVc.cluSter.LOCAL', 'A')));
  assert.equal(asSpelt(query, 'cluster.local'), 'cluSter.LOCAL');
  assert.equal(asSpelt(query, 'web.default.svc.cluster.local'), 'wEb.Default.sVc.cluSter.LOCAL');
  assert.equal(asSpelt(queryOf(parseQuery(encodeQuery('web.cluster.local', 'A'))), 'cluster.local'), 'cluster.local');
});

test('encodeQuery() asks one question, recursively', () => {
  const { id, flags, questions, additionals } = packet.decode(encodeQuery('', 'NS'));
  assert.deepEqual([id, flags, questions, additionals], [0, packet.RECURSION_DESIRED, [{ name: '.', type: 'NS', class: 'IN' }], []]);
});
