/** Started by a `RemoteWorkload`: opens the store, lets clients write, read and watch, and says what became of it. */
import { eventually } from '../../../src/clock/testing/eventually.ts';
import { seededRandom } from '../../../src/clock/testing/seeded-random.ts';
import { isKnownError } from '../../../src/errors/known-error.ts';
import { openStore } from '../../../src/storage/open.ts';
import type { Store } from '../../../src/storage/store.ts';
import { violations } from '../../../src/storage/testing/history/check.ts';
import { Workload } from '../../../src/storage/testing/history/workload.ts';

export type Question = { readonly more: number } | 'failures' | 'now' | 'violations';
/** How often a call failed, by the error's code and message. */
export type Failures = Readonly<Record<string, number>>;

const [url, seed] = process.argv.slice(2) as [string, string];
const failures: Record<string, number> = {};

/** The same store; what it refuses is counted. */
function counted(store: Store): Store {
  const count = async <T>(call: Promise<T>): Promise<T> => {
    try {
      return await call;
    } catch (err) {
      const what = isKnownError(err) ? `${err.code}: ${err.message}` : String(err);
      failures[what] = (failures[what] ?? 0) + 1;
      throw err;
    }
  };
  return {
    revision: () => count(store.revision()),
    get: (...args) => count(store.get(...args)),
    range: (...args) => count(store.range(...args)),
    put: (...args) => count(store.put(...args)),
    delete: (...args) => count(store.delete(...args)),
    compact: (...args) => count(store.compact(...args)),
    watch: (...args) => store.watch(...args),
    close: () => store.close(),
    [Symbol.asyncDispose]: () => store.close(),
  };
}

const store = await eventually(() => openStore(url, {}));
const workload = await Workload.start(counted(store), { random: seededRandom(Number(seed)) });

async function answer(question: Question): Promise<unknown> {
  if (question === 'failures') return failures;
  if (question === 'now') return Date.now();
  if (question === 'violations') return violations(await workload.history());
  await workload.more(question.more);
  return undefined;
}

process.on('message', async (question: Question) => process.send!({ answer: await answer(question) }));
process.on('disconnect', () => process.exit());
process.send!({ answer: 'open' });
