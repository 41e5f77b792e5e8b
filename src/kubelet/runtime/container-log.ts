/**
 * A container's log, LOGS/POD/CONTAINER/0.log, and what was put aside of it. A pod that mounts the directory of all logs may lay a link
 * there to any file of the node, and have it read by `kubectl logs`: below that directory no link is followed.
 */
import { type FileHandle, realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { messageOf, systemCode } from '../../errors/known-error.ts';
import { handlePath, openInside, openRegular } from '../../linux/open-inside.ts';

/** Throws when it is not there, or a link leads to it. */
export async function openLogDirectory(logPath: string): Promise<FileHandle> {
  const container = dirname(logPath);
  const pod = dirname(container);
  const there = [basename(pod), basename(container)];
  // Who runs the node may have the logs of all pods lie elsewhere.
  return await openInside({ base: await realpath(dirname(pod)), there, missing: [] });
}

/** The log by a path that leads into the directory that is open, whatever stands in its place by now. */
export function logIn(directory: FileHandle, logPath: string): string {
  return join(handlePath(directory), basename(logPath));
}

/** To read. */
export async function openLog(logPath: string): Promise<FileHandle> {
  try {
    await using directory = await openLogDirectory(logPath);
    return await openRegular(logIn(directory, logPath));
  } catch (err) {
    const whys: Readonly<Record<string, string>> = { ENOENT: 'it is not there', ELOOP: 'it is a link' };
    throw new Error(`Cannot read the log "${logPath}": ${whys[systemCode(err) ?? ''] ?? messageOf(err)}`, { cause: err });
  }
}
