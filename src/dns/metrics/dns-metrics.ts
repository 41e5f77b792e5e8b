/**
 * CoreDNS's metrics of the server itself, under CoreDNS's names; each plugin registers its own. Counting is a few additions per question;
 * prom-client sees the sums only when somebody reads them.
 */
import Registry from 'prom-client/lib/registry.js';
import { isWithin, TYPE } from '../message/names.ts';
import type { Client, Transport } from '../plugin/plugin.ts';
import type { ReplyInfo } from '../server/responder.ts';
import { Tally } from './counter.ts';
import { Distribution } from './distribution.ts';

const secondsBuckets = [0.00025, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 2.048, 4.096, 8.192];
const bytesBuckets = [0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16e3, 32e3, 48e3, 64e3];
const rcodes = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED'];
const types = new Map<number, string>([...Object.entries(TYPE).map(([name, n]) => [n, name] as const), [65, 'HTTPS'], [64, 'SVCB']]);
const where = ['server', 'zone', 'view'];
const timeTaken = 'Histogram of the time (in seconds) each request took per zone.';
const roomOffered = 'Size of the EDNS0 UDP buffer in bytes (64K for TCP) per zone and protocol.';

export interface DnsMetricsOptions {
  readonly zone: string;
  /** Of the first address that is listened on: `dns://:53`. */
  readonly server: string;
}

export class DnsMetrics {
  readonly registry: Registry = new Registry();
  readonly #zone: string;
  readonly #server: string;
  readonly #requests = this.#tally('requests_total', 'Counter of DNS requests made per zone, protocol and family.', [
    'proto',
    'family',
    'type',
  ]);
  readonly #dnssec = this.#tally('do_requests_total', 'Counter of DNS requests with DO bit set per zone.', []);
  readonly #responses = this.#tally('responses_total', 'Counter of response status codes.', ['rcode', 'plugin']);
  readonly #duration = this.#spread('request_duration_seconds', timeTaken, secondsBuckets, []);
  readonly #requestSize = this.#spread('request_size_bytes', roomOffered, bytesBuckets, ['proto']);
  readonly #responseSize = this.#spread('response_size_bytes', 'Size of the returned response in bytes.', bytesBuckets, ['proto']);

  constructor(options: DnsMetricsOptions) {
    this.#zone = options.zone.toLowerCase();
    this.#server = options.server;
  }

  #tally(name: string, help: string, labels: readonly string[]): Tally {
    return new Tally(this.registry, `coredns_dns_${name}`, help, [...where, ...labels]);
  }

  #spread(name: string, help: string, buckets: readonly number[], labels: readonly string[]): Distribution {
    return new Distribution(this.registry, `coredns_dns_${name}`, help, buckets, [...where, ...labels]);
  }

  readonly observe = (info: ReplyInfo, transport: Transport, client: Client, seconds: number): void => {
    const { name, type, rcode, size } = info;
    const zone = isWithin(name, this.#zone) ? `${this.#zone}.` : '.';
    const server = this.#server;
    this.#requests.add(server, zone, '', transport, client.family === 6 ? '2' : '1', types.get(type) ?? 'other');
    this.#responses.add(server, zone, '', rcodes[rcode] ?? (rcode === 16 ? 'BADVERS' : String(rcode)), '');
    if (info.wantsDnssec) this.#dnssec.add(server, zone, '');
    this.#duration.observe(seconds, server, zone, '');
    this.#requestSize.observe(info.room, server, zone, '', transport);
    this.#responseSize.observe(size, server, zone, '', transport);
  };
}
