/**
 * Where bodies are decoded: small ones at once, large ones and YAML (which takes five hundred times as long as JSON) in a worker, one at
 * a time, each flow in its turn. A worker that has not answered after a while, or runs out of memory, is ended, and its body refused. One
 * that has had nothing to do for a minute is ended, too: it holds some thirty megabytes.
 */
import { Worker } from 'node:worker_threads';
import type { Clock } from '../../clock/clock.ts';
import { FairQueue } from '../flow/fair-queue.ts';
import { badRequest, StatusError, serviceUnavailable } from '../status/status-error.ts';
import type { WorkerAnswer } from './body-worker.ts';
import { type BodyJob, type Decoded, decodeBody, needsYaml } from './decode-body.ts';

/** Up to this many bytes of JSON or protobuf take less time than the way to a worker and back. */
const smallBytes = 64 << 10;
/** The largest body within the limits takes a second. */
const patienceMs = 20_000;
const idleMs = 60_000;
/** Megabytes. */
const workerHeap = 256;

interface Waiting {
  readonly job: BodyJob;
  readonly resolve: (decoded: Decoded) => void;
  readonly reject: (err: StatusError) => void;
}

export class BodyDecoder {
  readonly #clock: Clock;
  readonly #queue = new FairQueue<Waiting>();
  #worker: Worker | undefined;
  #current: Waiting | undefined;
  #deadline: { cancel(): void } | undefined;
  #idle: { cancel(): void } | undefined;
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `flow` is who waits for it. Throws a StatusError. */
  async decode(job: BodyJob, flow: string): Promise<Decoded> {
    if (isQuick(job)) return decodeBody(job);
    if (this.#closed) throw shuttingDown();
    return new Promise((resolve, reject) => {
      this.#queue.push(flow, { job, resolve, reject });
      this.#next();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (let one = this.#queue.shift(); one; one = this.#queue.shift()) one.reject(shuttingDown());
    await this.#end();
  }

  #next(): void {
    if (this.#current) return;
    this.#idle?.cancel();
    this.#current = this.#queue.shift();
    if (!this.#current) {
      if (this.#worker) this.#idle = this.#clock.after(idleMs, () => void this.#end());
      return;
    }
    this.#deadline = this.#clock.after(patienceMs, () => void this.#end(badRequest('the body takes too long to decode')));
    this.#worker ??= this.#start();
    this.#worker.postMessage(this.#current.job);
  }

  #start(): Worker {
    const worker = new Worker(new URL('./body-worker.ts', import.meta.url), {
      resourceLimits: { maxOldGenerationSizeMb: workerHeap, stackSizeMb: 4 },
    });
    worker.unref();
    worker.on('message', (answer: WorkerAnswer) => this.#settle(answer));
    // Of one that was ended nobody waits for anything.
    const fail = (): void => void (this.#worker === worker && this.#end(badRequest('the body takes too much memory to decode')));
    worker.on('error', fail);
    worker.on('exit', fail);
    return worker;
  }

  #settle(answer: WorkerAnswer): void {
    const done = this.#free();
    if ('refused' in answer) done?.reject(StatusError.of(answer.refused));
    else done?.resolve({ object: JSON.parse(answer.json) as object, warnings: answer.warnings });
    this.#next();
  }

  #free(): Waiting | undefined {
    this.#deadline?.cancel();
    const done = this.#current;
    this.#current = undefined;
    return done;
  }

  get hasWorker(): boolean {
    return this.#worker !== undefined;
  }

  /** Ends the worker; what it was at is refused. */
  async #end(why: StatusError = shuttingDown()): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    this.#idle?.cancel();
    this.#free()?.reject(why);
    await worker?.terminate();
    if (!this.#closed) this.#next();
  }
}

function shuttingDown(): StatusError {
  return serviceUnavailable('the server is shutting down');
}

function isQuick(job: BodyJob): boolean {
  try {
    return job.body.length <= smallBytes && !needsYaml(job);
  } catch {
    // Beyond the limits: quickly told.
    return true;
  }
}
