/** A proxy at work as a process, on a node of its own: a network namespace with an API server, and all endpoints at hand. */
import { type ChildProcess, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { endpointSlices, nodes, serviceCidrs, services } from '../../../src/api/resource-types.ts';
import { FakeApiServer } from '../../../src/client/testing/fake-api-server.ts';
import { messageOf } from '../../../src/errors/known-error.ts';
import { mustRun, start, systemExec } from '../../../src/linux/exec.ts';
import { enterNetns } from '../../../src/linux/netns.ts';
import { endpointCidr, nodeIp, serviceCidr } from './objects.ts';

const apiPort = 8001;
const ticksPerSecond = 100;
/** Of the last words of a program; a crash of Node.js alone takes some thousands. */
const saidLength = 16_000;
const metricsPollMs = 50;

export interface Program {
  readonly name: string;
  /** To which `--config FILE` is added. */
  readonly command: readonly [string, ...string[]];
}

export const fairlead: Program = {
  name: 'fairlead',
  command: [join(import.meta.dirname, '../../../src/main/fairlead.sh'), 'proxy'],
};

/** The same for every program. */
function configuration(mode: string, kubeconfig: string): object {
  // Both apply a change at once: what is measured is work and not waiting.
  const section = { minSyncPeriod: '1ms', syncPeriod: '30s' };
  return {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    mode,
    clusterCIDR: endpointCidr,
    hostnameOverride: 'node1',
    clientConnection: { kubeconfig, contentType: 'application/json', acceptContentTypes: 'application/json', qps: 1000, burst: 1000 },
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
    nftables: section,
    iptables: section,
    ipvs: section,
  };
}

const kubeconfig = {
  apiVersion: 'v1',
  kind: 'Config',
  clusters: [{ name: 'c', cluster: { server: `http://127.0.0.1:${apiPort}` } }],
  contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
  users: [{ name: 'u', user: {} }],
  'current-context': 'c',
};

/** Makes the namespace, and moves the main thread there: programs that it starts are in there too. */
export async function enterNode(name: string): Promise<AsyncDisposable> {
  const ip = (line: string): Promise<string> => mustRun(systemExec, 'ip', line.split(' '));
  const remove = async (): Promise<void> => void (await systemExec.run('ip', ['netns', 'del', name]));
  // Who is interrupted takes it away: by then it must not be still to come.
  execFileSync('ip', ['netns', 'add', name]);
  try {
    await ip(`-n ${name} link set lo up`);
    await ip(`-n ${name} addr add ${nodeIp}/32 dev lo`);
    await ip(`-n ${name} route add local ${endpointCidr} dev lo`);
    await ip(`-n ${name} route add ${serviceCidr} dev lo src ${nodeIp}`);
    const inside = enterNetns(`/run/netns/${name}`);
    return {
      async [Symbol.asyncDispose]() {
        inside[Symbol.dispose]();
        await remove();
      },
    };
  } catch (err) {
    await remove();
    throw err;
  }
}

/** In the node that the thread has entered. */
export class Contestant implements AsyncDisposable {
  readonly api: FakeApiServer;
  readonly #dir: string;
  #process: ChildProcess | undefined;
  #said = '';
  /** How it ended, once all that it said was read. */
  #end: Promise<string> | undefined;

  private constructor(dir: string) {
    this.#dir = dir;
    this.api = new FakeApiServer([nodes, services, endpointSlices, serviceCidrs], (server) => server.listen(apiPort, '127.0.0.1'));
    const labels = { 'topology.kubernetes.io/zone': 'zone-a', 'kubernetes.io/hostname': 'node1' };
    const status = { addresses: [{ type: 'InternalIP', address: nodeIp }] };
    this.api.replace(nodes, [{ metadata: { name: 'node1', labels }, spec: { podCIDR: '10.244.1.0/24' }, status }]);
    this.api.replace(serviceCidrs, [{ metadata: { name: 'kubernetes' }, spec: { cidrs: [serviceCidr] } }]);
  }

  /** In one go: an interrupt finds all of it, or nothing. */
  static create(mode: string): Contestant {
    const dir = mkdtempSync(join(tmpdir(), 'fl-bench-'));
    const file = join(dir, 'kubeconfig');
    writeFileSync(file, JSON.stringify(kubeconfig));
    writeFileSync(join(dir, 'config'), JSON.stringify(configuration(mode, file)));
    return new Contestant(dir);
  }

  start({ command: [file, ...args] }: Program): void {
    const child = start(file, [...args, '--config', join(this.#dir, 'config')], { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (part) => {
        this.#said = (this.#said + String(part)).slice(-saidLength);
      });
    this.#end = new Promise((resolve) => child.once('close', (code, signal) => resolve(signal ?? `exit code ${code}`)));
    this.#process = child;
  }

  /** Throws when it has ended. */
  check(): void {
    if (hasEnded(this.#process)) throw new Error('it runs no more');
  }

  /** Rejects once it has ended: for who waits for what it does. */
  async ended(): Promise<never> {
    await this.#end;
    throw new Error('it runs no more');
  }

  /** A failure of the measurement with how the program ended, if it did, and what it said last. */
  async explained(err: unknown): Promise<Error> {
    const end = this.#process && hasEnded(this.#process) ? `, the program has ended with ${await this.#end}` : '';
    return new Error(`${messageOf(err)}${end}; it said:\n${this.#said}`, { cause: err });
  }

  /** All threads that this process, and the proxy if it runs, have by now. */
  async schedule(policy: 'fifo' | 'other'): Promise<void> {
    for (const pid of this.#process ? [process.pid, this.#process.pid] : [process.pid])
      await mustRun(systemExec, 'chrt', ['--all-tasks', `--${policy}`, '--pid', policy === 'fifo' ? '10' : '0', String(pid)]);
  }

  /** CPU seconds, those of the programs that it started included. */
  get cpu(): number {
    const stat = readFileSync(`/proc/${this.#process?.pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // utime, stime, cutime, cstime: proc(5).
    return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / ticksPerSecond;
  }

  /** Megabytes, shared pages by their share. */
  get memory(): number {
    const rollup = readFileSync(`/proc/${this.#process?.pid}/smaps_rollup`, 'utf8');
    return Number(/^Pss:\s+(\d+)/m.exec(rollup)?.[1]) / 1024;
  }

  /** Of its own metrics, the mean of a histogram in milliseconds, once there is one. */
  async meanMs(histogram: string): Promise<number> {
    for (;;) {
      const text = await page('http://127.0.0.1:10249/metrics');
      const lines = text.split('\n').filter((line) => line.startsWith(`kubeproxy_${histogram}_`) && !line.includes('"IPv6"'));
      const value = (suffix: string): number =>
        Number(
          lines
            .find((line) => line.startsWith(`kubeproxy_${histogram}_${suffix}`))
            ?.split(' ')
            .at(-1) ?? 0,
        );
      if (value('count') > 0) return (value('sum') / value('count')) * 1000;
      this.check();
      await sleep(metricsPollMs);
    }
  }

  /** Ends the proxy: its rules stay. */
  async stop(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (!hasEnded(child)) child?.kill('SIGTERM');
    await this.#end;
  }

  /** For a bench that is interrupted. */
  abandon(): void {
    this.#process?.kill('SIGKILL');
    rmSync(this.#dir, { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.api.close();
    await rm(this.#dir, { recursive: true });
  }
}

function hasEnded(child: ChildProcess | undefined): boolean {
  return child?.exitCode !== null || child.signalCode !== null;
}

function page(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get(url, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        body += part;
      });
      response.on('end', () => resolve(body));
    }).on('error', reject);
  });
}
