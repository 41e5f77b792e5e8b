/** Started by copy.test.ts: fills the store of its argument, says when much of it is written, and waits to be killed. */
import { fillStore } from '../../open.ts';

const value = new Uint8Array(100);

await fillStore(
  process.argv[2]!,
  {
    engine: 'sqlite',
    cluster: '',
    revision: 1_000,
    async *records() {
      for (let n = 1; n <= 1_000; n++) yield { key: `/registry/half/${n}`, value, createRevision: n, modRevision: n, expiresAt: undefined };
      // Whoever asks for more has written most of it.
      console.log('half');
      await new Promise(() => setInterval(() => {}, 1_000));
    },
    isCurrent: async () => true,
    async [Symbol.asyncDispose]() {},
  },
  1_000,
);
