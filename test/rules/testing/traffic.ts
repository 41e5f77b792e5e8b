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

interface Client {
  readonly process: ChildProcess;
  readonly ended: Promise<string[]>;
}

export class Traffic implements AsyncDisposable {
  readonly #clients: readonly Client[];

  private constructor(processes: readonly ChildProcess[]) {
    this.#clients = processes.map((process) => ({
      process,
      ended: once(process, 'exit').then(([code]) => [`A client ended with ${code}`]),
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
      const told = once(process, 'message').then(([troubles]) => troubles as string[]);
      return Promise.race([told, ended]);
    });
    const troubles = (await Promise.all(answers)).flat();
    assert.deepEqual(
      troubles.map((trouble) => `${when}${trouble}`),
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
