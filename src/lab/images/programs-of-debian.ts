/** Programs of this machine's packages with the libraries they need; those that are not installed, from their packages. */
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
// biome-ignore lint/correctness/useImportExtensions: the types beside it are for .ts files
import { type AptMachine, patientApt, quietMachine } from '../../bootstrap/apt.mjs';
import { KnownError, messageOf } from '../../errors/known-error.ts';
import { type Exec, mustRun } from '../../linux/exec.ts';
import { isProgram } from '../tools.ts';

export interface Program {
  /** What it is called in the image. */
  readonly name: string;
  /** The Debian package that brings it. */
  readonly package: string;
  /** What its package calls it, when a link of the machine's gives it its name. */
  readonly installedAs?: string;
}

const programDirs = ['/usr/bin', '/usr/sbin', '/bin', '/sbin'];

async function lookFor(program: Program, unpacked: string): Promise<string | undefined> {
  for (const root of ['', unpacked])
    for (const dir of programDirs)
      for (const name of [program.installedAs ?? program.name, program.name])
        if (await isProgram(join('/', root, dir, name))) return join('/', root, dir, name);
  return undefined;
}

/** Its file, on this machine or below `unpacked`. Throws TOOL_MISSING. */
export async function findProgram(program: Program, unpacked: string): Promise<string> {
  const found = await lookFor(program, unpacked);
  if (found !== undefined) return found;
  throw new KnownError('TOOL_MISSING', `Cannot find "${program.name}": package "${program.package}" does not bring it`, {
    hint: `apt-get install --no-remove --no-install-recommends ${program.package}`,
  });
}

/** Runs apt-get, and gives what it says where it fails. */
export type Apt = (args: readonly string[]) => string | undefined;

/** One that waits for others at work on its lists, and notes for whom. Throws COMMAND_FAILED when that takes too long. */
export function patientlyNoting(note: (text: string) => void, machine: AptMachine = quietMachine): Apt {
  return (args) => {
    let said = '';
    const show = (text: string): void => {
      said = text;
    };
    try {
      return patientApt(args, { ...machine, say: note, show }) ? undefined : said;
    } catch (err) {
      const [message = '', hint] = messageOf(err).split('\n  next: ');
      throw new KnownError('COMMAND_FAILED', message, hint === undefined ? {} : { hint });
    }
  };
}

function mustDo(apt: Apt, args: readonly string[]): void {
  const said = apt(args);
  if (said === undefined) return;
  const why = said.trim().split('\n').slice(-3).join('; ');
  throw new KnownError('COMMAND_FAILED', `Cannot run "apt-get ${args[0]}": ${why === '' ? 'it does not say why' : why}`);
}

/** Downloads and unpacks the packages of the programs that are nowhere. Gives their names. Throws TOOL_MISSING and COMMAND_FAILED. */
export async function unpackMissing(
  exec: Exec,
  programs: readonly Program[],
  unpacked: string,
  apt: Apt = patientlyNoting(() => {}),
): Promise<string[]> {
  const missing = new Set<string>();
  for (const program of programs) if ((await lookFor(program, unpacked)) === undefined) missing.add(program.package);
  const names = [...missing];
  if (names.length === 0) return [];
  const hasApt = (await Promise.all(programDirs.map((dir) => isProgram(join(dir, 'apt-get'))))).includes(true);
  if (process.env.FAIRLEAD_NO_INSTALL || !hasApt)
    throw new KnownError('TOOL_MISSING', `Cannot make the image: ${names.join(', ')} ${names.length === 1 ? 'is' : 'are'} not installed`, {
      hint: `apt-get install --no-remove --no-install-recommends ${names.join(' ')}`,
    });
  // Of its own: another lab may do the same.
  await mkdir(dirname(unpacked), { recursive: true, mode: 0o711 });
  const debs = await mkdtemp(`${unpacked}.debs-`);
  await mkdir(join(debs, 'partial'), { mode: 0o755 });
  const options = ['-o', `Dir::Cache::archives=${debs}`, '-oAPT::Sandbox::User=root'];
  const args = ['install', '--download-only', '-y', '--no-install-recommends', ...options, ...names];
  try {
    // A machine whose lists are empty or old does not find the files.
    if (apt(args) !== undefined) {
      mustDo(apt, ['update']);
      mustDo(apt, args);
    }
    await mkdir(unpacked, { recursive: true, mode: 0o755 });
    for (const deb of (await readdir(debs)).filter((name) => name.endsWith('.deb')))
      await mustRun(exec, 'dpkg-deb', ['-x', join(debs, deb), unpacked]);
  } finally {
    await rm(debs, { recursive: true, force: true });
  }
  return names;
}

/** The files in the text of ldd(1). Throws TOOL_MISSING for a library that is not there. */
export function parseLdd(text: string): string[] {
  return text.split('\n').flatMap((line) => {
    if (/=> not found/.test(line))
      throw new KnownError('TOOL_MISSING', `Cannot make the image: ${line.trim()}`, { hint: 'apt-get install --fix-broken' });
    const path = /(?:=> |^\s+)(\/\S+) \(0x/.exec(line)?.[1];
    return path === undefined ? [] : [path];
  });
}

/** Every library that the programs need, loader included. */
export async function librariesOf(exec: Exec, files: readonly string[], unpacked: string): Promise<string[]> {
  const triplet = process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu';
  const dirs = ['usr/lib', 'lib'].map((dir) => join(unpacked, dir, triplet));
  const found = new Set<string>();
  for (const file of files)
    for (const path of parseLdd(await mustRun(exec, 'ldd', [file], { env: { LD_LIBRARY_PATH: dirs.join(':') } }))) found.add(path);
  return [...found].toSorted();
}
