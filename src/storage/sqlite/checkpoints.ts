/** Starts the checkpointer's thread when there is something to copy, and ends it when there has been nothing for a while: a thread costs 25 MB. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

/** How long the thread waits for work, in milliseconds. */
const idleMs = 30_000;

export interface CheckpointEvents {
  /** The bulk has been copied. */
  done(): void;
  /** The copy failed; another one may be asked for. */
  failed(error: string): void;
}

export class Checkpoints {
  readonly #path: string;
  readonly #events: CheckpointEvents;
  #worker: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;
  #busy = false;
  #closed = false;

  constructor(path: string, events: CheckpointEvents) {
    this.#path = path;
    this.#events = events;
  }

  /** Asks for a checkpoint; does nothing while one is under way. */
  want(): void {
    if (this.#busy || this.#closed) return;
    this.#busy = true;
    clearTimeout(this.#idle);
    this.#worker ??= this.#start();
    this.#worker.postMessage('checkpoint');
  }

  /** Resolves when the thread has closed the file. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#stop();
  }

  #start(): Worker {
    const worker = new Worker(new URL('./checkpointer.ts', import.meta.url), { workerData: { path: this.#path } });
    worker.on('message', ({ error }: { error: string | undefined }) => this.#settle(error));
    worker.on('error', (err) => {
      // The file is untouched by it: the next checkpoint starts another thread.
      this.#worker = undefined;
      this.#settle(err.message);
    });
    return worker;
  }

  #settle(error: string | undefined): void {
    this.#busy = false;
    if (error === undefined) this.#events.done();
    else this.#events.failed(error);
    clearTimeout(this.#idle);
    if (this.#closed) return;
    this.#idle = setTimeout(() => void this.#stop(), idleMs);
    this.#idle.unref();
  }

  async #stop(): Promise<void> {
    clearTimeout(this.#idle);
    const worker = this.#worker;
    this.#worker = undefined;
    if (!worker) return;
    const ended = once(worker, 'exit');
    worker.postMessage('close');
    await ended;
  }
}
