/** The sockets: UDP and TCP on one address. */
import type { Socket } from 'node:dgram';
import { KnownError, messageOf, systemCode } from '../../errors/known-error.ts';
import type { Log } from '../../observability/log.ts';
import { Responder, type ResponderOptions } from './responder.ts';
import { listenTcp } from './tcp.ts';
import { listenUdp } from './udp.ts';

export interface DnsServerOptions extends ResponderOptions {
  readonly address: string;
  /** 0 for any. */
  readonly port: number;
  readonly log: Log;
  /** False: without batches of datagrams. */
  readonly batch?: boolean;
}

export interface DnsServer {
  readonly address: string;
  readonly port: number;
  close(): Promise<void>;
}

/** Listens on UDP and TCP. Throws PORT_TAKEN. */
export async function startDnsServer(options: DnsServerOptions): Promise<DnsServer> {
  const { address, log } = options;
  const responder = new Responder(options);
  const tcp = await listenTcp({ address, port: options.port, responder, log }).catch((err: unknown) => {
    throw taken(address, options.port, 'tcp', err);
  });
  const bound = tcp.address();
  const port = typeof bound === 'object' && bound ? bound.port : options.port;
  let udp: Socket;
  try {
    udp = await listenUdp({ ...options, port, responder });
  } catch (err) {
    tcp.close();
    throw taken(address, port, 'udp', err);
  }
  return {
    address,
    port,
    async close() {
      await Promise.all([new Promise<void>((done) => udp.close(() => done())), new Promise<void>((done) => tcp.close(() => done()))]);
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
