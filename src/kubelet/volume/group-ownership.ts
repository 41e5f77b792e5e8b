/** `fsGroup`: what is on a volume becomes the group's. https://kubernetes.io/docs/tasks/configure-pod-container/security-context/ */
import { chmod, lchown, lstat, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

type Stats = Awaited<ReturnType<typeof stat>>;

/** The setgid bit, by which new files are the group's, too. */
const setgid = 0o2000;

/**
 * The group may read and write everything from then on. The root comes last, so that `OnRootMismatch`, which looks at nothing else, believes no
 * work that was broken off. What cannot be changed is left as it is, as upstream leaves it: containers are told by their own errors.
 */
export async function giveToGroup(root: string, group: number, policy: string | undefined): Promise<void> {
  const found = await stat(root);
  if (policy === 'OnRootMismatch' && isGiven(found, group)) return;
  await give(root, group, found.dev);
}

function isGiven({ gid, mode }: Stats, group: number): boolean {
  return gid === group && (Number(mode) & (setgid | 0o770)) === (setgid | 0o770);
}

/** Other file systems that are mounted below are no part of the volume. */
async function give(path: string, group: number, device: Stats['dev']): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (!found || found.dev !== device) return;
  if (found.isDirectory()) for (const name of await readdir(path).catch(() => [])) await give(join(path, name), group, device);
  await lchown(path, found.uid, group).catch(() => {});
  // A link has no mode of its own; what it leads to may be elsewhere.
  if (!found.isSymbolicLink()) await chmod(path, (found.mode & 0o7777) | (found.isDirectory() ? setgid | 0o770 : 0o660)).catch(() => {});
}
