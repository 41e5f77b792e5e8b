/** Started by read-only.test.ts: tries to open a store, and prints what a user would read. */
import { isKnownError } from '../../../errors/known-error.ts';
import { openSqliteStore } from '../sqlite-store.ts';

try {
  await (await openSqliteStore(process.argv[2]!)).close();
  console.log('opened');
} catch (err) {
  console.log(isKnownError(err) ? `${err.code}: ${err.message}; ${err.hint}` : err);
}
