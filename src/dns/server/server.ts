/** The sockets: UDP and TCP on one address. */

import { type Clock, systemClock } from '../../clock/clock.ts';
import { KnownError, messageOf, systemCode } from '../../errors/known-error.ts';
import type { Log } from '../../observability/log.ts';
import type { ConnectionLimits } from './connection-table.ts';
import { Responder, type ResponderOptions } from './responder.ts';
import { listenTcp } from './tcp.ts';
import { listenUdp } from './udp.ts';

export interface DnsServerOptions extends ResponderOptions {
  readonly address: string;
  /** 0 for any. */
  readonly port: number;
  readonly log: Log;
  readonly clock?: Clock;
  /** Of TCP connections. Default 1,000 in all, 100 of one client. */
  readonly tcpLimits?: ConnectionLimits;
  /** False: without batches of datagrams. */
  readonly batch?: boolean;
}

export interface DnsServer {
  readonly address: string;
  readonly port: number;
  /** Takes no more questions; resolves when those under way are answered. */
  drain(): Promise<void>;
  close(): Promise<void>;
}

/** Listens on UDP and TCP. Throws PORT_TAKEN. */
export async function startDnsServer(options: DnsServerOptions): Promise<DnsServer> {
  const { address, clock = systemClock, tcpLimits: limits } = options;
  const responder = new Responder(options);
  const tcp = await listenTcp({ ...options, responder, clock, limits }).catch((err: unknown) => {
    throw taken(address, options.port, 'tcp', err);
  });
  const { port } = tcp;
  const udp = await listenUdp({ ...options, port, responder }).catch(async (err: unknown) => {
    await tcp.close();
    throw taken(address, port, 'udp', err);
  });
  return {
    address,
    port,
    async drain() {
      udp.stopReading();
      await Promise.all([responder.settled(), tcp.drain()]);
      // Answers are sent in the turn in which they are there.
      await new Promise((resolve) => setImmediate(resolve));
    },
    async close() {
      await Promise.all([udp.close(), tcp.close()]);
    },
  };
}

function taken(address: string, port: number, protocol: string, err: unknown): Error {
  if (systemCode(err) !== 'EADDRINUSE') return err instanceof Error ? err : new Error(messageOf(err));
  return new KnownError('PORT_TAKEN', `Cannot listen on ${address}:${port}/${protocol}: the port is in use`, {
    hint: `See who holds it: ss -lnp "sport = :${port}"`,
    cause: err,
  });
}
