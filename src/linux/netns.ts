/**
 * Network namespaces: doing something in another one. setns(2) changes the calling thread only, so everything in between
 * must be synchronous: open a socket, write a sysctl. A socket keeps the namespace in which it was opened.
 */
import { closeSync, openSync, statfsSync } from 'node:fs';
import { KnownError, systemCode } from '../errors/known-error.ts';
import { loadLibc } from './libc.ts';
import { errnoName } from './netlink/netlink-error.ts';

const CLONE_NEWNET = 0x40000000;
/** statfs(2) type of a namespace file; a plain file is what a lost bind mount leaves behind. */
const NSFS_MAGIC = 0x6e736673;

/** The namespace in which this process was started, open for going back. */
let own: number | undefined;

/**
 * Runs `fn` in the network namespace at `path` (`/run/netns/x`, `/proc/PID/ns/net`). `fn` must not wait for anything and
 * must not start file-system promises (a pool thread made inside would stay there). Throws NAMESPACE_GONE.
 */
export function inNetns<T>(path: string, fn: () => T): T {
  const libc = loadLibc();
  own ??= openSync('/proc/thread-self/ns/net', 'r');
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (err) {
    throw gone(path, systemCode(err) ?? 'unknown error', err);
  }
  try {
    if (libc.setns(fd, CLONE_NEWNET) !== 0) throw gone(path, errnoName(libc.errno()), undefined);
    try {
      return fn();
    } finally {
      // Going on in a pod's namespace would program the wrong kernel tables: nothing is better than that.
      if (libc.setns(own, CLONE_NEWNET) !== 0) process.abort();
    }
  } finally {
    closeSync(fd);
  }
}

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

/** Whether a network namespace is mounted at `path` (or is there under /proc). */
export function netnsExists(path: string): boolean {
  try {
    return statfsSync(path).type === NSFS_MAGIC;
  } catch {
    return false;
  }
}

function gone(path: string, why: string, cause: unknown): KnownError {
  return new KnownError('NAMESPACE_GONE', `Cannot enter network namespace "${path}": ${why}`, { cause });
}
