/** Clients that must not notice what happens to rules: connections that stay open and echo, and new ones all the time. */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { start } from '../../../src/linux/exec.ts';

/** Where something echoes. */
export interface Target {
  readonly to: string;
  readonly port: number;
}

export type Order = 'round' | 'new may fail' | 'new must succeed';

/** What a client answers. */
export interface Round {
  readonly troubles: readonly string[];
  /** How often it used connections, until now. */
  readonly uses: number;
}

interface Client {
  readonly process: ChildProcess;
  readonly ended: Promise<Round>;
}

export class Traffic implements AsyncDisposable {
  readonly #clients: readonly Client[];
  #uses = 0;

  private constructor(processes: readonly ChildProcess[]) {
    this.#clients = processes.map((process) => ({
      process,
      ended: once(process, 'exit').then(([code]) => ({ troubles: [`A client ended with ${code}`], uses: 0 })),
    }));
  }

  /** One client in each namespace; resolves when connections to all targets stand. */
  static async start(targets: ReadonlyMap<string, readonly Target[]>): Promise<Traffic> {
    const program = join(import.meta.dirname, 'client-child.ts');
    const clients = [...targets].map(([namespace, those]) =>
      start('nsenter', [`--net=${namespace}`, process.execPath, program, JSON.stringify(those)], {
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      }),
    );
    const traffic = new Traffic(clients);
    try {
      await traffic.#answers();
    } catch (err) {
      await traffic[Symbol.asyncDispose]();
      throw err;
    }
    return traffic;
  }

  async #answers(when = ''): Promise<void> {
    const answers = this.#clients.map(({ process, ended }) => {
      const told = once(process, 'message').then(([round]) => round as Round);
      return Promise.race([told, ended]);
    });
    const rounds = await Promise.all(answers);
    this.#uses = rounds.reduce((sum, { uses }) => sum + uses, 0);
    assert.deepEqual(
      rounds.flatMap(({ troubles }) => troubles).map((trouble) => `${when}${trouble}`),
      [],
    );
  }

  #tell(order: Order): void {
    for (const { process } of this.#clients) process.send(order);
  }

  /** Every connection is used again, and new ones are made; asserts that nothing went wrong since the last time. `when` is said of what did. */
  async goesOn(when?: string): Promise<void> {
    const answers = this.#answers(when);
    this.#tell('round');
    await answers;
  }

  /** As often as it takes until the work is done, and once at least. Gives how many uses of connections that were. */
  async goesOnDuring(work: Promise<unknown>, when?: string): Promise<number> {
    const before = this.#uses;
    let isDone = false;
    const done = work.finally(() => {
      isDone = true;
    });
    done.catch(() => {});
    do await this.goesOn(when);
    while (!isDone);
    await done;
    return this.#uses - before;
  }

  /** While rules are gone, nobody can serve new connections; established ones go on all the same. */
  async whileNewMayFail(work: () => Promise<void>): Promise<void> {
    this.#tell('new may fail');
    await work();
    this.#tell('new must succeed');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { process } of this.#clients) process.kill('SIGKILL');
    await Promise.all(this.#clients.map(({ ended }) => ended));
  }
}
