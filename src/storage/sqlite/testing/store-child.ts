/** Started by a `StoreProcess`: opens the store, does what it is asked over the channel, and waits to be killed. */
import type { Store } from '../../store.ts';
import { openSqliteStore } from '../sqlite-store.ts';

export type Request =
  | { readonly id: number; readonly call: 'revision' | 'get' | 'range' | 'put' | 'delete' | 'compact'; readonly args: readonly unknown[] }
  | { readonly id: number; readonly call: 'watch'; readonly args: readonly [start: string, end: string, fromRevision: number] };

/** A watch answers with `result` for each batch, and at its end without. */
export interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

const store = await openSqliteStore(process.argv[2]!);

function answer(message: Answer): void {
  process.send!(message);
}

async function work({ id, call, args }: Request): Promise<void> {
  if (call !== 'watch') return answer({ id, result: await (store[call] as (...args: readonly unknown[]) => Promise<unknown>)(...args) });
  const watch: Parameters<Store['watch']> = [...args, { signal: new AbortController().signal }];
  for await (const result of store.watch(...watch)) answer({ id, result });
}

process.on('message', (request: Request) => {
  work(request).catch((err: unknown) => answer({ id: request.id, error: String(err) }));
});
process.on('disconnect', () => process.exit());
answer({ id: 0 });
