import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Evidence, lossOf } from './loss.ts';
import { blankMark, type Mark } from './mark.ts';

const S = '0000000aaaaaaaaa';
const next = '0000000bcccccccc';
const other = '00000777bbbbbbbb';
const at = (commits: number, cluster = 'one'): NonNullable<Evidence['file']> => ({ cluster, commits, revision: commits });
const mark: Mark = { ...blankMark, cluster: 'one', revision: 9, commits: 9, base: 5, log: { salts: S, frames: 3, checksum: 'c3' } };
/** A checkpoint has copied everything. */
const copied: Mark = { ...mark, base: 9, log: { ...mark.log, frames: 0 } };
const closed: Mark = { ...copied, log: { salts: '', frames: 0, checksum: '' } };
const wal = (salts: string, ...checksums: string[]): Evidence['wal'] => ({ salts, checksums });
const whole = wal(S, 'c1', 'c2', 'c3');
const none = wal('');

const fine: readonly (readonly [string, Evidence])[] = [
  ['everything is there', { mark, wal: whole, file: at(5), whole: at(9) }],
  ['a commit that nobody was told of came after the mark', { mark, wal: wal(S, 'c1', 'c2', 'c3', 'c4'), file: at(5), whole: at(10) }],
  ['a checkpoint was half done', { mark, wal: whole, file: at(7), whole: at(9) }],
  ['a checkpoint was half done and the file cannot be read alone', { mark, wal: whole, file: undefined, whole: at(9) }],
  ['the log began anew just before the mark was written', { mark, wal: wal(next, 'x'), file: at(9), whole: at(10) }],
  ['the new log has its head only', { mark, wal: wal(next), file: at(9), whole: at(9) }],
  ['the log was copied and is gone', { mark: copied, wal: none, file: at(9), whole: at(9) }],
  ['the log was copied and is there', { mark: copied, wal: whole, file: at(9), whole: at(9) }],
  ['a copied log began anew', { mark: copied, wal: wal(next, 'x'), file: at(9), whole: at(10) }],
  ['the store was closed', { mark: closed, wal: none, file: at(9), whole: at(9) }],
  ['the store was closed, and a log begun since', { mark: closed, wal: wal(other, 'x'), file: at(9), whole: at(10) }],
  ['nothing was ever acknowledged', { mark: blankMark, wal: none, file: at(0), whole: at(0) }],
  [
    'the first salt overflows',
    { mark: { ...mark, log: { ...mark.log, salts: 'ffffffff00000000' } }, wal: wal('00000000dddddddd', 'x'), file: at(9), whole: at(10) },
  ],
];

const lost: readonly (readonly [string, Evidence, RegExp, boolean?])[] = [
  ['the mark is gone', { mark: 'missing', wal: whole, file: at(9), whole: at(9) }, /mark is missing/],
  ['the mark is damaged', { mark: 'damaged', wal: whole, file: at(9), whole: at(9) }, /mark cannot be read/],
  ['the log is gone', { mark, wal: none, file: at(5), whole: at(5) }, /log is missing/],
  ['the log is gone in the middle of a checkpoint', { mark, wal: none, file: at(9), whole: at(9) }, /log is missing/],
  ['the log was cut', { mark, wal: wal(S, 'c1', 'c2'), file: at(5), whole: at(8) }, /frame 2 of 3/],
  ['the log holds other frames', { mark, wal: wal(S, 'c1', 'x2', 'x3'), file: at(5), whole: at(9) }, /not the one/, true],
  ['the log is another one', { mark, wal: wal(other, 'x', 'y', 'z'), file: at(5), whole: at(9) }, /another one/, true],
  ['the log began anew over a file that lacks the old one', { mark, wal: wal(next, 'x'), file: at(8), whole: at(9) }, /another one/, true],
  ['the file is an older copy', { mark, wal: whole, file: at(4), whole: at(9) }, /older copy/, true],
  ['the file is an older copy, alone', { mark: closed, wal: none, file: at(8), whole: at(8) }, /older copy/, true],
  ['file and log are of another cluster', { mark, wal: wal(other, 'x'), file: at(50, 'two'), whole: at(60, 'two') }, /another cluster/],
  [
    'the log after a close is of another cluster',
    { mark: closed, wal: wal(other, 'x'), file: at(9), whole: at(60, 'two') },
    /another cluster/,
    true,
  ],
  ['the log after a close is an older one', { mark: closed, wal: wal(other, 'x'), file: at(9), whole: at(7) }, /ends at revision 7/],
  [
    'a copied log was cut, which hides what the file has',
    { mark: copied, wal: wal(S, 'c1'), file: at(9), whole: at(7) },
    /ends at revision 7/,
  ],
  ['another log lies beside a whole file', { mark: copied, wal: wal(other, 'x'), file: at(9), whole: at(10) }, /another one/, true],
  [
    'the file cannot be read and the log is not needed',
    { mark: closed, wal: none, file: undefined, whole: undefined },
    /file cannot be read/,
  ],
  ['nothing can be read though the log is whole', { mark, wal: whole, file: undefined, whole: undefined }, /read together/],
];

describe('lossOf()', () => {
  for (const [what, evidence] of fine) test(`finds nothing missing when ${what}`, () => assert.equal(lossOf(evidence), undefined));
  for (const [what, evidence, message, foreignLog = false] of lost)
    test(`finds a loss when ${what}`, () => {
      const loss = lossOf(evidence);
      assert.match(loss?.what ?? '', message);
      assert.equal(loss?.foreignLog, foreignLog);
    });
});
