import assert from 'node:assert/strict';
import { test } from 'node:test';
import packet from 'dns-packet';
import { TYPE } from './names.ts';
import { parseQuery, type Query } from './query.ts';
import { addressRecord, nameRecord } from './records.ts';
import { buildReply, type Reply } from './reply.ts';

function queryOf(name: string): Query {
  const parsed = parseQuery(packet.encode({ type: 'query', id: 1, questions: [{ type: 'A', name }] }));
  assert.ok(parsed.kind === 'query');
  return parsed.query;
}

const records = (n: number): Uint8Array[] => Array.from({ length: n }, (_, i) => addressRecord(undefined, 5, `192.0.2.${i}`));
const small = addressRecord(undefined, 5, '192.0.2.200');
const ns = nameRecord('example.com', TYPE.NS, 5, 'ns.example.com');

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
