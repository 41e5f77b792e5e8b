/** A kernel with IPVS under a program of this machine: gets what is needed, boots, runs a job. */
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { messageOf } from '../../src/errors/known-error.ts';
import { findProgram, type Program, unpackMissing } from '../../src/lab/images/programs-of-debian.ts';
import { mustRun, start, systemExec } from '../../src/linux/exec.ts';

/** Some 20 MB. */
const programs: readonly Program[] = [
  { name: 'linux.uml', package: 'user-mode-linux' },
  { name: 'ipvsadm', package: 'ipvsadm' },
];
const compiler: Program = { name: 'tcc', package: 'tcc' };
const memoryMb = 1500;
const bootLimitMs = 90_000;
const powerOffMs = 20_000;

/** Where packages are that are not installed. */
export const unpacked = '/var/lib/fairlead/.cache/guest';

export interface Guest {
  readonly kernel: string;
  readonly modules: string;
  /** What programs in the guest need of what was unpacked. */
  readonly env: Readonly<Record<string, string>>;
  /** The library that cures User Mode Linux, where it needs one. */
  readonly preload?: string;
}

async function hasAmx(): Promise<boolean> {
  return /^flags.*\bamx_tile\b/m.test(await readFile('/proc/cpuinfo', 'utf8'));
}

/** Compiles the cure, with whatever compiler there is; tcc needs no headers and no linker. */
async function compileCure(): Promise<string> {
  const source = join(import.meta.dirname, 'xstate.c');
  const library = join(unpacked, 'xstate.so');
  if (existsSync(library)) return library;
  await mkdir(unpacked, { recursive: true });
  const gcc = await findProgram({ name: 'gcc', package: 'gcc' }, unpacked).catch(() => undefined);
  if (gcc) await mustRun(systemExec, gcc, ['-O2', '-shared', '-fPIC', '-o', library, source]);
  else {
    await unpackMissing(systemExec, [compiler], unpacked);
    await mustRun(systemExec, await findProgram(compiler, unpacked), ['-nostdlib', '-shared', '-o', library, source]);
  }
  return library;
}

/** Gets what is missing, and `more`. Throws what a person should know when there can be no guest here. */
export async function prepareGuest(more: readonly Program[] = []): Promise<Guest> {
  if (process.getuid?.() !== 0) throw new Error('needs root');
  if (process.arch !== 'x64') throw new Error(`there is no User Mode Linux for ${process.arch}`);
  const wanted = [...programs, ...more];
  await unpackMissing(systemExec, wanted, unpacked);
  const [kernel = '', ...others] = await Promise.all(wanted.map((program) => findProgram(program, unpacked)));
  const prefix = kernel.startsWith(unpacked) ? unpacked : '';
  const env = {
    PATH: [...new Set(others.map(dirname)), process.env.PATH ?? ''].join(':'),
    LD_LIBRARY_PATH: ['usr/lib', 'lib'].map((dir) => join(unpacked, dir, 'x86_64-linux-gnu')).join(':'),
  };
  const modules = process.env.FAIRLEAD_GUEST_MODULES ?? join('/', prefix, 'usr/lib/uml/modules');
  return { kernel, modules, env, ...((await hasAmx()) ? { preload: await compileCure() } : {}) };
}

/** In memory where there is room for it: the guest's memory is a file. */
export async function memoryDir(job: string, megabytes: number): Promise<string> {
  const shm = await statfs('/dev/shm').catch(() => undefined);
  return shm && shm.bavail * shm.bsize > megabytes * 2 ** 20 ? '/dev/shm' : job;
}

/** Ends every process of the guest that has its files in `share` (its uml_dir): killing its first one leaves others. */
export function killGuest(share: string): void {
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry)))
    try {
      const words = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0');
      if (words.includes(`uml_dir=${share}`)) process.kill(Number(name), 'SIGKILL');
    } catch {
      // It has ended meanwhile.
    }
}

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** When this process is interrupted, `end` is called before it ends. Gives what takes that back. */
export function onInterrupt(end: () => void): () => void {
  const interrupted = (): never => {
    end();
    process.exit(130);
  };
  // Not once: a process group and whoever forwards to this process interrupt it twice, and without a listener the second time would end it at once.
  for (const signal of signals) process.on(signal, interrupted);
  return () => {
    for (const signal of signals) process.off(signal, interrupted);
  };
}

