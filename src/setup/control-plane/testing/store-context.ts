/** A store that is asked, on a clock of its own: it may be waited for during ten seconds. Files of /root are hidden from the service. */
import type { StoreFact } from '../../preflight/facts.ts';
import type { StoreContext } from '../reach-store.ts';

/** `answer` gets how many times the store has been asked, this time included. */
export function storeContext(answer: (count: number) => StoreFact): {
  readonly context: StoreContext;
  readonly asked: readonly string[];
  readonly notes: readonly string[];
  readonly time: () => number;
} {
  const asked: string[] = [];
  const notes: string[] = [];
  let time = 0;
  const context: StoreContext = {
    askStore: async (url) => answer(asked.push(url)),
    keeper: { hides: async (path) => (path.startsWith('/root/') ? 'the unit does not see it' : undefined) },
    clock: {
      monotonic: () => time,
      sleep: async (ms) => {
        time += ms;
      },
    },
    signal: new AbortController().signal,
    steps: { note: (text) => void notes.push(text) },
    timeoutMs: 10_000,
  };
  return { context, asked, notes, time: () => time };
}
