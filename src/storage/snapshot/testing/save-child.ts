/** Started by snapshot.test.ts: saves an image without end, says when some of it is written, and waits to be killed. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { saveSnapshot } from '../save.ts';

const value = new Uint8Array(100_000);

await saveSnapshot(
  process.argv[2]!,
  {
    engine: 'sqlite',
    cluster: '',
    revision: 1,
    async *records() {
      for (let n = 1; ; n++) {
        yield { key: `/${n}`, value, createRevision: n, modRevision: n, expiresAt: undefined };
        if (n === 50) console.log('writing');
        // Enough for the test to see it; the disk is not filled while it looks.
        if (n > 50) await nextTurn();
        if (n > 200) await new Promise(() => setInterval(() => {}, 1_000));
      }
    },
    isCurrent: async () => true,
    async [Symbol.asyncDispose]() {},
  },
  { version: '', now: 0, signal: new AbortController().signal },
);
