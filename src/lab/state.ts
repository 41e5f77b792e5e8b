import { chmod, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { writeSecret } from '../bootstrap/secret-file.ts';
import { KnownError, systemCode } from '../errors/known-error.ts';
import { defaultLabOptions, type LabOptions } from './lab-options.ts';
import { program } from './node/installation.ts';
import { type LabPlan, stateRoot } from './plan.ts';
import type { ProcessId } from './process-id.ts';

/** What a lab found on the machine and must put back, and what it started. Written before anything is made. */
export interface LabState {
  readonly version: 1;
  readonly options: LabOptions;
  /** The boot in which the lab was started; processes and links of another one are gone. */
  readonly bootId: string;
  readonly nodes: Readonly<Record<string, ProcessId>>;
  readonly relay?: ProcessId;
  readonly balancer?: ProcessId;
  /** Settings of the machine that the lab changed, and their values before. */
  readonly sysctls: Readonly<Record<string, string>>;
  /** The cgroup v2 controllers that the root passed on before. */
  readonly delegated?: readonly string[];
}

function fileOf(dir: string): string {
  return join(dir, 'lab.json');
}

/**
 * A directory that everybody may pass through but only root may list: the kubeconfig further down is its owner's. Set outright, because
 * root's umask may be anything.
 */
export async function makeThoroughfare(path: string): Promise<void> {
  await mkdir(path, { recursive: true });
  await chmod(path, 0o711);
}

/** A directory into which only root may look, whatever it was before. */
export async function makePrivate(path: string): Promise<void> {
  await mkdir(path, { recursive: true });
  await chmod(path, 0o700);
}

/** The record of a lab, or undefined when there is none that can be read. */
export async function readLabState(dir: string): Promise<LabState | undefined> {
  try {
    const state = JSON.parse(await readFile(fileOf(dir), 'utf8')) as LabState;
    // A record of an earlier version has no word on what came later.
    return state.version === 1 ? { ...state, options: { ...defaultLabOptions, ...state.options } } : undefined;
  } catch (err) {
    // A torn record is as good as none: whatever the lab made is found by its names.
    if (systemCode(err) === 'ENOENT' || err instanceof SyntaxError) return undefined;
    throw err;
  }
}

export async function writeState(plan: LabPlan, state: LabState): Promise<void> {
  await makeThoroughfare(plan.dir);
  await writeSecret(fileOf(plan.dir), `${JSON.stringify(state, undefined, 2)}\n`);
}

/** The names of all labs that have something on the disk. */
export async function labNames(): Promise<string[]> {
  const names = await readdir(stateRoot).catch(() => []);
  return names.filter((name) => /^[a-z]/.test(name)).toSorted();
}

/** Removes what a lab has on the disk; with `keepData`, what the cluster knows stays for the next time. */
export async function removeState(plan: LabPlan, keepData: boolean): Promise<void> {
  const entries = await readdir(plan.dir).catch(() => []);
  const kept = keepData ? ['server', 'pki', 'kubeconfig', 'merged.json', 'images', 'lab.json'] : [];
  // A start that was killed a moment ago may leave a copy of the image store still being written: ENOTEMPTY is tried again.
  const thoroughly = { recursive: true, force: true, maxRetries: 20, retryDelay: 50 } as const;
  for (const entry of entries) if (!kept.includes(entry)) await rm(join(plan.dir, entry), thoroughly);
  if (!keepData) await rm(plan.dir, thoroughly);
}

/** Everything here needs root. Throws NOT_ROOT. */
export function requireRoot(what: string): void {
  if (process.getuid?.() === 0) return;
  throw new KnownError('NOT_ROOT', `Cannot ${what}: root is needed to make namespaces`, {
    hint: `sudo ${relative(process.cwd(), program)} ${process.argv.slice(2).join(' ')}`,
  });
}
