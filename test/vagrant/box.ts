/**
 * Machines of the lab without machines: `provision/*.sh` run as they are, each machine with an /etc and a /var/lib of its own, all of them in one network
 * namespace with loopback alone. What Debian would do for them (packages, systemd) is played.
 */
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ExecResult, start, systemExec } from '../../src/linux/exec.ts';

const scripts = join(import.meta.dirname, '../../vagrant/provision');

/** Every package is there; nobody has an account; what would be done to the cluster is written down, and what comes onto the disk in which order. */
const played = {
  dpkg: 'exit 0',
  chown: 'exit 0',
  fairlead: 'echo "$*" >>"$BOX/fairlead.log"',
  ...Object.fromEntries(
    ['sync', 'mv'].map((name) => [name, `echo "${name} $*" >>"$BOX/flushed.log"; PATH=/usr/bin:/bin exec ${name} "$@"`]),
  ),
};

/**
 * `service`: the command line of each unit. A unit is started once and left; in the directory of a machine, `die-at` has words of a call at which the
 * script dies, `UNIT.pid` and `UNIT.log` are there for who looks.
 */
function systemctl(services: Readonly<Record<string, string>>): string {
  const units = Object.entries(services).map(([name, command]) => `${name}) ${command} >"$BOX/${name}.log" 2>&1 & ;;`);
  return `
if [ -e "$BOX/die-at" ] && [ "$*" = "$(cat "$BOX/die-at")" ]; then rm "$BOX/die-at"; kill -9 "$PPID"; exit 1; fi
if [ -e "$BOX/fail-at" ] && [ "$*" = "$(cat "$BOX/fail-at")" ]; then rm "$BOX/fail-at"; exit 1; fi
for unit; do :; done
case $1 in
enable) ;;
restart) systemctl kill "$unit" ;;
kill)
  [ -e "$BOX/$unit.pid" ] || exit 0
  kill -9 "$(cat "$BOX/$unit.pid")" || exit 0
  while kill -0 "$(cat "$BOX/$unit.pid")" 2>/dev/null; do sleep 0.02; done
  exit 0 ;;
set-environment) echo "$2" >"$BOX/environment"; exit 0 ;;
unset-environment) rm "$BOX/environment"; exit 0 ;;
*) exit 0 ;;
esac
if [ -e "$BOX/$unit.pid" ] && kill -0 "$(cat "$BOX/$unit.pid")" 2>/dev/null; then exit 0; fi
if [ -e "$BOX/environment" ]; then set -a; . "$BOX/environment"; set +a; fi
case $unit in
${units.join('\n')}
esac
echo $! >"$BOX/$unit.pid"`;
}

export class Boxes implements AsyncDisposable {
  readonly #holder: ReturnType<typeof start>;
  readonly dir: string;

  private constructor(holder: ReturnType<typeof start>, dir: string) {
    this.#holder = holder;
    this.dir = dir;
  }

  /** Everything in them ends with this process. */
  static async open(services: Readonly<Record<string, string>>): Promise<Boxes> {
    const dir = mkdtempSync(join(tmpdir(), 'fairlead-boxes-'));
    mkdirSync(join(dir, 'bin'));
    for (const [name, text] of Object.entries({ ...played, systemctl: systemctl(services) }))
      writeFileSync(join(dir, 'bin', name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    const flags = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc', '--propagation', 'private'];
    const holder = start('unshare', [...flags, 'sh', '-c', 'ip link set lo up; echo there; cat'], { stdio: ['pipe', 'pipe', 'inherit'] });
    await once(holder.stdout as NodeJS.ReadableStream, 'data');
    return new Boxes(holder, dir);
  }

  path(machine: string, ...names: readonly string[]): string {
    return join(this.dir, machine, ...names);
  }

  /** The text of a file on a machine, or nothing. */
  read(machine: string, path: string): string {
    try {
      return readFileSync(this.path(machine, path), 'utf8');
    } catch {
      return '';
    }
  }

  /** Runs a command in its namespaces and on its files. */
  async run(machine: string, command: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<ExecResult> {
    for (const name of ['etc/default', 'etc/systemd/system', 'var/lib']) mkdirSync(this.path(machine, name), { recursive: true });
    const { pid } = this.#holder;
    const [inside] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ');
    const binds = 'for at in etc var/lib; do mount --bind "$BOX/$at" "/$at"; done; exec "$@"';
    const target = [`--target=${inside}`, '--net', '--mount', '--pid', 'unshare', '--mount', '--propagation', 'private'];
    return await systemExec.run('nsenter', [...target, 'sh', '-c', binds, 'sh', ...command], {
      timeoutMs: 120_000,
      env: { ...env, BOX: this.path(machine), PATH: `${join(this.dir, 'bin')}:${process.env.PATH}` },
    });
  }

  /** What the script says so far is in the machine's file `said`. */
  provision(machine: string, script: string, args: readonly string[], env: Readonly<Record<string, string>>): Promise<ExecResult> {
    const aloud = 'code=0; sh "$@" 2>"$BOX/said" || code=$?; cat "$BOX/said" >&2; exit "$code"';
    return this.run(machine, ['sh', '-c', aloud, 'sh', join(scripts, script), ...args], env);
  }

  /** The script dies before it calls `systemctl` with these words. */
  dieAt(machine: string, words: string): void {
    mkdirSync(this.path(machine), { recursive: true });
    writeFileSync(this.path(machine, 'die-at'), words);
  }

  /** The next call of `systemctl` with these words starts nothing and fails. */
  failAt(machine: string, words: string): void {
    writeFileSync(this.path(machine, 'fail-at'), words);
  }

  /** Cut off the power: what is on its disk stays. */
  async halt(machine: string, unit: string): Promise<void> {
    await this.run(machine, ['systemctl', 'kill', unit]);
  }

  destroy(machine: string): void {
    rmSync(this.path(machine), { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#holder, 'close');
    this.#holder.stdin?.end();
    await ended;
    rmSync(this.dir, { recursive: true, force: true });
  }
}
