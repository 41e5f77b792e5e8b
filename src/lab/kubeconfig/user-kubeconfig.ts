/** The kubeconfig of the person behind sudo: which it is, and changing it as that person. */
import { mkdir, readFile, realpath, rm, rmdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { readIfThere, writeSecret } from '../../bootstrap/secret-file.ts';
import { putFile } from '../../linux/put-file.ts';
import type { LabPlan } from '../plan.ts';
import { contextOf, currentContext, mergeKubeconfig, unmergeKubeconfig } from './merge.ts';

export interface Person {
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

/** Who called: root, or whoever sudo was called by. */
export async function callingPerson(env: Readonly<Record<string, string | undefined>>): Promise<Person> {
  const uid = Number(env.SUDO_UID ?? process.getuid?.() ?? 0);
  if (env.SUDO_UID === undefined) return { uid, gid: process.getgid?.() ?? 0, home: homedir() };
  const line = (await readFile('/etc/passwd', 'utf8')).split('\n').find((entry) => entry.split(':')[2] === env.SUDO_UID);
  return { uid, gid: Number(env.SUDO_GID ?? uid), home: line?.split(':')[5] || homedir() };
}

/** Where kubectl keeps that person's clusters; a KUBECONFIG that names the lab's own file is not it. */
export function personalKubeconfig(person: Person, env: Readonly<Record<string, string | undefined>>, plan: LabPlan): string {
  const named = (env.KUBECONFIG ?? '').split(':').find((path) => path !== '' && path !== plan.kubeconfig);
  return named ?? join(person.home, '.kube', 'config');
}

/** Runs `change` as a person: in that person's directories root must not follow links that it could not follow itself. */
async function asPerson<T>(person: Person, change: () => Promise<T>): Promise<T> {
  if (process.getuid?.() !== 0 || person.uid === 0) return await change();
  process.setegid?.(person.gid);
  process.seteuid?.(person.uid);
  try {
    return await change();
  } finally {
    process.seteuid?.(0);
    process.setegid?.(0);
  }
}

/** What a merge changed, to be taken back with the lab. */
interface Merged {
  readonly path: string;
  readonly person: Person;
  /** The current context before. */
  readonly former: string | undefined;
  readonly created: boolean;
}

function noteOf(plan: LabPlan): string {
  return join(plan.dir, 'merged.json');
}

async function readNotes(plan: LabPlan): Promise<Merged[]> {
  return JSON.parse((await readIfThere(noteOf(plan))) ?? '[]') as Merged[];
}

/** Whole or not at all, also through a power cut, and for its owner's eyes only, as it holds keys; a link stays one. */
async function replace(path: string, text: string): Promise<void> {
  const target = await realpath(path).catch(() => path);
  putFile(target, text, 0o600);
}

/** Puts the lab into that person's kubeconfig as the current context. Gives the context's name. */
export async function mergeForPerson(plan: LabPlan, path: string, person: Person): Promise<string> {
  const lab = plan.options.name;
  const admin = await readFile(plan.kubeconfig, 'utf8');
  const notes = await readNotes(plan);
  const before = await asPerson(person, () => readIfThere(path));
  const merged = mergeKubeconfig(before ?? '', admin, lab, path);
  if (!notes.some((note) => note.path === path)) {
    const current = before === undefined ? undefined : currentContext(before, path);
    const former = current === contextOf(lab) ? undefined : current;
    // Written down first: what is noted and not there is no harm.
    const note = { path, person, created: before === undefined, ...(former === undefined ? {} : { former }) };
    await writeSecret(noteOf(plan), `${JSON.stringify([...notes, note])}\n`);
  }
  await asPerson(person, async () => {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await replace(path, merged);
  });
  return contextOf(lab);
}

/** Takes the lab out of every kubeconfig it was put into. Gives their paths. */
export async function unmergeAll(plan: LabPlan): Promise<string[]> {
  const cleared: string[] = [];
  for (const { path, person, former, created } of await readNotes(plan))
    await asPerson(person, async () => {
      const text = await readIfThere(path);
      if (text === undefined) return;
      const rest = unmergeKubeconfig(text, plan.options.name, former, path);
      if (rest.isEmpty && created) {
        await rm(path);
        // Ours as well, unless kubectl has put its cache there.
        await rmdir(dirname(path)).catch(() => {});
      } else await replace(path, rest.text);
      cleared.push(path);
    });
  return cleared;
}
