/** First packets as bytes, and what answers them. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ipToBytes } from '../../ip/ip.ts';
import { answerOf, crc32c, firstSegment, type RawProtocol, type SegmentEnds, sctpCookie, sctpInitAck, segmentOf } from './segment.ts';

const v4: SegmentEnds = { from: '10.244.1.9', sourcePort: 41_000, to: '10.96.0.10', port: 80 };
const v6: SegmentEnds = { from: 'fd00::9', sourcePort: 41_000, to: 'fd00:10:96::10', port: 443 };

/** RFC 1071: the sum over everything, with its checksum, is all ones. */
function sumOf(protocol: number, { from, to }: SegmentEnds, segment: Buffer): number {
  const words = Buffer.concat([ipToBytes(from), ipToBytes(to), Buffer.from([0, protocol, 0, segment.length]), segment]);
  let sum = 0;
  for (let at = 0; at < words.length; at += 2) sum += words.readUInt16BE(at);
  return (sum & 0xffff) + (sum >>> 16);
}

describe('firstSegment()', () => {
  for (const ends of [v4, v6]) {
    test(`makes a SYN to ${ends.to} whose checksum is right`, () => {
      const segment = firstSegment('tcp', ends, 0x01020304);
      assert.equal(segment.toString('hex', 0, 16), `a028${ends.port.toString(16).padStart(4, '0')}01020304000000006002faf0`);
      assert.equal(segment.toString('hex', 18), '0000020405b4');
      assert.equal(sumOf(6, ends, segment), 0xffff);
    });

    test(`makes an empty datagram to ${ends.to} whose checksum is right`, () => {
      const segment = firstSegment('udp', ends, 1);
      assert.equal(segment.toString('hex', 0, 6), `a028${ends.port.toString(16).padStart(4, '0')}0008`);
      assert.equal(sumOf(17, ends, segment), 0xffff);
    });
  }

  test('never sends a datagram without a checksum', () => {
    // The port that makes the sum 0.
    const bare = firstSegment('udp', { ...v4, sourcePort: 0 }, 1).readUInt16BE(6);
    assert.equal(firstSegment('udp', { ...v4, sourcePort: bare }, 1).readUInt16BE(6), 0xffff);
  });

  test('makes an INIT that offers one stream', () => {
    const segment = firstSegment('sctp', v4, 0x01020304);
    const sum = segment.readUInt32LE(8);
    assert.equal(segment.toString('hex', 0, 8), 'a028005000000000');
    assert.equal(segment.toString('hex', 12), '01000014010203040001000000010001' + '00000001');
    segment.writeUInt32LE(0, 8);
    assert.equal(sum, crc32c(segment));
  });
});

test('crc32c() gives the check value of its catalogue', () => assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283));

describe('sctpInitAck()', () => {
  test('answers an INIT under the tag that this asked for, with a cookie', () => {
    for (const cookie of ['10.244.1.2:8080 10.244.1.9', 'x']) {
      const answer = sctpInitAck(firstSegment('sctp', v4, 0x01020304), cookie) ?? assert.fail();
      assert.equal(answer.toString('hex', 0, 8), '0050a02801020304');
      assert.equal(answer.length % 4, 0);
      assert.equal(answer.readUInt16BE(14), 4 + 16 + 4 + cookie.length);
      assert.equal(sctpCookie(answer), cookie);
      assert.equal(answerOf('sctp', v4, answer), 'answered');
      if (cookie === 'x') assert.equal(answer.toString('hex', 12), '0200001900000001000100000001000100000001' + '0007000578000000');
    }
  });

  test('answers nothing else', () => {
    const init = firstSegment('sctp', v4, 1);
    assert.equal(sctpInitAck(init.subarray(0, 31), ''), undefined);
    init[12] = 3;
    assert.equal(sctpInitAck(init, ''), undefined);
  });
});

describe('answerOf()', () => {
  const ports = [0, 80, 0xa0, 0x28];
  const tcp = (flags: number): Buffer => Buffer.from([...ports, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, flags]);
  const sctp = (chunk: number): Buffer => Buffer.from([...ports, 0, 0, 0, 0, 0, 0, 0, 0, chunk]);
  const cases: readonly [name: string, protocol: RawProtocol, segment: Buffer, answer: string | undefined][] = [
    ['SYN and ACK', 'tcp', tcp(0x12), 'answered'],
    ['a SYN alone', 'tcp', tcp(0x02), undefined],
    ['an ACK alone', 'tcp', tcp(0x10), undefined],
    ['a reset', 'tcp', tcp(0x14), 'refused'],
    ['a datagram', 'udp', Buffer.from([...ports, 0, 8, 0, 0]), 'answered'],
    ['what is cut off', 'udp', Buffer.from(ports), undefined],
    ['what comes from another port', 'udp', Buffer.from([0, 81, 0xa0, 0x28, 0, 8, 0, 0]), undefined],
    ['what goes to another port', 'udp', Buffer.from([0, 80, 0xa0, 0x29, 0, 8, 0, 0]), undefined],
    ['INIT ACK', 'sctp', sctp(2), 'answered'],
    ['ABORT', 'sctp', sctp(6), 'refused'],
    ['INIT', 'sctp', sctp(1), undefined],
  ];
  for (const [name, protocol, segment, answer] of cases)
    test(`takes ${name} of ${protocol} for ${answer ?? 'no answer'}`, () => assert.equal(answerOf(protocol, v4, segment), answer));
});

test('segmentOf() cuts off the header of IPv4, whatever its length', () => {
  const bytes = Buffer.concat([Buffer.from([0x46]), Buffer.alloc(23), Buffer.from('rest')]);
  assert.equal(segmentOf(bytes).toString(), 'rest');
});
