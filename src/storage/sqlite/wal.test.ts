import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { noLog } from './mark.ts';
import { followsLog, noWal, readWal, readWalIndex, walIndexHead } from './wal.ts';

const page = 512;
const salts = '1122334455667788';

/** SQLite's checksum of the file format's description, https://www.sqlite.org/fileformat2.html#checksum_algorithm */
function summed(bytes: Buffer, isBig: boolean, [s0, s1]: readonly [number, number]): [number, number] {
  let [a, b] = [s0, s1];
  for (let at = 0; at < bytes.length; at += 8) {
    const word = (from: number): number => (isBig ? bytes.readUInt32BE(from) : bytes.readUInt32LE(from));
    a = (a + word(at) + b) >>> 0;
    b = (b + word(at + 4) + a) >>> 0;
  }
  return [a, b];
}

/** A log with a frame for each number: the pages of the database after the commit, 0 for a frame that ends none. */
function logOf(commits: readonly number[], isBig = false): Buffer {
  const head = Buffer.alloc(32);
  for (const [i, word] of [isBig ? 0x377f_0683 : 0x377f_0682, 3_007_000, page, 0].entries()) head.writeUInt32BE(word, 4 * i);
  head.write(salts, 16, 'hex');
  let sum = summed(head.subarray(0, 24), isBig, [0, 0]);
  head.writeUInt32BE(sum[0], 24);
  head.writeUInt32BE(sum[1], 28);
  const frames = commits.map((size, i) => {
    const frame = Buffer.alloc(24 + page, i + 1);
    frame.writeUInt32BE(i + 1, 0);
    frame.writeUInt32BE(size, 4);
    frame.write(salts, 8, 'hex');
    sum = summed(frame.subarray(24), isBig, summed(frame.subarray(0, 8), isBig, sum));
    frame.writeUInt32BE(sum[0], 16);
    frame.writeUInt32BE(sum[1], 20);
    return frame;
  });
  return Buffer.concat([head, ...frames]);
}

/** The checksum in the head of a frame, hexadecimal. */
function checksumOf(log: Buffer, frame: number): string {
  const at = 32 + frame * (24 + page) + 16;
  return log.toString('hex', at, at + 8);
}

describe('readWal()', () => {
  for (const isBig of [false, true])
    test(`gives salts and checksums of a log with ${isBig ? 'big' : 'little'}-endian sums`, () => {
      const log = logOf([2, 0, 3], isBig);
      assert.deepEqual(readWal(log), { salts, checksums: [0, 1, 2].map((frame) => checksumOf(log, frame)) });
    });

  test('leaves out frames after the last commit', () => {
    const log = logOf([2, 3, 0, 0]);
    assert.deepEqual(readWal(log).checksums, [checksumOf(log, 0), checksumOf(log, 1)]);
    assert.deepEqual(readWal(logOf([0, 0])).checksums, []);
  });

  test('ends before the frame in which any byte is wrong', () => {
    const log = logOf([2, 3, 4]);
    const second = 32 + 24 + page;
    for (const at of [0, 4, 8, 12, 16, 20, 24, 24 + page - 1]) {
      const torn = Buffer.from(log);
      torn.writeUInt8(torn.readUInt8(second + at) ^ 1, second + at);
      assert.deepEqual(readWal(torn).checksums, [checksumOf(log, 0)], `byte ${at}`);
    }
  });

  test('ends before a frame that is cut short', () => {
    const log = logOf([2, 3]);
    assert.equal(readWal(log).checksums.length, 2);
    assert.equal(readWal(log.subarray(0, log.length - 1)).checksums.length, 1);
    assert.deepEqual(readWal(log.subarray(0, 32)), { salts, checksums: [] });
  });

  test('knows nothing of a log whose head is damaged, cut or of another file', () => {
    for (const at of [0, 3, 4, 11, 16, 20, 24, 31]) {
      const torn = logOf([2]);
      torn.writeUInt8(torn.readUInt8(at) ^ 4, at);
      assert.deepEqual(readWal(torn), noWal, `byte ${at}`);
    }
    assert.deepEqual(readWal(logOf([]).subarray(0, 31)), noWal);
    assert.deepEqual(readWal(Buffer.alloc(0)), noWal);
  });
});

describe('followsLog()', () => {
  for (const [what, before, after, expected] of [
    ['a log whose first salt is one higher', '00000001aaaaaaaa', '00000002bbbbbbbb', true],
    ['a log after the highest salt', 'ffffffff00000000', '0000000012345678', true],
    ['a log whose first salt has a letter more', '0000000eaaaaaaaa', '0000000fbbbbbbbb', true],
    ['a log whose first salt has other digits', '1fffffffaaaaaaaa', '20000000bbbbbbbb', true],
    ['the same log', '00000001aaaaaaaa', '00000001aaaaaaaa', false],
    ['a log of two rounds later', '00000001aaaaaaaa', '00000003bbbbbbbb', false],
    ['a log of the round before', '00000002aaaaaaaa', '00000001bbbbbbbb', false],
    ['a log where there was none', '', '0000000112345678', false],
    ['a log where there was none, with the lowest salt', '', '0000000012345678', false],
    ['no log', 'ffffffff00000000', '', false],
  ] as const)
    test(`is ${expected} for ${what}`, () => assert.equal(followsLog(before, after), expected));
});

test('readWalIndex() gives frames, salts and checksum from the head of the wal-index', () => {
  const head = Buffer.alloc(walIndexHead);
  head.writeUInt32LE(7, 16);
  head.writeUInt32LE(0x0102_0304, 24);
  head.writeUInt32LE(0x0506_0708, 28);
  head.write(salts, 32, 'hex');
  assert.deepEqual(readWalIndex(head), { salts, frames: 7, checksum: '0102030405060708' });
  head.writeUInt32LE(0, 16);
  assert.deepEqual(readWalIndex(head), noLog);
});
