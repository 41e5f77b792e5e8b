/** Clients of a store in a process of their own, which has another network, another clock or another disk than the test. */
import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import type { TestContext } from 'node:test';
import type { Failures, Question } from './workload-child.ts';

export interface Surroundings {
  /** The command that runs another one there. */
  readonly within?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

export class RemoteWorkload {
  readonly #child: ChildProcess;
  #answered = Promise.withResolvers<unknown>();

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on('message', ({ answer }: { readonly answer: unknown }) => this.#answered.resolve(answer));
    child.on('exit', (code, signal) => this.#answered.reject(new Error(`the workload ended with ${code ?? signal}`)));
  }

  /** Returns when the store is open and the clients are at work. Ends with the test. */
  static async start(t: TestContext, url: string, { within = [], env = {} }: Surroundings = {}): Promise<RemoteWorkload> {
    const seed = process.env.HISTORY_SEED ?? String(Date.now() % 1_000_000);
    t.diagnostic(`HISTORY_SEED=${seed}`);
    const [program, ...words] = [...within, process.execPath];
    const child = fork(new URL('./workload-child.ts', import.meta.url), [url, seed], {
      execPath: program!,
      execArgv: words,
      env: { ...process.env, ...env },
    });
    t.after(() => child.kill('SIGKILL'));
    const workload = new RemoteWorkload(child);
    await workload.#answered.promise;
    return workload;
  }

  /** One question at a time. */
  #ask(question: Question): Promise<unknown> {
    this.#answered = Promise.withResolvers();
    this.#child.send(question);
    return this.#answered.promise;
  }

  /** Returns after so many more writes were acknowledged. */
  async more(writes: number): Promise<void> {
    await this.#ask({ more: writes });
  }

  async failures(): Promise<Failures> {
    return (await this.#ask('failures')) as Failures;
  }

  /** By the clients' own clock. */
  async now(): Promise<number> {
    return (await this.#ask('now')) as number;
  }

  /** What was refused was refused in the one way that the API server answers by 503. */
  async assertFailures(): Promise<void> {
    for (const [what, count] of Object.entries(await this.failures()))
      assert.match(what, /^STORE_UNAVAILABLE: /, `${count} calls failed otherwise`);
  }

  /** Ends the clients, and says in what they saw something that no store may do. */
  async violations(): Promise<readonly string[]> {
    return (await this.#ask('violations')) as readonly string[];
  }
}
