import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readIfThere, readUnlessEmpty } from '../../bootstrap/secret-file.ts';
import { systemCode } from '../../errors/known-error.ts';
import { syncFolder } from '../../linux/put-file.ts';
import type { Hierarchy } from '../cgroups.ts';
import { startKept } from '../kept-process.ts';
import type { LabPlan } from '../plan.ts';
import type { ProcessId } from '../process-id.ts';

/** What the relay process is told, as JSON on its command line. */
export interface RelayConfig {
  /** Of the lab. */
  readonly name: string;
  /** Where nodes reach it. */
  readonly netns: string;
  readonly address: string;
  /** The lab's ranges. */
  readonly lab: readonly string[];
  /** As `lab up --relay-allow`. */
  readonly allowed: string;
  /** Everybody can read a command line, so the credential is in a file of root's. */
  readonly credentialFile: string;
}

function relayDir(plan: LabPlan): string {
  return join(plan.dir, 'relay');
}

/** What a runtime must show the relay. Made once per lab: nodes and the relay are started again one without the other. */
export async function relayCredential(plan: LabPlan): Promise<string> {
  const file = join(relayDir(plan), 'credential');
  await mkdir(relayDir(plan), { recursive: true, mode: 0o700 });
  const there = await readUnlessEmpty(file);
  if (there !== undefined) return there.trim();
  await giveName(file, `${randomBytes(24).toString('hex')}\n`);
  return (await readFile(file, 'utf8')).trim();
}

/** Of two that make it at once, one does; and it has its name once it is on the disk. */
async function giveName(file: string, text: string): Promise<void> {
  const made = `${file}.${randomBytes(6).toString('hex')}`;
  await writeFile(made, text, { mode: 0o600, flush: true });
  try {
    // A power cut in an older version has left it empty.
    if ((await readIfThere(file)) === '') await rm(file, { force: true });
    await link(made, file).catch((err: unknown) => {
      if (systemCode(err) !== 'EEXIST') throw err;
    });
  } finally {
    await rm(made, { force: true });
  }
  syncFolder(dirname(file));
}

/** Starts the relay in the background. Gives the process that keeps it running. */
export async function startRelay(hierarchies: readonly Hierarchy[], plan: LabPlan): Promise<ProcessId> {
  await relayCredential(plan);
  const config: RelayConfig = {
    name: plan.options.name,
    netns: plan.underlayNetns,
    address: plan.relayAddress,
    lab: plan.families.flatMap(({ underlay, pods, services }) => [underlay.text, pods.text, services.text]),
    allowed: plan.options.relayAllow,
    credentialFile: join(relayDir(plan), 'credential'),
  };
  return await startKept(hierarchies, plan, 'relay', [
    process.execPath,
    fileURLToPath(new URL('./relay-process.ts', import.meta.url)),
    JSON.stringify(config),
  ]);
}
