/** Real members of etcd for tests: on free ports of loopback, their data in a folder of their own, ended with the test. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePorts } from '../../ip/testing/free-port.ts';
import { createAuthority, issueCertificate } from '../../x509/authority.ts';
import { here, type Place } from './place.ts';

export interface EtcdOptions {
  readonly members?: number;
  /** Serves TLS, and takes clients with a certificate only. */
  readonly tls?: boolean;
  /** More arguments for every member. */
  readonly args?: readonly string[];
  /** A file of etcd's own snapshot, of which the cluster is made by `etcdctl`. */
  readonly snapshot?: string;
  /** Where each member runs. */
  readonly places?: readonly Place[];
  /** Another one than the first on the path. */
  readonly program?: string;
}

/** Where a member of a cluster listens. */
interface Ports {
  readonly client: number;
  /** Without TLS, for the test alone. */
  readonly gateway: number;
  readonly peer: number;
  readonly metrics: number;
}

export class TestEtcd implements AsyncDisposable {
  readonly dir: string = mkdtempSync(join(tmpdir(), 'fairlead-etcd-'));
  readonly #options: EtcdOptions;
  readonly #ports: readonly Ports[];
  readonly #children: (ChildProcess | undefined)[] = [];

  private constructor(options: EtcdOptions, ports: readonly Ports[]) {
    this.#options = options;
    this.#ports = ports;
  }

  /** Returns when the cluster takes writes. */
  static async start(options: EtcdOptions = {}): Promise<TestEtcd> {
    const members = options.members ?? 1;
    const free = await freePorts(4 * members);
    const ports = Array.from({ length: members }, (_, i) => {
      const [client, gateway, peer, metrics] = free.slice(i * 4) as [number, number, number, number];
      return { client, gateway, peer, metrics };
    });
    const etcd = new TestEtcd(options, ports);
    try {
      if (options.tls) await etcd.#makeCertificates();
      if (options.snapshot !== undefined) for (const member of ports.keys()) etcd.#restore(member, options.snapshot);
      await Promise.all(ports.map((_, member) => etcd.start(member)));
      return etcd;
    } catch (err) {
      await etcd[Symbol.asyncDispose]();
      throw err;
    }
  }

