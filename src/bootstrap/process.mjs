/** Small things that the npm scripts share. For Node.js 20, without dependencies: nothing is installed yet. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, readFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '../..');

/** The Node.js that the project pins. */
export const pinnedNode = join(root, 'node_modules', `node-linux-${process.arch}`, 'bin', 'node');

const systemPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** An end with a message and the next step in place of a stack. */
export class Stop extends Error {
  constructor(message, code = 2) {
    super(message);
    this.code = code;
  }
}

export function say(text) {
  process.stderr.write(process.stderr.isTTY ? ` ${text}\n` : `${new Date().toISOString()} ${text}\n`);
}

/** The path of a program, also where a user's PATH does not look. */
export function find(name) {
  for (const dir of `${process.env.PATH ?? ''}:${systemPath}`.split(delimiter)) {
    try {
      accessSync(join(dir, name), constants.X_OK);
      return join(dir, name);
    } catch {
      // The next one may have it.
    }
  }
  return undefined;
}

export function isRoot() {
  return process.getuid?.() === 0;
}

/** Runs a program that tells what it does on this terminal, and reads nothing from it: somebody may have pasted more lines. Throws Stop when it fails. `next` is what to do then. */
export function mustRun(file, args, { next = 'see what it said above', ...options } = {}) {
  const result = spawnSync(file, args, { stdio: ['ignore', 2, 2], cwd: root, ...options });
  if (result.error) throw new Stop(`Cannot run "${file}": ${result.error.message}\n  next: ${next}`);
  if (result.signal === 'SIGINT' || result.status === 130) throw new Stop('Interrupted', 130);
  if (result.status !== 0)
    throw new Stop(`Cannot go on: "${[file, ...args].join(' ')}" ended with ${result.status ?? result.signal}\n  next: ${next}`);
}

/** What a program says, or undefined when it is missing or fails. */
export function answerOf(file, args) {
  const result = spawnSync(file, args, { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } });
  return result.status === 0 ? result.stdout : undefined;
}

/** The line in front of a command that needs root. Throws Stop when there is no way to become root. */
export function asRoot(what) {
  if (isRoot()) return [];
  const sudo = find('sudo');
  if (sudo === undefined)
    throw new Stop(`Cannot ${what}: root is needed and sudo is not installed\n  next: become root and run the same command`);
  // Its own words for a missing terminal or a user it does not know say nothing about what was wanted.
  if (spawnSync(sudo, ['-n', 'true'], { stdio: 'ignore' }).status === 0) return [sudo];
  if (!process.stdin.isTTY)
    throw new Stop(
      `Cannot ${what}: root is needed, and sudo has no terminal to ask for a password\n  next: run the same command as root, or "sudo -v" first`,
    );
  say(`Root is needed to ${what}`);
  const asked = spawnSync(sudo, ['true'], { stdio: 'inherit' });
  if (asked.signal === 'SIGINT' || asked.status === 130) throw new Stop('Interrupted', 130);
  if (asked.status !== 0)
    throw new Stop(`Cannot ${what}: root is needed, and sudo does not give it to you\n  next: become root and run the same command`);
  return [sudo];
}

/** Runs the pinned Node.js as root with this process's output, and gives its exit code. FAIRLEAD_* variables go along. */
export function runPinned(what, args) {
  const own = Object.entries(process.env).filter(([name]) => /^(FAIRLEAD_|NO_COLOR$|TERM$)/.test(name));
  const [file, ...rest] = isRoot()
    ? [pinnedNode, ...args]
    : [...asRoot(what), 'env', ...own.map(([name, value]) => `${name}=${value}`), pinnedNode, ...args];
  // Compiled code is kept below the lab's own state, which only root can write.
  const env = isRoot() ? { ...process.env, NODE_COMPILE_CACHE: '/var/lib/fairlead/.cache/compile' } : process.env;
  const result = spawnSync(file, rest, { stdio: ['ignore', 'inherit', 'inherit'], env });
  if (result.error) throw new Stop(`Cannot ${what}: ${result.error.message}`);
  // A signal that ended the child reached this process's group too; 130 says so to the shell.
  return result.status ?? 130;
}

export function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

/** Runs a script's main function and ends the process with its exit code. */
export function main(run) {
  // The terminal interrupts the program that runs here too. This process waits for it to come to its end, so that no prompt appears
  // while something is still at work.
  process.on('SIGINT', () => {});
  try {
    process.exitCode = run(process.argv.slice(2));
  } catch (err) {
    const stopped = err instanceof Stop;
    process.exitCode = stopped ? err.code : 2;
    process.stderr.write(stopped ? `${err.code === 130 ? '' : 'Error: '}${err.message}\n` : `${err.stack}\n`);
  }
}
