/** An API server at work as a process, over a store of its own that syncs every write to the disk. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { TestPki } from '../../../src/apiserver/testing/test-pki.ts';
import { freePorts } from '../../../src/ip/testing/free-port.ts';
import { TestEtcd } from '../../../src/storage/testing/etcd.ts';
import { serverArguments } from '../../interop/testing/kube-apiserver.ts';
import { Caller } from './caller.ts';

const ticksPerSecond = 100;
const saidLength = 4000;
const pollMs = 50;

export interface Program {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  /** The program that holds its objects; without one, SQLite does. */
  readonly etcd?: string;
}

export class Contestant implements AsyncDisposable {
  readonly caller: Caller;
  readonly #dir: string;
  readonly #process: ChildProcess;
  readonly #etcd: TestEtcd | undefined;
  #said = '';

  private constructor(caller: Caller, dir: string, child: ChildProcess, etcd: TestEtcd | undefined) {
    this.caller = caller;
    this.#dir = dir;
    this.#process = child;
    this.#etcd = etcd;
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (part) => {
        this.#said = (this.#said + String(part)).slice(-saidLength);
      });
  }

  /** Returns when it is ready. */
  static async start({ command: [file, ...words], etcd: program }: Program): Promise<Contestant> {
    const dir = await mkdtemp(join(tmpdir(), 'fairlead-bench-'));
    const pki = await TestPki.create();
    const etcd = program === undefined ? undefined : await TestEtcd.start({ program });
    const [port] = await freePorts(1);
    const store = etcd ? `--etcd-servers=${etcd.endpoints.join(',')}` : `--store=sqlite://${join(dir, 'state.db')}`;
    const common = await serverArguments(dir, pki, port!);
    const kubelet = [`--kubelet-client-certificate=${dir}/server.crt`, `--kubelet-client-key=${dir}/server.key`];
    const args = [...words, store, '--authorization-mode=Node,RBAC', ...common, ...kubelet];
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const caller = new Caller(`https://127.0.0.1:${port}`, { ca: pki.ca, ...(await pki.client('bench', 'system:masters')) });
    const started = new Contestant(caller, dir, child, etcd);
    try {
      for (const path of ['/readyz', '/api/v1/namespaces/default'])
        while (!(await caller.call('GET', path).catch(() => undefined))) {
          started.check();
          await sleep(pollMs);
        }
    } catch (cause) {
      await started[Symbol.asyncDispose]();
      throw new Error(`${file} does not start: ${started.#said}`, { cause });
    }
    return started;
  }

  /** Throws when it has ended. */
  check(): void {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) throw new Error(`The API server has ended: ${this.#said}`);
  }

  get #pids(): readonly number[] {
    return [this.#process.pid!, ...(this.#etcd?.pids ?? [])];
  }

  /** CPU seconds, those of its store included. */
  get cpu(): number {
    return this.#pids.reduce((sum, pid) => {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      // utime and stime: proc(5).
      const fields = stat
        .slice(stat.lastIndexOf(')') + 2)
        .split(' ')
        .slice(11, 13);
      return sum + fields.reduce((all, ticks) => all + Number(ticks), 0) / ticksPerSecond;
    }, 0);
  }

  /** Megabytes, shared pages by their share: its own, and those of its store. */
  get memory(): { readonly own: number; readonly all: number } {
    const sizes = this.#pids.map((pid) => Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]) / 1024);
    return { own: sizes[0]!, all: sizes.reduce((sum, size) => sum + size, 0) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.caller.close();
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const closed = once(this.#process, 'close');
      this.#process.kill('SIGKILL');
      await closed;
    }
    await this.#etcd?.[Symbol.asyncDispose]();
    await rm(this.#dir, { recursive: true });
  }
}
