/** `fairlead proxy` as a process in a network namespace, with an API server there whose objects a test gives. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { endpointSlices, nodes, pods, serviceCidrs, services } from '../../../src/api/resource-types.ts';
import { FakeApiServer } from '../../../src/client/testing/fake-api-server.ts';
import { type Exec, type ExecResult, start, systemExec } from '../../../src/linux/exec.ts';
import { inNetns } from '../../../src/linux/netns.ts';

const port = 8001;
/** A kernel that is emulated starts a program in ten seconds. */
const patienceMs = 300_000;
/** Between two looks, which take at most half of the time: in such a kernel they are dear, and what is waited for needs the CPU. */
const [leastPauseMs, pausePerLook] = [20, 1];
/** FAIRLEAD_PROGRAM=PATH is one that is installed in place of the sources, which an emulated CPU is long at. */
const installed: readonly string[] = process.env.FAIRLEAD_PROGRAM
  ? [process.env.FAIRLEAD_PROGRAM]
  : [process.execPath, 'src/main/fairlead.ts'];
const kubeconfigText = JSON.stringify({
  apiVersion: 'v1',
  kind: 'Config',
  clusters: [{ name: 'c', cluster: { server: `http://127.0.0.1:${port}` } }],
  contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
  users: [{ name: 'u', user: {} }],
  'current-context': 'c',
});

export class ProxyProgram implements AsyncDisposable {
  readonly api: FakeApiServer;
  /** For files of the test. */
  readonly dir: string;
  readonly #namespace: string;
  readonly #shell: Exec | undefined;
  #program: ReturnType<typeof start> | undefined;
  /** The last of what it wrote. */
  said = '';

  private constructor(namespace: string, dir: string, shell: Exec | undefined) {
    this.#namespace = namespace;
    this.#shell = shell;
    this.dir = dir;
    // Without a host, since looking one up takes until this thread is out of the namespace again.
    this.api = new FakeApiServer([nodes, services, endpointSlices, serviceCidrs, pods], (server) =>
      inNetns(namespace, () => server.listen(port)),
    );
  }

  /** On a node that is called node1 and has these addresses. `shell` runs programs in the namespace where this process is slow at it. */
  static async create(namespace: string, nodeIps: readonly string[], shell?: Exec): Promise<ProxyProgram> {
    const program = new ProxyProgram(namespace, await mkdtemp(join(tmpdir(), 'fairlead-proxy-')), shell);
    const addresses = nodeIps.map((address) => ({ type: 'InternalIP', address }));
    program.api.replace(nodes, [{ metadata: { name: 'node1' }, status: { addresses } }]);
    program.api.replace(serviceCidrs, [{ metadata: { name: 'kubernetes' }, spec: { cidrs: ['10.96.0.0/16', 'fd00:10:96::/112'] } }]);
    await writeFile(program.kubeconfig, kubeconfigText);
    return program;
  }

  get kubeconfig(): string {
    return join(this.dir, 'kubeconfig.conf');
  }

  get configuration(): string {
    return join(this.dir, 'config.conf');
  }

  /** Writes a KubeProxyConfiguration with these further lines. */
  async configure(lines: string): Promise<void> {
    const head = 'apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n';
    await writeFile(this.configuration, `${head}clientConnection: { kubeconfig: ${this.kubeconfig} }\n${lines}`);
  }

  /** In the namespace. */
  exec(file: string, ...args: string[]): Promise<ExecResult> {
    if (this.#shell) return this.#shell.run(file, args);
    return systemExec.run('ip', ['netns', 'exec', this.#namespace.slice('/run/netns/'.length), file, ...args], { timeoutMs: patienceMs });
  }

  /** Another `fairlead` command, to its end. */
  fairlead(...words: string[]): Promise<ExecResult> {
    const [file = '', ...first] = installed;
    return this.exec(file, ...first, ...words);
  }

  run(...flags: string[]): void {
    this.runAs([...installed, 'proxy'], flags);
  }

  /** Another proxy in its place. */
  runAs(program: readonly string[], flags: readonly string[]): void {
    const command = [...program, ...flags];
    this.#program = start('ip', ['netns', 'exec', this.#namespace.slice('/run/netns/'.length), ...command], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#program.stdout, this.#program.stderr])
      stream?.on('data', (part) => {
        this.said = (this.said + String(part)).slice(-4000);
      });
  }

  get pid(): number | undefined {
    return this.#program?.pid;
  }

  async until(isSo: () => Promise<boolean>): Promise<void> {
    const deadline = Date.now() + patienceMs;
    for (let begun = performance.now(); !(await isSo()); begun = performance.now()) {
      assert.ok(Date.now() < deadline && this.#program?.exitCode === null, this.said);
      await sleep(Math.max(leastPauseMs, pausePerLook * (performance.now() - begun)));
    }
  }

  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const program = this.#program;
    if (!program || program.exitCode !== null || program.signalCode !== null) return;
    const closed = new Promise((resolve) => program.once('close', resolve));
    program.kill(signal);
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.api.close();
    await rm(this.dir, { recursive: true });
  }
}
