import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  addFlags,
  decodeAttrs,
  encodeAttrs,
  firstAttr,
  formatMac,
  MessageWriter,
  mac,
  readText,
  readU32be,
  text,
  u8,
  u16be,
  u32,
  u32be,
} from './attribute.ts';
import { decodeMessages, encodeMessage, NLMSG_DONE, NLMSG_ERROR, readRefusal } from './message.ts';

describe('attributes', () => {
  test('are padded to four bytes, and nest', () => {
    const bytes = encodeAttrs([
      [1, text('ab')],
      [2, [[3, u16be(0x3412)]]],
    ]);
    assert.equal(bytes.toString('hex'), '0700010061620000' + '0c000280' + '0600030034120000');
    assert.equal(
      decodeAttrs(decodeAttrs(bytes).get(2) ?? Buffer.alloc(0))
        .get(3)
        ?.readUInt16LE(),
      0x1234,
    );
  });

  test('are written into a buffer that grows, and read back', () => {
    const out = new MessageWriter(8);
    out.text(1, 'kube-proxy');
    const at = out.begin(4);
    out.u32be(2, 0xfffffffe);
    out.raw(3, Uint8Array.of(1, 2, 3, 4, 5));
    out.end(at);
    assert.equal(out.length % 4, 0);
    const read = decodeAttrs(out.bytes());
    assert.equal(readText(read.get(1)), 'kube-proxy');
    const inner = decodeAttrs(read.get(4));
    assert.equal(readU32be(inner.get(2)), 0xfffffffe);
    assert.deepEqual([...(inner.get(3) ?? [])], [1, 2, 3, 4, 5]);
  });

  test('end where a length makes no sense', () => {
    assert.equal(decodeAttrs(Buffer.from('02000100', 'hex')).size, 0);
    assert.equal(decodeAttrs(Buffer.from('0800', 'hex')).size, 0);
  });

  test('are found by type, the first or the last of it', () => {
    const bytes = encodeAttrs([
      [1, new Uint8Array(0)],
      [2, u8(7)],
      [1, u8(8)],
    ]);
    assert.deepEqual([decodeAttrs(bytes).get(1)?.[0], decodeAttrs(bytes).get(2)?.[0], decodeAttrs(bytes).size], [8, 7, 2]);
    assert.deepEqual([firstAttr(bytes, 1)?.length, firstAttr(bytes, 2)?.[0], firstAttr(bytes, 3)], [0, 7, undefined]);
    assert.deepEqual(
      [firstAttr(undefined, 1), decodeAttrs(undefined).size, readText(undefined), readU32be(undefined)],
      [undefined, 0, '', 0],
    );
    assert.equal(decodeAttrs(bytes, 4).has(1), true);
    assert.equal(readText(Buffer.from('\0x')), '');
    assert.equal(readText(Buffer.from('whole')), 'whole');
  });

  test('are at most 65535 bytes long, as their length has 16 bits', () => {
    const out = new MessageWriter(8);
    const nest = (length: number): void => {
      const at = out.begin(1);
      out.raw(2, new Uint8Array(length));
      out.end(at);
    };
    nest(65_524);
    assert.throws(() => nest(65_528), /Cannot write a netlink attribute of 65536 bytes/);
  });

  test('hold numbers in both byte orders, beyond 31 bits, and MACs', () => {
    assert.deepEqual([...u32(0x01020304)], [4, 3, 2, 1]);
    assert.deepEqual([...u32be(0x01020304)], [1, 2, 3, 4]);
    assert.deepEqual([...u16be(0x0102)], [1, 2]);
    assert.equal(Buffer.from(u32(0xfffffffe)).readUInt32LE(), 0xfffffffe);
    assert.equal(formatMac(mac('0a:58:0a:f4:01:02')), '0a:58:0a:f4:01:02');
  });
});

describe('messages', () => {
  test('are laid out as the kernel reads them, whatever was in the memory before', () => {
    Buffer.alloc(64, 0xff);
    const bytes = encodeMessage({ type: 0x0102, flags: 0x400, body: Uint8Array.of(9, 8, 7), attrs: [[5, u8(1)]] }, 0x11223344, 5);
    assert.equal(bytes.toString('hex'), '1c000000' + '0201' + '0504' + '44332211' + '00000000' + '09080700' + '0500050001000000');
    addFlags(bytes, 0, 0x800);
    assert.deepEqual(
      decodeMessages(bytes).map(({ data: _, ...m }) => m),
      [{ type: 0x0102, flags: 0xc05, seq: 0x11223344, port: 0 }],
    );
  });

  test('follow each other in one writer, padded with zeros', () => {
    const out = new MessageWriter(8);
    for (const seq of [1, 2]) {
      const at = out.beginMessage(7, 1, seq, new Uint8Array(0));
      out.text(1, 'abcd');
      out.u32be(2, 0x01020304);
      out.raw(3, u8(9));
      out.endMessage(at);
    }
    const attrs = '0900010061626364' + '00000000' + '0800020001020304' + '0500030009000000';
    const header = (seq: number): string => `2c000000070001000${seq}00000000000000`;
    assert.equal(out.bytes().toString('hex'), header(1) + attrs + header(2) + attrs);
  });

  test('end where a length makes no sense', () => {
    const one = encodeMessage({ type: 16, body: new Uint8Array(0) }, 1, 5);
    assert.equal(decodeMessages(one).length, 1);
    for (const length of [15, 17]) {
      one.writeUInt32LE(length, 0);
      assert.equal(decodeMessages(one).length, 0, `${length}`);
    }
  });

  test('come several in one buffer', () => {
    const one = encodeMessage({ type: 16, body: new Uint8Array(5) }, 1, 5);
    const both = decodeMessages(Buffer.concat([one, encodeMessage({ type: 17, body: new Uint8Array(4) }, 2, 5)]));
    assert.deepEqual(
      both.map((m) => [m.type, m.seq, m.flags, m.data.length]),
      [
        [16, 1, 5, 8],
        [17, 2, 5, 4],
      ],
    );
  });
});

describe('readRefusal()', () => {
  const capped = 0x100;
  const words = 0x200;
  const header = '14000000' + '10000500' + '07000000' + '00000000';
  const said = '0700010061620000';
  const cases: readonly [what: string, type: number, flags: number, hex: string, errno: number, said: string | undefined][] = [
    ['an agreement', NLMSG_ERROR, 0, `00000000${header}`, 0, undefined],
    ['a refusal that repeats the whole request', NLMSG_ERROR, words, `efffffff${header}01020304${said}`, 17, 'ab'],
    ['a refusal that repeats its header', NLMSG_ERROR, words | capped, `eaffffff${header}${said}`, 22, 'ab'],
    ['a refusal without words', NLMSG_ERROR, capped, `fdffffff${header}${said}`, 3, undefined],
    ['the end of a list', NLMSG_DONE, 0, '00000000', 0, undefined],
    ['a list that broke off', NLMSG_DONE, words, `fcffffff${said}`, 4, 'ab'],
    ['an end that says only why', NLMSG_DONE, 0, 'fcffffff', 4, undefined],
    ['an end that says nothing', NLMSG_DONE, 0, '', 0, undefined],
  ];
  for (const [what, type, flags, hex, errno, words] of cases)
    test(`reads ${what}`, () => {
      const read = readRefusal({ type, flags, seq: 7, port: 0, data: Buffer.from(hex, 'hex') });
      assert.deepEqual([read.errno, read.said], [errno, words]);
    });
});
