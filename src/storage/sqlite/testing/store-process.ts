/** A SQLite store in a process of its own, which may be killed and started again: a call that gets no answer rejects. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { RangeResult, Store, StoredRecord, StoreEvent, WatchOptions, WriteResult } from '../../store.ts';
import type { Answer, Request } from './store-child.ts';

/** Takes the answers to one request. */
type Answered = (answer: Answer) => void;

export class StoreProcess implements Store {
  readonly #path: string;
  readonly #waiting = new Map<number, Answered>();
  #child: ChildProcess | undefined;
  #requests = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** Returns when the store is open. */
  async start(): Promise<void> {
    const child = fork(new URL('./store-child.ts', import.meta.url), [this.#path], { serialization: 'advanced' });
    const opened = new Promise<void>((resolve) => this.#waiting.set(0, () => resolve()));
    child.on('message', (answer: Answer) => this.#waiting.get(answer.id)?.(answer));
    const dead = once(child, 'close').then(() => Promise.reject(new Error(`the store of ${this.#path} did not open`)));
    await Promise.race([opened, dead]);
    dead.catch(() => {});
    this.#child = child;
  }

  /** kill -9. Returns when the process is gone. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child) return;
    const closed = once(child, 'close');
    child.kill('SIGKILL');
    await closed;
    for (const [id, answered] of this.#waiting) answered({ id, error: 'the process was killed' });
    this.#waiting.clear();
  }

  #ask(call: Request['call'], args: readonly unknown[], answered: Answered): number {
    const id = ++this.#requests;
    if (this.#child) {
      this.#waiting.set(id, answered);
      this.#child.send({ id, call, args }, () => {});
    } else queueMicrotask(() => answered({ id, error: 'there is no process' }));
    return id;
  }

  #call<T>(call: Request['call'], ...args: readonly unknown[]): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const id = this.#ask(call, args, ({ result, error }) => {
        this.#waiting.delete(id);
        if (error === undefined) resolve(result as T);
        else reject(new Error(error));
      });
    });
  }

  revision(): Promise<number> {
    return this.#call('revision');
  }

  get(key: string): Promise<StoredRecord | undefined> {
    return this.#call('get', key);
  }

  range(...args: Parameters<Store['range']>): Promise<RangeResult> {
    return this.#call('range', ...args);
  }

  put(...args: Parameters<Store['put']>): Promise<WriteResult> {
    return this.#call('put', ...args);
  }

  delete(...args: Parameters<Store['delete']>): Promise<WriteResult> {
    return this.#call('delete', ...args);
  }

  compact(revision: number): Promise<void> {
    return this.#call('compact', revision);
  }

  async *watch(start: string, end: string, from: number, { signal }: WatchOptions): AsyncIterable<readonly StoreEvent[]> {
    const answers: Answer[] = [];
    let wake = (): void => {};
    const id = this.#ask('watch', [start, end, from], (answer) => {
      answers.push(answer);
      wake();
    });
    const onAbort = (): void => wake();
    signal.addEventListener('abort', onAbort);
    try {
      while (!signal.aborted) {
        const answer = answers.shift();
        if (answer?.error !== undefined) throw new Error(answer.error);
        if (answer) yield answer.result as readonly StoreEvent[];
        else
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.#waiting.delete(id);
    }
  }

  close(): Promise<void> {
    return this.kill();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
