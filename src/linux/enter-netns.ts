import { closeSync, openSync } from 'node:fs';
import { KnownError } from '../errors/known-error.ts';
import { loadLibc } from './libc.ts';

const CLONE_NEWNET = 0x40000000;

/**
 * Moves the main thread into a network namespace until disposed: every socket it opens and every program it starts meanwhile is
 * in there. For a command that has nothing else to do at the same time; a daemon uses `inNetns`. Throws NAMESPACE_GONE.
 */
export function enterNetns(path: string): Disposable {
  const libc = loadLibc();
  const home = openSync('/proc/thread-self/ns/net', 'r');
  const there = openSync(path, 'r');
  const entered = libc.setns(there, CLONE_NEWNET);
  closeSync(there);
  if (entered !== 0) {
    closeSync(home);
    throw new KnownError('NAMESPACE_GONE', `Cannot enter network namespace "${path}"`, { hint: 'Start the lab again: fairlead lab up' });
  }
  return {
    [Symbol.dispose]() {
      // Staying would send this machine's own traffic into the namespace.
      if (libc.setns(home, CLONE_NEWNET) !== 0) process.abort();
      closeSync(home);
    },
  };
}
