import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeName, isName, isWithin, lowerCase, RCODE, readName, TYPE } from './names.ts';

const label = 'x'.repeat(63);
/** 253 characters, 255 bytes. */
const longest = [label, label, label, 'x'.repeat(61)].join('.');

for (const [text, wanted] of [
  ['', true],
  ['a', true],
  ['_http._tcp.web.default.svc.cluster.local', true],
  ['a!~', true],
  [label, true],
  [`${label}x`, false],
  [longest, true],
  [`${longest}x`, false],
  ['a..b', false],
  ['.a', false],
  ['a.', false],
  ['a b', false],
  ['bücher.example', false],
] as const) {
  test(`isName() ${wanted ? 'takes' : 'refuses'} "${text.slice(0, 70)}", and encodeName() does what it says`, () => {
    assert.equal(isName(text), wanted);
    if (!wanted) assert.throws(() => encodeName(text), RangeError);
    else assert.deepEqual(readName(encodeName(text), 0), { name: text, isLowerCase: true, end: text === '' ? 1 : text.length + 2 });
  });
}

test('readName() tells capitals, at both ends of the alphabet, and where the name ends', () => {
  const at = (text: string): Buffer => Buffer.concat([Buffer.from([9, 9]), encodeName(text), Buffer.from([9])]);
  assert.deepEqual(readName(at('A.z'), 2), { name: 'a.z', isLowerCase: false, end: 7 });
  assert.deepEqual(readName(at('a.Z'), 2), { name: 'a.z', isLowerCase: false, end: 7 });
  assert.deepEqual(readName(at('a.@[`{'), 2), { name: 'a.@[`{', isLowerCase: true, end: 10 });
});

test('readName() keeps apart names that differ in any byte, and a dot inside a label from one between two', () => {
  const one = readName(Buffer.from([3, 97, 46, 98, 0]), 0);
  assert.deepEqual(one, { name: 'a\0b', isLowerCase: true, end: 5 });
  assert.notEqual(readName(Buffer.from([1, 0xfe, 0]), 0)?.name, readName(Buffer.from([1, 0xff, 0]), 0)?.name);
});

const malformed: readonly (readonly [string, readonly number[]])[] = [
  ['that does not begin', []],
  ['without an end', [1, 97]],
  ['with a label that is cut off', [2, 97]],
  ['with a pointer', [1, 97, 0xc0, 0]],
  ['with a label of an undefined kind', [64, ...Buffer.alloc(65)]],
];
for (const [sentence, bytes] of malformed) {
  test(`readName() gives nothing for a name ${sentence}`, () => assert.equal(readName(Buffer.from(bytes), 0), undefined));
}

test('readName() takes 255 bytes and not one more', () => {
  const bytes = encodeName(longest);
  assert.equal(bytes.length, 255);
  assert.equal(readName(bytes, 0)?.name, longest);
  const longer = Buffer.concat([bytes.subarray(0, 192), Buffer.from([62]), Buffer.alloc(62, 120), Buffer.from([0])]);
  assert.equal(readName(longer, 0), undefined);
});

test('isWithin() takes a zone, what is below it, and nothing that only ends alike', () => {
  assert.equal(isWithin('cluster.local', 'cluster.local'), true);
  assert.equal(isWithin('a.cluster.local', 'cluster.local'), true);
  assert.equal(isWithin('acluster.local', 'cluster.local'), false);
  assert.equal(isWithin('local', 'cluster.local'), false);
});

test('lowerCase() changes letters and nothing else', () => {
  assert.deepEqual([...lowerCase(Buffer.from([63, 64, 65, 90, 91, 97, 0xc1]))], [63, 64, 97, 122, 91, 97, 0xc1]);
});

test('numbers are those of the protocol (IANA, Domain Name System parameters)', () => {
  assert.deepEqual(RCODE, { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5, BADVERS: 16 });
  assert.deepEqual(TYPE, {
    A: 1,
    NS: 2,
    CNAME: 5,
    SOA: 6,
    PTR: 12,
    MX: 15,
    TXT: 16,
    AAAA: 28,
    SRV: 33,
    OPT: 41,
    IXFR: 251,
    AXFR: 252,
    ANY: 255,
  });
});
