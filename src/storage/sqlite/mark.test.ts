import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { blankMark, decodeMark, encodeMark, type Mark, markBytes, slotBytes } from './mark.ts';

const mark: Mark = {
  sequence: 7,
  cluster: '00112233445566778899aabbccddeeff',
  revision: 2 ** 40 + 5,
  commits: 12,
  base: 9,
  log: { salts: '82aa4dfa1fa080f1', frames: 11, checksum: '0102030405060708' },
};

function fileOf(first: Uint8Array, second: Uint8Array): Buffer {
  const file = Buffer.alloc(markBytes);
  file.set(first, 0);
  file.set(second, slotBytes);
  return file;
}

describe('decodeMark()', () => {
  for (const [what, one] of [
    ['a mark', mark],
    ['one of a store without a log', { ...mark, log: { salts: '', frames: 0, checksum: '' } }],
    ['one with salts of zeros', { ...mark, log: { ...mark.log, salts: '0000000000000000' } }],
    ['the blank mark', blankMark],
  ] as const)
    test(`gives back ${what}`, () => assert.deepEqual(decodeMark(fileOf(encodeMark(one), encodeMark(one)))?.mark, one));

  test('takes the newer slot, wherever it is', () => {
    const newer = { ...mark, sequence: 8, revision: 1 };
    assert.deepEqual(decodeMark(fileOf(encodeMark(mark), encodeMark(newer))), { mark: newer, slot: 1 });
    assert.deepEqual(decodeMark(fileOf(encodeMark(newer), encodeMark(mark))), { mark: newer, slot: 0 });
  });

  test('takes the other slot when any byte of the newer one is wrong', () => {
    const newer = encodeMark({ ...mark, sequence: 8 });
    for (let at = 0; at < newer.length; at++) {
      const torn = Buffer.from(newer);
      torn.writeUInt8(torn.readUInt8(at) ^ 0x10, at);
      assert.deepEqual(decodeMark(fileOf(torn, encodeMark(mark))), { mark, slot: 1 }, `byte ${at}`);
    }
  });

  test('knows nothing when both are wrong, or the file was cut', () => {
    assert.equal(decodeMark(Buffer.alloc(markBytes)), undefined);
    assert.equal(decodeMark(Buffer.alloc(0)), undefined);
    assert.equal(decodeMark(encodeMark(mark).subarray(0, 50)), undefined);
  });
});
