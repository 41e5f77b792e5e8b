/**
 * The pipes through which callers get their answers. This process holds the writing end of each, before anybody asks: when it
 * ends, however it ends, the kernel tells every caller, and none of them waits for an answer that cannot come.
 *
 * A caller takes pipe N by making the file `N.taken` with its process id in it. A pipe serves one answer; then there is
 * another one of that name, so that nobody reads what was meant for somebody before.
 *
 * A caller that waited too long makes the link `N.gone`, and so does this process before it answers: who comes second knows.
 * The pipe of a caller that is gone stays taken until this process has seen it, so never more calls wait than there are pipes.
 */
import { closeSync, constants, existsSync, linkSync, openSync, readFileSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { makeFifo } from '../linux/fifo.ts';

/** So many calls may wait at once; more of them go the long way. */
export const answerPipes = 32;

/** A caller is only looked for after this time: seen from another process namespace, a live one may look dead. */
const abandonedMs = 60_000;

/** Where one caller waits. */
export interface Waiting {
  /** False when nobody was there any more. */
  answer(text: string): boolean;
}

export class AnswerPipes {
  readonly #dir: string;
  readonly #open: { readonly fd: number }[] = [];

  constructor(dir: string) {
    this.#dir = dir;
    for (let n = 0; n < answerPipes; n++) this.#renew(n);
  }

  /** The caller `pid` at pipe `n`; undefined when it is not there any more. */
  caller(n: number, pid: string): Waiting | undefined {
    const pipe = this.#open[n];
    if (pipe === undefined || this.#takenBy(n) !== pid) return undefined;
    if (existsSync(this.#path(`${n}.gone`))) {
      this.#free(n);
      return undefined;
    }
    return {
      answer: (text) => {
        // Another caller's by now: the one that asked was given up.
        if (this.#open[n] !== pipe) return false;
        const inTime = this.#claim(n);
        this.#free(n, inTime ? text : '');
        return inTime;
      },
    };
  }

  /** Frees the pipes of callers that were killed before they got their answer. */
  sweep(): void {
    for (let n = 0; n < answerPipes; n++) {
      const pid = Number(this.#takenBy(n));
      if (existsSync(this.#path(`${n}.gone`))) this.#free(n);
      else if (pid > 0 && !isAlive(pid) && Date.now() - statSync(this.#path(`${n}.taken`)).mtimeMs > abandonedMs) this.#free(n);
    }
  }

  close(): void {
    for (const { fd } of this.#open.splice(0)) closeSync(fd);
  }

  #path(name: string): string {
    return join(this.#dir, name);
  }

  #takenBy(n: number): string {
    try {
      return readFileSync(this.#path(`${n}.taken`), 'utf8').trim();
    } catch {
      return '';
    }
  }

  /** True when the caller has not given up; from now on it cannot. */
  #claim(n: number): boolean {
    try {
      linkSync(this.#path(`${n}.taken`), this.#path(`${n}.gone`));
      return true;
    } catch {
      return false;
    }
  }

  /** The caller has its pipe open, so the answer stays there for it though the pipe has lost its name. */
  #free(n: number, answer = ''): void {
    const before = this.#open[n];
    this.#renew(n);
    rmSync(this.#path(`${n}.gone`), { force: true });
    rmSync(this.#path(`${n}.taken`), { force: true });
    if (before === undefined) return;
    if (answer !== '') writeSync(before.fd, answer);
    closeSync(before.fd);
  }

  #renew(n: number): void {
    const fresh = this.#path('fresh');
    makeFifo(fresh, 0o600);
    // For reading, too: otherwise it could not be opened before a caller is there.
    this.#open[n] = { fd: openSync(fresh, constants.O_RDWR | constants.O_NONBLOCK) };
    renameSync(fresh, this.#path(String(n)));
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
