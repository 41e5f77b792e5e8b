/** Real Redis servers and sentinels for tests: on free ports of loopback, their data in a folder of their own, ended with the test. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Redis, type RedisOptions } from 'ioredis';
import { freePort } from '../../ip/testing/free-port.ts';
import { here, type Place } from './place.ts';

/** Lines of redis.conf. */
type Settings = Readonly<Record<string, string>>;

/** As the store wants it; the newest writes are on the disk when they are acknowledged. */
const fit: Settings = {
  appendonly: 'yes',
  appendfsync: 'always',
  save: '""',
  'repl-diskless-sync-delay': '0',
  'maxmemory-policy': 'noeviction',
};

export class TestRedis implements AsyncDisposable {
  readonly port: number;
  readonly dir: string;
  readonly #settings: Settings;
  readonly #place: Place;
  readonly #sentinel: boolean;
  #child: ChildProcess | undefined;

  private constructor(port: number, settings: Settings, place: Place, sentinel: boolean) {
    this.port = port;
    this.dir = mkdtempSync(join(tmpdir(), 'fairlead-redis-'));
    this.#settings = settings;
    this.#place = place;
    this.#sentinel = sentinel;
  }

  /** One that the store takes; `settings` changes that. A port of TLS takes the place of the other one. */
  static async start(settings: Settings = {}, place: Place = here): Promise<TestRedis> {
    return TestRedis.#begin({ ...fit, ...settings }, place, false);
  }

  /**
   * Watches the primary as "mymaster". It replaces it when it is told to (`SENTINEL FAILOVER mymaster`): on a busy machine any short time of silence
   * would replace a primary that lives.
   */
  static async startSentinel(primary: TestRedis, quorum: number, downAfterMs = 60_000): Promise<TestRedis> {
    const settings = {
      'sentinel monitor': `mymaster 127.0.0.1 ${primary.port} ${quorum}`,
      'sentinel down-after-milliseconds': `mymaster ${downAfterMs}`,
      'sentinel failover-timeout': 'mymaster 3000',
    };
    return TestRedis.#begin(settings, here, true);
  }

  static async #begin(settings: Settings, place: Place, sentinel: boolean): Promise<TestRedis> {
    const server = new TestRedis(await freePort(), settings, place, sentinel);
    try {
      await server.restart();
      return server;
    } catch (err) {
      await server[Symbol.asyncDispose]();
      throw err;
    }
  }

  get url(): string {
    return `redis://${this.#place.host}:${this.port}/0`;
  }

  /** Starts the server on the port and the data that it had; returns when it takes connections. */
  async restart(): Promise<void> {
    const ports = 'tls-cert-file' in this.#settings ? { port: '0', 'tls-port': String(this.port) } : { port: String(this.port) };
    const { host, within, dir = this.dir } = this.#place;
    const all = { bind: host, dir, 'enable-debug-command': 'yes', ...ports, ...this.#settings };
    const config = join(this.dir, 'redis.conf');
    writeFileSync(
      config,
      Object.entries(all)
        .map(([name, value]) => `${name} ${value}\n`)
        .join(''),
    );
    const [program, ...words] = [...within, 'redis-server', config, ...(this.#sentinel ? ['--sentinel'] : [])] as [string, ...string[]];
    const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#child = child;
    const endWithUs = (): boolean => child.kill('SIGKILL');
    process.on('exit', endWithUs);
    child.on('exit', () => process.off('exit', endWithUs));
    const said: string[] = [];
    await new Promise<void>((resolve, reject) => {
      child.on('error', reject);
      child.on('exit', () => reject(new Error(`redis-server ended:\n${said.join('\n')}`)));
      createInterface({ input: child.stdout! }).on('line', (line) => {
        if (said.push(line) > 50) said.shift();
        if (/Ready to accept connections|\+monitor master/.test(line)) resolve();
      });
    });
  }

  /** Of the server that runs. */
  get pids(): readonly number[] {
    return this.#child?.pid === undefined ? [] : [this.#child.pid];
  }

  signal(name: NodeJS.Signals): void {
    this.#child?.kill(name);
  }

  /** As a power cut for the process; what the kernel has of its files stays. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  /** A client for one command after the other. */
  client(options: RedisOptions = {}): Redis {
    const client = new Redis({ port: this.port, host: '127.0.0.1', ...options, replyMapping: 'legacy' });
    client.on('error', () => {});
    return client;
  }

  /** One command on a connection of its own. */
  async command(...words: [string, ...string[]]): Promise<unknown> {
    const client = this.client();
    try {
      return await client.call(...words);
    } finally {
      client.disconnect();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    rmSync(this.dir, { recursive: true, force: true });
  }
}
