import type { ErrorCode } from '../../errors/codes.ts';
import { messageOf } from '../../errors/known-error.ts';
import { ForeignFile } from './schema.ts';

// Primary result codes, https://www.sqlite.org/rescode.html
const SQLITE_BUSY = 5;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_TOOBIG = 18;
const SQLITE_NOTADB = 26;

/** Names what went wrong in SQLite with a code of the catalogue. */
export function classify(err: unknown): { readonly code: ErrorCode; readonly message: string } {
  return { code: codeOf(err), message: messageOf(err) };
}

function codeOf(err: unknown): ErrorCode {
  if (err instanceof ForeignFile) return 'STORE_CORRUPT';
  const code = err instanceof Error && 'errcode' in err && typeof err.errcode === 'number' ? err.errcode & 0xff : undefined;
  switch (code) {
    case SQLITE_FULL:
      return 'STORE_FULL';
    case SQLITE_BUSY:
      return 'STORE_IN_USE';
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return 'STORE_CORRUPT';
    case SQLITE_TOOBIG:
      return 'STORE_TOO_BIG';
    default:
      return 'STORE_IO';
  }
}
