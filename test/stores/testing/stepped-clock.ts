/** A wall clock that a test sets, for processes that it starts: libfaketime tells them the time. Their monotonic clock is the machine's. */
import { globSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const [library] = globSync('/usr/lib/*/faketime/libfaketime.so.1');

/** For node:test's `skip`. */
export const cannotSetClocks: string | false = library === undefined ? 'needs libfaketime (the Debian package faketime)' : false;

export class SteppedClock implements Disposable {
  readonly #dir: string = mkdtempSync(join(tmpdir(), 'fairlead-clock-'));

  constructor() {
    this.set(0);
  }

  /** So many seconds away from the machine's. */
  set(seconds: number): void {
    writeFileSync(join(this.#dir, 'offset'), `${seconds < 0 ? '' : '+'}${seconds}`);
  }

  get env(): NodeJS.ProcessEnv {
    return {
      // libc before jemalloc, which Redis brings: that one asks for the time while libfaketime is about to start.
      LD_PRELOAD: `${library} libc.so.6`,
      FAKETIME_TIMESTAMP_FILE: join(this.#dir, 'offset'),
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    };
  }

  /** The command that runs another one by this clock. */
  get within(): string[] {
    return ['env', ...Object.entries(this.env).map(([name, value]) => `${name}=${value}`)];
  }

  [Symbol.dispose](): void {
    rmSync(this.#dir, { recursive: true });
  }
}
