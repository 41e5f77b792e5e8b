/** A whole API server on a free port over a store in memory, and a client that speaks plain HTTPS to it. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { systemClock } from '../../clock/clock.ts';
import { silentLog } from '../../observability/log.ts';
import { MemoryStore } from '../../storage/memory/memory-store.ts';
import type { Store } from '../../storage/store.ts';
import { type ApiServer, createApiServer } from '../apiserver.ts';
import type { ApiServerOptions } from '../options.ts';
import { type Pem, TestPki } from './test-pki.ts';

/** JSON of which a test knows the shape. */
// biome-ignore lint/suspicious/noExplicitAny: a test that reads a wrong field fails anyway
export type Json = any;

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Json;
  readonly text: string;
}

export interface CallOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly type?: string;
}

export interface TestServerOptions {
  /** One range, or one of each family with a comma between them. */
  readonly serviceCidr?: string;
  readonly maxTokenSeconds?: number;
  readonly admission?: ApiServerOptions['admission'];
  readonly foreign?: ApiServerOptions['foreign'];
  readonly registry?: ApiServerOptions['registry'];
  /** Another server of the same cluster: over the same store, with the same authority and keys. */
  readonly beside?: TestServer;
  readonly advertiseAddress?: string;
}

export class TestServer {
  readonly server: ApiServer;
  readonly store: Store;
  readonly pki: TestPki;
  /** Whose certificates speak for others. */
  readonly frontProxy: TestPki;
  readonly dir: string;
  readonly #agents: Agent[] = [];
  readonly #admin: Agent;

  private constructor(parts: { server: ApiServer; store: Store; pki: TestPki; frontProxy: TestPki; dir: string; admin: Pem }) {
    this.server = parts.server;
    this.store = parts.store;
    this.pki = parts.pki;
    this.frontProxy = parts.frontProxy;
    this.dir = parts.dir;
    this.#admin = this.agent(parts.admin);
  }

  static async start(store: Store = new MemoryStore(), options: TestServerOptions = {}): Promise<TestServer> {
    const { beside } = options;
    const pki = beside?.pki ?? (await TestPki.create());
    const dir = beside?.dir ?? (await mkdtemp(join(tmpdir(), 'fairlead-apiserver-')));
    const keyFile = join(dir, 'sa.key');
    if (!beside) {
      const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
      await writeFile(keyFile, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
    }
    const frontProxy = beside?.frontProxy ?? (await TestPki.create());
    const server = await createApiServer({
      store,
      listen: { host: '127.0.0.1', port: 0 },
      tls: { ...(await pki.server()), clientCa: pki.ca },
      serviceAccounts: { issuer: 'https://kubernetes.default.svc', keyFiles: [keyFile], maxExpirationSeconds: options.maxTokenSeconds },
      admission: options.admission,
      foreign: options.foreign,
      registry: options.registry,
      serviceCidrs: (options.serviceCidr ?? '10.96.0.0/16').split(','),
      nodePortRange: '30000-32767',
      frontProxyCa: frontProxy.ca,
      proxyClient: await frontProxy.client('front-proxy-client'),
      advertiseAddress: options.advertiseAddress ?? '192.0.2.1',
      kubeletClient: { ...(await pki.client('kube-apiserver-kubelet-client')), ca: pki.ca },
      clock: systemClock,
      log: silentLog,
    });
    return new TestServer({ server, store, pki, frontProxy, dir, admin: await pki.client('admin', 'system:masters') });
  }

  get url(): string {
    return `https://127.0.0.1:${this.server.address.port}`;
  }

  /** Connections that show a certificate. */
  agent(pem?: Pem): Agent {
    const agent = new Agent({ keepAlive: true, ca: this.pki.ca, ...pem });
    this.#agents.push(agent);
    return agent;
  }

  async stop(): Promise<void> {
    await this.server.close();
    this.disconnect();
    await this.store.close();
    await rm(this.dir, { recursive: true, force: true });
  }

  /** Ends the connections of the client. */
  disconnect(): void {
    for (const agent of this.#agents) agent.destroy();
  }

  /** An object as body is sent as JSON, a Buffer or text as it is. */
  async call(method: string, path: string, body?: object | string, options: CallOptions & { readonly agent?: Agent } = {}): Promise<Reply> {
    const answer = await this.open(method, path, body, options);
    const chunks: Buffer[] = [];
    for await (const chunk of answer) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    return { status: answer.statusCode ?? 0, headers: answer.headers, text, body: parsed(text) };
  }

  /** The head of the answer; its body is the caller's to read. */
  open(
    method: string,
    path: string,
    body?: object | string,
    options: CallOptions & { readonly agent?: Agent } = {},
  ): Promise<IncomingMessage> {
    const bytes = body === undefined || Buffer.isBuffer(body) || typeof body === 'string' ? body : JSON.stringify(body);
    const type = options.type ?? (bytes === undefined ? undefined : 'application/json');
    // Node sends the body of a DELETE without saying how long it is, unless told.
    const length = bytes === undefined ? {} : { 'content-length': Buffer.byteLength(bytes as string | Buffer) };
    const headers = { ...options.headers, ...(type ? { 'content-type': type } : {}), ...length };
    return new Promise((resolve, reject) => {
      const req = request(this.url + path, { method, headers, agent: options.agent ?? this.#admin }, resolve);
      req.on('error', reject);
      req.end(bytes);
    });
  }

  async watch(path: string, options: CallOptions & { readonly agent?: Agent } = {}): Promise<TestWatch> {
    return new TestWatch(await this.open('GET', path, undefined, options));
  }
}

function parsed(text: string): Json {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const deadlineMs = 90_000;

/** The events of a watch, one at a time. */
export class TestWatch {
  readonly answer: Readable;
  #lines: string[] = [];
  #rest = '';
  #ended = false;
  #wake: () => void = () => {};

  constructor(answer: Readable) {
    this.answer = answer;
    answer.setEncoding('utf8');
    answer.on('data', (text: string) => {
      const parts = (this.#rest + text).split('\n');
      this.#rest = parts.pop() ?? '';
      this.#lines.push(...parts);
      this.#wake();
    });
    for (const name of ['end', 'error', 'close']) {
      answer.on(name, () => {
        this.#ended = true;
        this.#wake();
      });
    }
  }

  /** The next event, or undefined at the end of the stream. Fails when nothing comes for a minute and a half. */
  async next(): Promise<Json> {
    const late = setTimeout(() => this.#wake(), deadlineMs);
    const until = Date.now() + deadlineMs;
    try {
      while (this.#lines.length === 0) {
        if (this.#ended) return undefined;
        if (Date.now() >= until) throw new Error('no event of the watch within a minute and a half');
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
      return JSON.parse(this.#lines.shift()!);
    } finally {
      clearTimeout(late);
    }
  }

  /** `ADDED web`, `MODIFIED web` … of the next `count` events. */
  async names(count: number): Promise<string[]> {
    const out: string[] = [];
    for (let i = 0; i < count; i++) {
      const event = await this.next();
      out.push(`${event?.type} ${event?.object?.metadata?.name ?? ''}`.trim());
    }
    return out;
  }

  close(): void {
    this.answer.destroy();
  }
}