  get #scheme(): string {
    return this.#options.tls ? 'https' : 'http';
  }

  get endpoints(): string[] {
    return this.#ports.map(({ client }, member) => `${this.#scheme}://${this.#place(member).host}:${client}`);
  }

  #place(member: number): Place {
    return this.#options.places?.[member] ?? here;
  }

  /** The store's URL; with TLS, by the certificate of `client`, or without one. */
  url({ options = '', client = 'client', ca = 'ca' }: { options?: string; client?: string; ca?: string } = {}): string {
    const own = client === '' ? '' : `&cert-file=${this.file(`${client}.crt`)}&key-file=${this.file(`${client}.key`)}`;
    const tls = this.#options.tls ? `&ca-file=${this.file(`${ca}.crt`)}${own}` : '';
    return `etcd=${this.endpoints.join(',')}${`${options && `&${options}`}${tls}`.replace('&', '?')}`;
  }

  file(name: string): string {
    return join(this.dir, name);
  }

  /** The certificates of the cluster, and a client's `client.crt`; `stranger.crt` is of another authority. */
  async #makeCertificates(): Promise<void> {
    const now = Date.now();
    const write = (name: string, { certPem, keyPem }: { certPem: string; keyPem: string }): void => {
      writeFileSync(this.file(`${name}.crt`), certPem);
      writeFileSync(this.file(`${name}.key`), keyPem, { mode: 0o600 });
    };
    const ca = await createAuthority('etcd-ca', now);
    const other = await createAuthority('another-ca', now);
    write('ca', ca);
    write('other-ca', other);
    write('server', await issueCertificate(ca, { commonName: 'etcd', ips: [here.host], usages: ['server', 'client'] }, now));
    write('client', await issueCertificate(ca, { commonName: 'root', usages: ['client'] }, now));
    write('reader', await issueCertificate(ca, { commonName: 'reader', usages: ['client'] }, now));
    write('objects', await issueCertificate(ca, { commonName: 'objects', usages: ['client'] }, now));
    write('stranger', await issueCertificate(other, { commonName: 'root', usages: ['client'] }, now));
  }

  /** Starts a member with the data that it had; returns when it takes writes, or at once if it is in a network of its own. */
  async start(member = 0): Promise<void> {
    const child = this.launch(member);
    const { host } = this.#place(member);
    if (host !== here.host) return;
    const said: string[] = [];
    createInterface({ input: child.stderr! }).on('line', (line) => {
      if (said.push(line) > 50) said.shift();
    });
    const { metrics } = this.#ports[member]!;
    for (;;) {
      if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null)
        throw new Error(`etcd ended with ${child.exitCode ?? child.signalCode}:\n${said.join('\n')}`);
      const answer = await fetch(`http://${host}:${metrics}/health`).catch(() => undefined);
      if (answer?.ok) return;
      await sleep(20);
    }
  }

  #peerUrl(member: number): string {
    return `http://${this.#place(member).host}:${this.#ports[member]!.peer}`;
  }

  /** Who it is among the others, and where its data lie. */
  #membership(member: number): string[] {
    return [
      `--name=m${member}`,
      `--data-dir=${this.#place(member).dir ?? this.file(`m${member}`)}`,
      `--initial-cluster=${this.#ports.map((_, i) => `m${i}=${this.#peerUrl(i)}`).join(',')}`,
      `--initial-cluster-token=${this.dir}`,
      `--initial-advertise-peer-urls=${this.#peerUrl(member)}`,
    ];
  }

  #restore(member: number, snapshot: string, bumpRevision = 0): void {
    // Only this one, from 3.5.10 on, raises revisions.
    const program = bumpRevision > 0 ? 'etcdutl' : 'etcdctl';
    const bump = bumpRevision > 0 ? [`--bump-revision=${bumpRevision}`, '--mark-compacted'] : [];
    execFileSync(program, ['snapshot', 'restore', snapshot, ...bump, ...this.#membership(member)], { stdio: ['ignore', 'ignore', 'pipe'] });
  }

  /** Starts a member, and does not wait for it. */
  launch(member = 0): ChildProcess {
    const { client, gateway, metrics } = this.#ports[member]!;
    const { host, within } = this.#place(member);
    const tls = this.#options.tls
      ? [
          `--cert-file=${this.file('server.crt')}`,
          `--key-file=${this.file('server.key')}`,
          `--trusted-ca-file=${this.file('ca.crt')}`,
          '--client-cert-auth',
        ]
      : [];
    const args = [
      ...this.#membership(member),
      `--listen-client-urls=${this.#scheme}://${host}:${client},http://${host}:${gateway}`,
      `--advertise-client-urls=${this.#scheme}://${host}:${client}`,
      `--listen-peer-urls=${this.#peerUrl(member)}`,
      `--listen-metrics-urls=http://${host}:${metrics}`,
      '--logger=zap',
      '--log-level=fatal',
      // One member alone need not give others time to answer.
      ...(this.#ports.length === 1 ? ['--heartbeat-interval=10', '--election-timeout=100'] : []),
      ...tls,
      ...(this.#options.args ?? []),
    ];
    const [program, ...words] = [...within, this.#options.program ?? 'etcd', ...args] as [string, ...string[]];
    const child = spawn(program, words, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#children[member] = child;
    const endWithUs = (): boolean => child.kill('SIGKILL');
    process.on('exit', endWithUs);
    child.on('exit', () => process.off('exit', endWithUs));
    child.on('error', () => {});
    return child;
  }

  /** A call by the JSON gateway of the first member: `lease/leases`. */
  async ask(path: string, body: object = {}): Promise<Record<string, unknown>> {
    const answer = await fetch(`http://${this.#place(0).host}:${this.#ports[0]!.gateway}/v3/${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`etcd answers ${answer.status} to ${path}: ${await answer.text()}`);
    return (await answer.json()) as Record<string, unknown>;
  }

  /** Of the members that were started. */
  get pids(): readonly number[] {
    return this.#children.flatMap((child) => child?.pid ?? []);
  }

  signal(name: NodeJS.Signals, member = 0): void {
    this.#children[member]?.kill(name);
  }

  /** As a power cut for the process; what the kernel has of its files stays. */
  async kill(member = 0): Promise<void> {
    const child = this.#children[member];
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  /** Notes the state of the only member; gives what sets it back to that. It is started anew both times. */
  async keep(): Promise<() => Promise<void>> {
    const [now, then] = [this.file('m0'), this.file('then')];
    await this.kill();
    await cp(now, then, { recursive: true });
    await this.start();
    return async () => {
      await this.kill();
      await rm(now, { recursive: true });
      await rename(then, now);
      await this.start();
    };
  }

  /**
   * As `keep`, by a snapshot of `etcdctl`'s, of which the only member is made anew: the cluster is the same by all that etcd tells. Its revision is
   * raised by `bumpRevision`, which needs `etcdutl`.
   */
  keepSnapshot(bumpRevision = 0): () => Promise<void> {
    const snapshot = this.file('snapshot.db');
    const gateway = `http://${here.host}:${this.#ports[0]!.gateway}`;
    execFileSync('etcdctl', ['--endpoints', gateway, 'snapshot', 'save', snapshot], { stdio: ['ignore', 'ignore', 'pipe'] });
    return async () => {
      await this.kill();
      await rm(this.file('m0'), { recursive: true });
      this.#restore(0, snapshot, bumpRevision);
      await this.start();
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#children.map((_, member) => this.kill(member)));
    rmSync(this.dir, { recursive: true, force: true });
  }
}
