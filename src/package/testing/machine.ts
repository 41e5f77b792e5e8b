/**
 * A machine of its own for what is installed: namespaces for network, mounts and processes around a root directory. Nothing of it is left at its end.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureClusterPki, ensureNodePki } from '../../bootstrap/pki.ts';
import { type ExecResult, mustRun, start, systemExec } from '../../linux/exec.ts';

const address = '192.168.77.1';
const node = 'only';

/** Gets the root as `$0`. A default route is what the agent finds its own link by. */
const boot = `set -e
cd "$0"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t tmpfs tmpfs dev
# Compiled code is kept where nobody else may write.
mount -t tmpfs -o mode=755 tmpfs var/cache
mknod -m 666 dev/null c 1 3
mknod -m 666 dev/random c 1 8
mknod -m 666 dev/urandom c 1 9
ip link set lo up
ip link add eth0 type veth peer name eth1
ip address add ${address}/24 dev eth0
ip link set eth0 up
ip link set eth1 up
ip route add default via 192.168.77.2
echo booted
# It takes leave of every process that has lost its parent.
sleep infinity &
wait`;

/** Starts a program, and tells how long it took until a URL answers 200. Runs on the machine, by the Node.js of the package. */
const startProgram = `
import { spawn } from 'node:child_process';
import { openSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
const [url, log, program, ...args] = process.argv.slice(1);
const get = url.startsWith('https:') ? https.get : http.get;
const answers = () => new Promise((resolve) => {
  const request = get(url, { rejectUnauthorized: false, agent: false }, (response) => {
    response.resume();
    response.on('end', () => resolve(response.statusCode === 200));
  });
  request.on('error', () => resolve(false));
});
const said = openSync(log, 'a');
const began = performance.now();
const child = spawn(program, args, { detached: true, stdio: ['ignore', said, said] });
child.on('exit', (code) => { console.error(program + ' ended with ' + code); process.exit(1); });
while (!(await answers())) await new Promise((resolve) => setTimeout(resolve, 2));
console.log(JSON.stringify({ pid: child.pid, ms: performance.now() - began }));
process.exit(0);
`;

/** A program at work on the machine: its process there, and milliseconds until it was ready. */
export interface Started {
  readonly pid: number;
  readonly ms: number;
}

export interface Weight {
  /** All of it, also what others share, and what nobody could have without it; in MB. */
  readonly resident: number;
  readonly own: number;
}

export class Machine implements AsyncDisposable {
  readonly #root: string;
  /** Where the files of its root are seen from outside. */
  readonly #files: string;
  readonly #init: ChildProcess;

  private constructor(root: string, files: string, init: ChildProcess) {
    this.#root = root;
    this.#files = files;
    this.#init = init;
  }

  /** `root` has programs in it; it gets a cluster's keys. With `over`, that directory is seen at `root`. */
  static async boot(root: string, over?: string): Promise<Machine> {
    const bind =
      over === undefined
        ? ''
        : // Control groups are the machine's that this runs on.
          `mount --rbind ${over} "$0"\numount -R "$0/sys"\n`;
    const init = start(
      'unshare',
      ['--net', '--mount', '--pid', '--fork', '--kill-child', '--propagation', 'private', 'sh', '-c', bind + boot, root],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    const said = await Promise.race([once(init.stdout!, 'data'), once(init.stderr!, 'data'), once(init, 'exit')]);
    if (String(said[0]) === 'booted\n') return new Machine(root, over ?? root, init);
    throw new Error(`Cannot boot a machine: ${said[0]}`);
  }

  #inside(command: readonly string[]): string[] {
    // The first process of the new PID namespace is the child of unshare.
    const enter = 'exec nsenter --target "$(cat "/proc/$0/task/$0/children" | cut -d " " -f 1)" --net --mount --pid chroot "$@"';
    const env = ['env', '-i', 'PATH=/usr/sbin:/usr/bin', 'HOME=/root', 'LC_ALL=C.UTF-8'];
    return ['-c', enter, String(this.#init.pid), this.#root, ...env, ...command];
  }

  run(...command: readonly string[]): Promise<ExecResult> {
    return systemExec.run('sh', this.#inside(command), { timeoutMs: 180_000 });
  }

  /** Runs what must succeed, and gives what it says. */
  async must(...command: readonly string[]): Promise<string> {
    return await mustRun(systemExec, 'sh', this.#inside(command), { timeoutMs: 180_000 });
  }

  async #start(nodePath: string, url: string, log: string, ...command: readonly string[]): Promise<Started> {
    return JSON.parse(await this.must(nodePath, '--input-type=module', '--eval', startProgram, url, log, ...command)) as Started;
  }

  /** Keys of a cluster with one node, where `server` and `agent` look for them; `below` is a directory of the root. */
  async makeKeys(below: string): Promise<void> {
    const dir = join(this.#files, below);
    await mkdir(dir, { recursive: true });
    const cluster = { cluster: 'one', server: `https://${address}:6443`, now: Date.now() };
    const pki = join(dir, 'pki');
    const names = { addresses: [address, '127.0.0.1'], names: ['localhost'], serviceAddress: '10.96.0.1', clusterDomain: 'cluster.local' };
    await ensureClusterPki({ ...cluster, ...names, dir: pki });
    await ensureNodePki({ ...cluster, pkiDir: pki, dir: join(dir, 'node'), node, addresses: [address] });
  }

  /** `fairlead server`, until the API server is ready. */
  startServer(nodePath: string, program: string, below: string): Promise<Started> {
    const flags = ['--pki-dir', `/${below}/pki`, '--data-dir', `/${below}/server`, '--advertise-address', address];
    return this.#start(nodePath, 'https://127.0.0.1:6443/readyz', `/${below}/server.log`, program, 'server', ...flags);
  }

  /** `fairlead agent`, until each of its parts is well. It finds no container runtime, and waits for one. */
  startAgent(nodePath: string, program: string, below: string): Promise<Started> {
    const dirs = {
      'kubeconfig-dir': 'node',
      'tls-dir': 'node',
      'state-dir': 'agent',
      'run-dir': 'run',
      'root-dir': 'kubelet',
      'cni-bin-dir': 'bin',
      'cni-conf-dir': 'conf',
    };
    const flags = Object.entries(dirs).flatMap(([flag, dir]) => [`--${flag}`, `/${below}/${dir}`]);
    const own = ['--node-name', node, '--node-ip', address, '--healthz-bind-address', '127.0.0.1:10248'];
    return this.#start(nodePath, 'http://127.0.0.1:10248/healthz', `/${below}/agent.log`, program, 'agent', ...own, ...flags);
  }

  async weigh({ pid }: Started): Promise<Weight> {
    const text = await this.must('cat', `/proc/${pid}/smaps_rollup`);
    const megabytes = (field: string): number => Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(text)?.[1]) / 1024;
    return { resident: megabytes('Rss'), own: megabytes('Private_Dirty') };
  }

  /** Ends it as systemd does, and waits. */
  async stop({ pid }: Started): Promise<void> {
    await this.must('sh', '-c', 'kill "$0"; while [ -e "/proc/$0" ]; do sleep 0.05; done', String(pid));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#init, 'exit');
    this.#init.kill('SIGKILL');
    await ended;
  }
}
