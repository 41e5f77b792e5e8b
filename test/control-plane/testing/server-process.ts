/** `fairlead server` with its controllers as a process, over any store, which may be started again and again. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { configMaps } from '../../../src/api/resource-types.ts';
import { ensureClusterPki } from '../../../src/bootstrap/pki.ts';
import { Client } from '../../../src/client/client.ts';
import { loadKubeconfig } from '../../../src/client/kubeconfig.ts';
import { eventually } from '../../../src/clock/testing/eventually.ts';
import { freePort } from '../../../src/ip/testing/free-port.ts';

export const program: string = join(import.meta.dirname, '../../../src/main/fairlead.ts');

export class ServerProcess {
  readonly dir: string;
  /** The URL of its store. */
  readonly store: string;
  readonly #port: number;
  #child: ChildProcess | undefined;
  #said = '';

  private constructor(dir: string, port: number, store = `sqlite://${dir}/state.db`) {
    this.dir = dir;
    this.store = store;
    this.#port = port;
  }

  /** Makes its keys; the store is a file of its own if none is given. */
  static async make(t: TestContext, store?: string): Promise<ServerProcess> {
    const server = new ServerProcess(await mkdtemp(join(tmpdir(), 'fairlead-server-')), await freePort(), store);
    t.after(async () => {
      await server.stop('SIGKILL');
      await rm(server.dir, { recursive: true });
    });
    await ensureClusterPki({
      dir: server.dir,
      cluster: 'kubernetes',
      server: `https://127.0.0.1:${server.#port}`,
      addresses: ['127.0.0.1'],
      names: [],
      serviceAddress: '10.96.0.1',
      clusterDomain: 'cluster.local',
      now: Date.now(),
    });
    return server;
  }

  /** What it has written to stderr. */
  get said(): string {
    return this.#said;
  }

  get isRunning(): boolean {
    return this.#child?.exitCode === null && this.#child.signalCode === null;
  }

  /** Gives a client of the administrator once it is answered. */
  async start(t: TestContext): Promise<Client> {
    const { dir } = this;
    const listen = ['--bind-address=127.0.0.1', '--advertise-address=192.0.2.1', `--secure-port=${this.#port}`];
    const folders = [`--pki-dir=${dir}`, `--kubeconfig-dir=${dir}`, `--data-dir=${dir}`];
    const args = [program, 'server', `--store=${this.store}`, '--parts=controller-manager', ...folders, ...listen];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    child.stderr.on('data', (chunk) => {
      this.#said += chunk;
    });
    this.#child = child;
    const client = new Client(await loadKubeconfig(join(dir, 'super-admin.conf')));
    t.after(() => client.close());
    await eventually('an answer of the server', () => client.list(configMaps, { namespace: 'kube-system' }));
    return client;
  }

  async stop(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (!child || !this.isRunning) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }
}