const quote = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

/** A guest that runs one script of sh, in the directory of this process. */
class Run {
  readonly #guest: Guest;
  readonly #share: string;

  constructor(guest: Guest, share: string) {
    this.#guest = guest;
    this.#share = share;
  }

  async boot(script: string, limitMs: number): Promise<'no boot' | 'out of time' | number> {
    const { kernel, modules, env, preload } = this.#guest;
    const share = this.#share;
    const words = Object.entries(env).map(([name, value]) => `export ${name}=${name === 'PATH' ? '/run/bin:' : ''}${quote(value)}`);
    // In the guest's memory: each of many programs would compile the same modules anew, and this CPU is slow at it.
    words.push('export NODE_COMPILE_CACHE=/tmp/compile');
    await writeFile(join(share, 'job'), [...words, `cd ${quote(process.cwd())}`, script, ''].join('\n'));
    const root = ['root=/dev/root', 'rootfstype=hostfs', 'rootflags=/', 'ro', 'init=/bin/sh'];
    const place = [`mem=${memoryMb}M`, `uml_dir=${share}`, 'umid=guest', 'quiet', 'con=null', 'con0=null,fd:1'];
    const guestEnv = { ...process.env, TMPDIR: await memoryDir(share, memoryMb), ...(preload ? { LD_PRELOAD: preload } : {}) };
    const child = start(kernel, [...place, ...root, '--', join(import.meta.dirname, 'init.sh'), modules, share], {
      env: { ...guestEnv, LD_LIBRARY_PATH: env.LD_LIBRARY_PATH },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let console = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (console += text));
    let hasEnded = false;
    const ended = once(child, 'close').finally(() => (hasEnded = true));
    const has = (file: string): boolean => existsSync(join(share, file));
    const cameBefore = (file: string, timeoutMs: number): Promise<boolean> =>
      eventually(file, () => has(file) || hasEnded, { timeoutMs }).then(
        () => has(file),
        () => false,
      );
    const calm = onInterrupt(() => {
      killGuest(share);
      rmSync(share, { recursive: true, force: true });
    });
    try {
      if (!(await cameBefore('up', bootLimitMs))) return 'no boot';
      return (await cameBefore('rc', limitMs)) ? Number(await readFile(join(share, 'rc'), 'utf8')) : 'out of time';
    } finally {
      await writeFile(join(share, 'console'), console);
      // After its job it ends by itself. It stays in the process group of the test, so that whoever ends that ends all of it.
      if (has('rc')) await eventually('it is off', () => hasEnded, { timeoutMs: powerOffMs }).catch(() => {});
      killGuest(share);
      await ended;
      calm();
    }
  }
}

export interface GuestResult {
  readonly code: number | 'no boot' | 'out of time';
  readonly output: string;
  /** Reads a file that the job left in /run/share. */
  readonly files: (name: string) => Promise<string>;
}

async function readIn(share: string, name: string): Promise<string> {
  return await readFile(join(share, name), 'utf8').catch((err) => `(${messageOf(err)})`);
}

/** Runs a script in a guest and hands over what came of it; boots again once when the guest does not come up. */
export async function runInGuest<T>(script: string, limitMs: number, read: (result: GuestResult) => Promise<T>): Promise<T> {
  const guest = await prepareGuest();
  for (let attempt = 1; ; attempt++) {
    const share = await mkdtemp(join(tmpdir(), 'fl-guest-'));
    await chmod(share, 0o755);
    try {
      const code = await new Run(guest, share).boot(script, limitMs);
      if (code === 'no boot' && attempt === 1) continue;
      const output = await readIn(share, code === 'no boot' ? 'console' : 'out');
      return await read({ code, output, files: (name) => readIn(share, name) });
    } finally {
      await rm(share, { recursive: true, force: true });
    }
  }
}
