/** Errors of SQLite and of the file system, as codes of the catalogue with hints. */
import { dirname } from 'node:path';
import type { ErrorCode } from '../../errors/codes.ts';
import { KnownError, messageOf, systemCode } from '../../errors/known-error.ts';
import { ForeignFile } from './schema.ts';

// Primary result codes, https://www.sqlite.org/rescode.html
const SQLITE_BUSY = 5;
const SQLITE_READONLY = 8;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_CANTOPEN = 14;
const SQLITE_TOOBIG = 18;
const SQLITE_NOTADB = 26;

/** The code of the catalogue for an error, and its message. */
export function classify(err: unknown): { readonly code: ErrorCode; readonly message: string } {
  return { code: codeOf(err), message: messageOf(err) };
}

/** The error for a user when the store's files cannot be used. */
export function failed(action: 'open' | 'make' | 'lock' | 'read', path: string, err: unknown): KnownError {
  const { code, message } = classify(err);
  return new KnownError(code, `Cannot ${action} store "${path}": ${message}`, { ...diskHint(code, path), cause: err });
}

/** What to do about it, where the code is enough to know. */
export function diskHint(code: ErrorCode, path: string): { readonly hint?: string } {
  switch (code) {
    case 'STORE_FULL':
      return { hint: 'make room on the disk, or delete objects, which still works; what was written before is safe' };
    case 'STORE_READ_ONLY':
      return {
        hint:
          `"${dirname(path)}" must be writable: a disk with errors is made read-only by the kernel ("dmesg" says so); ` +
          'otherwise "mount -o remount,rw", the owner of the files, or another --data-dir help',
      };
    case 'STORE_IO':
      return { hint: 'see "dmesg": a disk with errors is also made read-only by the kernel; what was written before is safe' };
    case 'STORE_CORRUPT':
      return { hint: `Bring "${path}", "${path}-wal" and "${path}-mark" back from one backup` };
    default:
      return {};
  }
}

function codeOf(err: unknown): ErrorCode {
  if (err instanceof ForeignFile) return 'STORE_CORRUPT';
  switch (systemCode(err)) {
    case 'ENOSPC':
    case 'EDQUOT':
      return 'STORE_FULL';
    case 'EROFS':
    case 'EACCES':
    case 'EPERM':
      return 'STORE_READ_ONLY';
  }
  const code = err instanceof Error && 'errcode' in err && typeof err.errcode === 'number' ? err.errcode & 0xff : undefined;
  switch (code) {
    case SQLITE_FULL:
      return 'STORE_FULL';
    case SQLITE_BUSY:
      return 'STORE_IN_USE';
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
      return 'STORE_READ_ONLY';
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return 'STORE_CORRUPT';
    case SQLITE_TOOBIG:
      return 'STORE_TOO_BIG';
    default:
      return 'STORE_IO';
  }
}
