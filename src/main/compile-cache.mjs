/**
 * V8's compiled code on the disk, so that a start does not compile hundreds of modules again. Who can write to the folder can run code as this
 * user: it is used only when nobody else can. Nothing is said when it cannot be had: everything works without.
 *
 * In plain JavaScript, as what starts it: types are in no compiled code, but what takes them out of a source keeps 20 MB of the process.
 */
import { lstatSync, mkdirSync } from 'node:fs';
import { constants, enableCompileCache, flushCompileCache, getCompileCacheDir } from 'node:module';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

/** When all that a long-running process needs has been loaded, about; one that is killed never comes to its end. */
const flushMs = 10_000;

/** Where the cache of a user lies: root's is the machine's. */
export function cacheFolder(uid, home) {
  return uid === 0 ? '/var/cache/fairlead/compile' : join(home, '.cache/fairlead/compile');
}

/** True when the folder is the user's and nobody else can write to it. */
export function isSafe({ uid, mode }, isDirectory, user) {
  return isDirectory && uid === user && (mode & 0o022) === 0;
}

/** Makes the folder, and says whether it may be used: it and what it lies in, up to the root. */
export function prepareFolder(path, user) {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  for (let at = path; ; at = dirname(at)) {
    const stat = lstatSync(at);
    // What is above may be root's as well.
    const owners = at === path ? [user] : [user, 0];
    if (!owners.some((owner) => isSafe(stat, stat.isDirectory(), owner))) return false;
    if (at === dirname(at)) return true;
  }
}

/** Call it before anything large is loaded. NODE_COMPILE_CACHE and NODE_DISABLE_COMPILE_CACHE have the last word. */
export function useCompileCache() {
  if (getCompileCacheDir() !== undefined || process.getuid === undefined) return;
  const user = process.getuid();
  const folder = cacheFolder(user, homedir());
  try {
    if (!prepareFolder(folder, user)) return;
  } catch {
    return;
  }
  if (enableCompileCache(folder).status === constants.compileCacheStatus.ENABLED) setTimeout(flushCompileCache, flushMs).unref();
}
