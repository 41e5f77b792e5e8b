/** Sets byte by byte. That the kernel takes them, and that nft prints them as they were declared, is in kernel-nftables.test.ts. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Attr, encodeAttrs, MessageWriter, u32be } from '../netlink/attribute.ts';
import { decodeFields, decodeInterval, encodeFields, encodeInterval, fieldType, typeNumber, typesOfNumber, widthOf } from './field-type.ts';
import { declarationText, elementReader, writeElement, writeSet } from './set.ts';
import type { SetDeclaration } from './table.ts';

function written(write: (out: MessageWriter) => void): Buffer {
  const out = new MessageWriter(64);
  write(out);
  return out.bytes();
}

const plain: SetDeclaration = { name: 's', key: ['ipv4_addr'] };
const verdicts: SetDeclaration = { name: 's', key: ['inet_service'], data: ['verdict'] };
const map: SetDeclaration = { name: 's', key: ['ipv4_addr', 'inet_service'], data: ['ipv4_addr', 'inet_service'] };
const ranges: SetDeclaration = { name: 's', key: ['inet_proto', 'ipv4_addr'], interval: true };
const cidrs: SetDeclaration = { name: 's', key: ['ipv4_addr'], interval: true };
const sticky: SetDeclaration = { name: 's', typeof: true, key: ['ip saddr'], data: ['ip daddr', 'th dport'], dynamic: { size: 10 } };
const six: SetDeclaration = {
  name: 's',
  typeof: true,
  key: ['ip6 daddr', 'meta l4proto', 'th dport', 'numgen random mod 65536'],
  data: ['ip6 saddr', 'th sport'],
};

/** What nft keeps to print a declaration (NFTA_SET_USERDATA): byte order of key and data, then the types or expressions. */
const payloadNote = (header: string, field: string): string => `000407000000010c0004${header}0000000104${field}000000`;
const declarations: readonly [what: string, set: SetDeclaration, hex: string, text: string][] = [
  [
    'a set of addresses',
    plain,
    '0800030000000000' + '0800040000000007' + '0800050000000004' + '08000a0000000007' + '0a000d00' + '000402000000' + '0000',
    '0 7 0',
  ],
  [
    'a map of verdicts',
    verdicts,
    '0800030000000008' +
      '080004000000000d' +
      '0800050000000002' +
      '08000600ffffff00' +
      '0800070000000000' +
      '08000a0000000007' +
      '16000d00' +
      '000402000000' +
      '010400000000' +
      '060400000000' +
      '0000',
    '8 13 4294967040',
  ],
  [
    'a map of concatenations',
    map,
    '0800030000000008' +
      '08000400000001cd' +
      '0800050000000008' +
      '08000600000001cd' +
      '0800070000000008' +
      '08000a0000000007' +
      '2a000d00' +
      '000400000000' +
      '010400000000' +
      '030800040d0000000100' +
      '040800040d0000000100' +
      '060400000000' +
      '0000',
    '8 461 461',
  ],
  [
    'a set of concatenations that end with a range: each field has its width',
    ranges,
    '0800030000000084' +
      '0800040000000307' +
      '0800050000000008' +
      '08000a0000000007' +
      '20000980' +
      '1c000280' +
      '0c000180' +
      '0800010000000001' +
      '0c000180' +
      '0800010000000004' +
      '14000d00' +
      '000400000000' +
      '030800040d0000000100',
    '132 775 0',
  ],
  [
    'a set of ranges',
    cidrs,
    '0800030000000004' + '0800040000000007' + '0800050000000004' + '08000a0000000007' + '0a000d00' + '000402000000' + '0000',
    '4 7 0',
  ],
  [
    'a map that rules fill, declared by expressions',
    sticky,
    [
      ...['0800030000000038', '0800040000000007', '0800050000000004', '08000600000001cd', '0800070000000008', '08000a0000000007'],
      ...['0c000980', '080001000000000a', '62000d00', '000402000000', '010400000000', '0314', payloadNote('0c', '0b')],
      ...['0434', '00040d000000', '012c', '0014', payloadNote('0c', '0c'), '0114', payloadNote('0b', '02'), '060400000000', '0000'],
    ].join(''),
    '56 7 461',
  ],
];

