import assert from 'node:assert/strict';
import { test } from 'node:test';
import packet from 'dns-packet';
import { encodeQuery } from './query.ts';
import { addressRecord, nameRecord, optRecord, soaRecord, srvRecord, txtRecord } from './records.ts';

/** Each record behind a question for `web.example`, as a client reads it. */
function readBack(record: Uint8Array): object {
  const message = Buffer.concat([encodeQuery('web.example', 'A'), record]);
  message.writeUInt16BE(1, 6);
  const [answer] = packet.decode(message).answers ?? [];
  assert.ok(answer);
  assert.equal(packet.decode.bytes, message.length);
  return answer;
}
const common = { ttl: 5, class: 'IN', flush: false };

const table: readonly (readonly [string, Uint8Array, object])[] = [
  ['an IPv4 address', addressRecord(undefined, 5, '10.96.0.7'), { name: 'web.example', type: 'A', data: '10.96.0.7', ...common }],
  ['an IPv6 address', addressRecord(undefined, 5, 'fd00::7'), { name: 'web.example', type: 'AAAA', data: 'fd00::7', ...common }],
  [
    'an address of another name',
    addressRecord('db.example', 5, '10.96.0.7'),
    { name: 'db.example', type: 'A', data: '10.96.0.7', ...common },
  ],
  ['an alias', nameRecord(undefined, 'CNAME', 5, 'db.example'), { name: 'web.example', type: 'CNAME', data: 'db.example', ...common }],
  [
    'a port',
    srvRecord(5, { weight: 50, port: 80, target: 'db.example' }),
    { name: 'web.example', type: 'SRV', data: { priority: 0, weight: 50, port: 80, target: 'db.example' }, ...common },
  ],
  ['a text', txtRecord(5, '1.1.0'), { name: 'web.example', type: 'TXT', data: [Buffer.from('1.1.0')], ...common }],
  [
    'the start of a zone, whose minimum is the ttl',
    soaRecord('zone.example', 'example', 5, 4_000_000_000),
    {
      name: 'zone.example',
      type: 'SOA',
      data: {
        mname: 'ns.dns.example',
        rname: 'hostmaster.example',
        serial: 4_000_000_000,
        refresh: 7200,
        retry: 1800,
        expire: 86_400,
        minimum: 5,
      },
      ...common,
    },
  ],
];
for (const [sentence, record, wanted] of table) {
  test(`a client reads ${sentence} from its record`, () => assert.deepEqual(readBack(record), wanted));
}

test('a name that is the question takes two bytes', () => {
  assert.deepEqual([...addressRecord(undefined, 5, '10.96.0.7')], [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 10, 96, 0, 7]);
});

test('OPT says what we take by UDP, the upper bits of a code, and DO', () => {
  assert.deepEqual([...optRecord(0, false)], [0, 0, 41, 1232 >> 8, 1232 & 255, 0, 0, 0, 0, 0, 0]);
  assert.deepEqual([...optRecord(1, true)], [0, 0, 41, 1232 >> 8, 1232 & 255, 1, 0, 0x80, 0, 0, 0]);
});
