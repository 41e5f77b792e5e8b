import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { cidrFlag, durationFlag, ipFlag, listFlag, numberFlag, portFlag, regexFlag } from './flag-values.ts';

describe('flags', () => {
  const hours = [3600, 2 ** 32] as const;
  const refused: [string, () => unknown, RegExp][] = [
    ['a port that is a word', () => portFlag('secure-port', 'abc'), /--secure-port="abc": it is no port/],
    ['port 0', () => portFlag('secure-port', '0'), /it is no port/],
    ['an empty port', () => portFlag('secure-port', ''), /it is no port/],
    ['a range without a length', () => cidrFlag('cluster-cidr', '10.0.0.0'), /--cluster-cidr="10.0.0.0": it is no range/],
    ['an address that is a name', () => ipFlag('node-ip', 'banana'), /--node-ip="banana": it is no address/],
    ['a regular expression that is none', () => regexFlag('iface-regex', 'eth('), /--iface-regex="eth\(": it is no regular/],
    ['a number out of bounds', () => numberFlag('node-cidr-mask-size', '33', 8, 30), /no number from 8 to 30/],
    ['a duration that is none', () => durationFlag('max', '2 days', ...hours), /--max="2 days": it is no duration/],
    ['a duration that is too short', () => durationFlag('max', '59m59s', ...hours), /not between 3600 and 4294967296 seconds/],
    ['a negative duration', () => durationFlag('max', '-2h', ...hours), /not between/],
  ];
  for (const [name, read, want] of refused)
    test(`refuse ${name}`, () => {
      assert.throws(read, want);
    });

  test('give what they stand for', () => {
    assert.deepEqual([portFlag('p', '6443'), numberFlag('n', '24', 8, 30), cidrFlag('c', '10.0.0.0/8')], [6443, 24, '10.0.0.0/8']);
    assert.deepEqual(
      [durationFlag('d', '0', ...hours), durationFlag('d', '0s', ...hours), durationFlag('d', '8760h', ...hours)],
      [0, 0, 31_536_000],
    );
    assert.deepEqual([listFlag(''), listFlag('a,b')], [[], ['a', 'b']]);
    assert.deepEqual([ipFlag('i', undefined), ipFlag('i', ''), ipFlag('i', 'fd00::1')], [undefined, '', 'fd00::1']);
  });
});