describe('sets', () => {
  for (const [what, set, hex, text] of declarations)
    test(`declare ${what}`, () => {
      const bytes = written((out) => writeSet(out, set, 7));
      assert.equal(bytes.toString('hex'), hex);
      assert.deepEqual([declarationText(set), declarationText(bytes)], [text, text]);
    });

  test('declare every expression of a key by its number in nft', () => {
    const bytes = written((out) => writeSet(out, six, 7)).toString('hex');
    const notes = (kind: string, ...of: string[]): RegExp => new RegExp(`0004${kind}00000001..${of.map((n, i) => `0${i}04${n}`).join('')}`);
    assert.match(bytes, notes('07', '0d000000', '09000000'), 'ip6 daddr');
    assert.match(bytes, notes('07', '0d000000', '08000000'), 'ip6 saddr');
    assert.match(bytes, notes('09', '10000000'), 'meta l4proto');
    assert.match(bytes, notes('07', '0b000000', '02000000'), 'th dport');
    assert.match(bytes, notes('07', '0b000000', '01000000'), 'th sport');
    assert.match(bytes, notes('17', '01000000', '00000100', '00000000'), 'numgen random mod 65536');
    assert.match(bytes, /^0800030000000008080004000020c344080005000000001c080006000000020d0800070000000014/);
  });

  test('refuse fields that are not known', () => {
    assert.throws(() => declarationText({ name: 's', key: ['ether_addr'] }), /Cannot use "ether_addr" as a field of a set: unknown type/);
    assert.throws(
      () => written((out) => writeSet(out, { name: 's', typeof: true, key: ['ipv4_addr'] }, 1)),
      /Cannot use "typeof ipv4_addr": unknown expression/,
    );
  });

  const elements: readonly [what: string, set: SetDeclaration, key: string, data: string, hex: string][] = [
    ['a set', plain, '10.0.0.1', '', '10000180' + '0c000180' + '080001000a000001'],
    [
      'a map of verdicts',
      verdicts,
      '80',
      'goto a',
      '28000180' + '0c000180' + '0600010000500000' + '18000280' + '14000280' + '08000100fffffffc' + '0600020061000000',
    ],
    [
      'a map',
      map,
      '10.0.0.1 . 80',
      '10.0.0.2 . 8080',
      '24000180' + '10000180' + '0c0001000a00000100500000' + '10000280' + '0c0001000a0000021f900000',
    ],
    [
      'a set of ranges',
      ranges,
      'tcp . 127.0.0.0/8',
      '',
      '24000180' + '10000180' + '0c000100060000007f000000' + '10000a80' + '0c000100060000007fffffff',
    ],
  ];
  for (const [what, set, key, data, hex] of elements)
    test(`write an element of ${what}, and read it back`, () => {
      const bytes = written((out) => writeElement(out, set, key, data));
      assert.equal(bytes.toString('hex'), hex);
      const read = elementReader(written((out) => writeSet(out, set, 1)));
      assert.deepEqual(read?.(bytes.subarray(4)), [key, data]);
    });

  test('write only the key of an element that is to go', () => {
    const bytes = written((out) => writeElement(out, map, '10.0.0.1 . 80', undefined));
    assert.equal(bytes.toString('hex'), '14000180' + '10000180' + '0c0001000a00000100500000');
  });

  test('are not read when others declared types that are not known here', () => {
    const declared = (flags: number, key: number, data: number): Buffer => {
      const attrs: Attr[] = [
        [3, u32be(flags)],
        [4, u32be(key)],
        [6, u32be(data)],
      ];
      return encodeAttrs(attrs);
    };
    assert.equal(elementReader(declared(0, 9, 0)), undefined);
    assert.equal(elementReader(declared(8, 7, 9)), undefined);
    assert.notEqual(elementReader(declared(8, 7, 8)), undefined);
    assert.equal(elementReader(declared(0, 7, 0))?.(Buffer.alloc(0)), undefined);
  });
});

describe('fields', () => {
  const types: readonly [fields: string[], number: number, width: number][] = [
    [['ipv4_addr'], 7, 4],
    [['inet_proto'], 12, 1],
    [['inet_service'], 13, 2],
    [['inet_proto', 'inet_service'], 12 * 64 + 13, 8],
    [['ipv6_addr', 'integer'], 8 * 64 + 4, 20],
  ];
  for (const [fields, number, width] of types)
    test(`${fields.join(' . ')} is type ${number}, ${width} bytes wide`, () => {
      const known = fields.map(fieldType);
      assert.deepEqual([typeNumber(known), widthOf(known)], [number, width]);
      assert.deepEqual(typesOfNumber(number), known);
    });

  test('of a number that is not known there are none', () => assert.equal(typesOfNumber(9 * 64 + 7), undefined));

  const values: readonly [field: string, text: string, hex: string][] = [
    ['ipv4_addr', '255.0.1.2', 'ff000102'],
    ['ipv6_addr', 'fd00::1:2', 'fd000000000000000000000000010002'],
    ['inet_proto', 'tcp', '06'],
    ['inet_proto', 'udp', '11'],
    ['inet_proto', 'sctp', '84'],
    ['inet_proto', '1', '01'],
    ['inet_service', '0', '0000'],
    ['inet_service', '258', '0102'],
    ['inet_service', '65535', 'ffff'],
    ['integer', '67305985', '01020304'],
    ['integer', '4294967295', 'ffffffff'],
  ];
  for (const [field, text, hex] of values)
    test(`${field} ${text} is ${hex}, both ways`, () => {
      const type = [fieldType(field)];
      assert.equal(Buffer.from(encodeFields(type, text)).toString('hex'), hex);
      assert.equal(decodeFields(type, Buffer.from(hex, 'hex')), text);
    });

  for (const text of ['x', '-1', '1.5'])
    test(`a port is no "${text}"`, () =>
      assert.throws(() => encodeFields([fieldType('inet_service')], text), {
        message: `Cannot use "${text}" as a number in a set element`,
      }));

  const prefixes: readonly [text: string, first: string, last: string][] = [
    ['10.1.2.3', '0a010203', '0a010203'],
    ['10.0.0.0/8', '0a000000', '0affffff'],
    ['10.128.0.0/9', '0a800000', '0affffff'],
    ['192.0.2.128/25', 'c0000280', 'c00002ff'],
    ['192.0.2.2/31', 'c0000202', 'c0000203'],
    ['0.0.0.0/0', '00000000', 'ffffffff'],
  ];
  for (const [text, first, last] of prefixes)
    test(`the range ${text} is from ${first} to ${last}, both ways`, () => {
      const type = [fieldType('ipv4_addr')];
      const [from, to] = encodeInterval(type, text);
      assert.deepEqual([Buffer.from(from).toString('hex'), Buffer.from(to).toString('hex')], [first, last]);
      assert.equal(decodeInterval(type, from, to), text);
    });
});
