/** A DNS server fed by a real API server in memory, a resolver elsewhere, and dig. */
import { createSocket } from 'node:dgram';
import packet from 'dns-packet';
import { TestServer } from '../../src/apiserver/testing/test-server.ts';
import { Client } from '../../src/client/client.ts';
import { InformerSet } from '../../src/client/informers.ts';
import { systemClock } from '../../src/clock/clock.ts';
import { readResolverReply } from '../../src/dns/message/resolver-reply.ts';
import type { Next } from '../../src/dns/plugin/plugin.ts';
import { type DnsServer, startDnsServer } from '../../src/dns/server/server.ts';
import { type Dns, type DnsOptions, startDns } from '../../src/dns/start.ts';
import { systemExec } from '../../src/linux/exec.ts';
import { type Log, silentLog } from '../../src/observability/log.ts';

export interface Dug {
  readonly status: string;
  readonly flags: readonly string[];
  readonly answers: readonly string[];
  readonly authority: readonly string[];
  readonly additional: readonly string[];
  readonly text: string;
}

/** `args` as on dig's command line. Records are given without ttl and class, sorted. */
export async function dig(port: number, args: string): Promise<Dug> {
  const { stdout } = await systemExec.run('dig', ['@127.0.0.1', '-p', String(port), '+tries=1', '+time=6', ...args.split(' ')]);
  const section = (name: string): string[] => {
    const from = stdout.indexOf(`;; ${name} SECTION:\n`);
    if (from < 0) return [];
    const lines = stdout.slice(from).split('\n').slice(1);
    return lines
      .slice(0, lines.indexOf(''))
      .map((line) => line.replace(/\s+/g, ' ').replace(/^(\S+) \d+ IN /, '$1 '))
      .sort();
  };
  return {
    status: /status: (\w+)/.exec(stdout)?.[1] ?? '',
    flags: /flags: ([a-z ]*);/.exec(stdout)?.[1]?.split(' ') ?? [],
    answers: section('ANSWER'),
    authority: section('AUTHORITY'),
    additional: section('ADDITIONAL'),
    text: stdout,
  };
}

/** A resolver that knows a few names: `example.com` has an address, `big.example.com` too many for UDP, `gone.example.com` nothing. */
export const resolverAnswer: Next = ({ query }) => {
  const bytes = packet.encode({
    type: 'response',
    id: 1,
    flags: packet.RECURSION_AVAILABLE | (query.name === 'gone.example.com' ? 3 : 0),
    questions: [{ type: 'A', name: query.name }],
    answers:
      query.name === 'example.com'
        ? [{ type: 'A', name: query.name, ttl: 60, data: '192.0.2.80' }]
        : query.name === 'big.example.com'
          ? Array.from({ length: 300 }, (_, i) => ({ type: 'A' as const, name: query.name, ttl: 60, data: `192.0.2.${i % 250}` }))
          : [],
    authorities: query.name === 'gone.example.com' ? [{ type: 'SOA', name: 'example.com', ttl: 60, data: soa }] : [],
  });
  const reply = readResolverReply(bytes, query.questionEnd);
  if (!reply) throw new Error('the test made a malformed message');
  return reply;
};
const soa = { mname: 'ns.example.com', rname: 'x.example.com', serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 60 };

export function startResolver(answer: Next = resolverAnswer): Promise<DnsServer> {
  return startDnsServer({ address: '127.0.0.1', port: 0, answer, log: silentLog });
}

/** A resolver that answers each datagram with `bytes`. */
export async function startBrokenResolver(bytesFor: (message: Buffer) => Buffer): Promise<{ port: number; close(): void }> {
  const socket = createSocket('udp4');
  socket.on('message', (message, from) => socket.send(bytesFor(message), from.port, from.address));
  await new Promise<void>((done) => socket.bind(0, '127.0.0.1', done));
  return { port: socket.address().port, close: () => socket.close() };
}

export class DnsCluster {
  readonly api: TestServer;
  readonly #clients: Client[] = [];
  readonly #running: { readonly dns: Dns; readonly end: AbortController }[] = [];

  private constructor(api: TestServer) {
    this.api = api;
  }

  static async start(): Promise<DnsCluster> {
    return new DnsCluster(await TestServer.start());
  }

  async client(user: string, ...groups: readonly string[]): Promise<Client> {
    const client = new Client({ server: this.api.url, ca: this.api.pki.ca, ...(await this.api.pki.client(user, ...groups)) });
    this.#clients.push(client);
    return client;
  }

  /** A server that is synced; `stop` ends it cleanly. */
  async dns(
    client: Client,
    options: Partial<DnsOptions> = {},
  ): Promise<{ readonly dns: Dns; readonly port: number; stop(): Promise<void> }> {
    const end = new AbortController();
    const informers = new InformerSet(client, { clock: options.clock ?? systemClock });
    const dns = await startDns({
      client,
      informers,
      zone: 'cluster.local',
      address: '127.0.0.1',
      port: 0,
      upstreams: () => [],
      ranges: ['10.244.0.0/16', '10.96.0.0/16'],
      lameduckMs: 0,
      clock: systemClock,
      log: silentLog,
      signal: end.signal,
      ...options,
    });
    const running = { dns, end };
    this.#running.push(running);
    void informers.start(end.signal);
    await dns.synced;
    return {
      dns,
      port: dns.port,
      async stop() {
        end.abort();
        await dns.stopped;
      },
    };
  }

  async stop(): Promise<void> {
    for (const { end } of this.#running) end.abort();
    await Promise.all(this.#running.map(({ dns }) => dns.stopped));
    for (const client of this.#clients) client.close();
    await this.api.stop();
  }
}

/** A log that keeps what went wrong. */
export function keepingLog(lines: string[]): Log {
  const log: Log = { ...silentLog, warn: (text) => lines.push(text), error: (text) => lines.push(text), child: () => log };
  return log;
}
