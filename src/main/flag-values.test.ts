import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { cidrFlag, ipFlag, numberFlag, portFlag } from './flag-values.ts';

suite('flags', () => {
  const refused: [string, () => unknown, RegExp][] = [
    ['a port that is a word', () => portFlag('secure-port', 'abc'), /--secure-port="abc": it is no port/],
    ['port 0', () => portFlag('secure-port', '0'), /it is no port/],
    ['an empty port', () => portFlag('secure-port', ''), /it is no port/],
    ['a range without a length', () => cidrFlag('cluster-cidr', '10.0.0.0'), /--cluster-cidr="10.0.0.0": it is no range/],
    ['an address that is a name', () => ipFlag('node-ip', 'banana'), /--node-ip="banana": it is no address/],
    ['a number out of bounds', () => numberFlag('node-cidr-mask-size', '33', 8, 30), /no number from 8 to 30/],
  ];
  for (const [name, read, want] of refused)
    test(`refuse ${name}`, () => {
      assert.throws(read, want);
    });

  test('give what they stand for', () => {
    assert.deepEqual([portFlag('p', '6443'), numberFlag('n', '24', 8, 30), cidrFlag('c', '10.0.0.0/8')], [6443, 24, '10.0.0.0/8']);
    assert.deepEqual([ipFlag('i', undefined), ipFlag('i', ''), ipFlag('i', 'fd00::1')], [undefined, '', 'fd00::1']);
  });
});
