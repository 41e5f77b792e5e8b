import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { classify, failed } from './sqlite-error.ts';

const system = (code: string): Error => Object.assign(new Error(`${code}: no`), { code });
const sqlite = (errcode: number): Error => Object.assign(new Error('sqlite says no'), { errcode });

describe('errors of the disk', () => {
  for (const [what, err, code, hint] of [
    ['a full disk', system('ENOSPC'), 'STORE_FULL', /delete objects/],
    ['a quota', system('EDQUOT'), 'STORE_FULL', /make room/],
    ['a read-only file system', system('EROFS'), 'STORE_READ_ONLY', /remount,rw/],
    ["somebody else's folder", system('EACCES'), 'STORE_READ_ONLY', /must be writable/],
    ['SQLITE_FULL', sqlite(13), 'STORE_FULL', /delete objects/],
    ['SQLITE_READONLY_DIRECTORY', sqlite(1544), 'STORE_READ_ONLY', /remount,rw/],
    ['SQLITE_CANTOPEN', sqlite(14), 'STORE_READ_ONLY', /must be writable/],
    ['SQLITE_IOERR_WRITE', sqlite(778), 'STORE_IO', /dmesg/],
    ['SQLITE_CORRUPT', sqlite(11), 'STORE_CORRUPT', /from one backup/],
    ['SQLITE_NOTADB', sqlite(26), 'STORE_CORRUPT', /from one backup/],
    ['SQLITE_BUSY', sqlite(5), 'STORE_IN_USE', undefined],
    ['SQLITE_TOOBIG', sqlite(18), 'STORE_TOO_BIG', undefined],
  ] as const)
    test(`${what} is ${code}, with what to do`, () => {
      assert.equal(classify(err).code, code);
      const known = failed('open', '/data/state.db', err);
      assert.match(known.message, /^Cannot open store "\/data\/state.db": /);
      if (hint) assert.match(known.hint ?? '', hint);
      else assert.equal(known.hint, undefined);
    });
});
