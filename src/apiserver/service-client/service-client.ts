/** HTTPS from the API server to programs in the cluster, or wherever an address leads: whoever calls says whose certificate it expects. */
import { once } from 'node:events';
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { Agent, type RequestOptions, request } from 'node:https';
import { isIP, type Socket } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { KnownError, messageOf, systemCode } from '../../errors/known-error.ts';
import { joinHostPort } from '../../ip/ip.ts';
import type { Lookup } from '../cache/lookup.ts';
import { type ServiceReference, serviceAddress } from './service-address.ts';

export interface ClientTls {
  /** PEM: who signs the certificate that is expected. Absent: those that Node.js trusts. */
  readonly ca?: string | undefined;
  /** PEM: what is shown to who asks for a certificate. */
  readonly cert?: string | Buffer | undefined;
  readonly key?: string | Buffer | undefined;
  /** Any certificate will do. */
  readonly insecure?: boolean | undefined;
}

export interface Destination {
  readonly host: string;
  readonly port: number;
  /** Whose certificate is expected: `web.default.svc`. */
  readonly serverName: string;
  /** For messages: `service "default/web"`. */
  readonly name: string;
  readonly tls: ClientTls;
}

export interface ClientRequest {
  readonly method: string;
  readonly path: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: Buffer | undefined;
  /** Whether it may be sent again when a kept connection ended before an answer came. */
  readonly repeatable: boolean;
}

const connectMs = 10_000;
/** Of one address and authority. */
const maxSockets = 128;
const maxFreeSockets = 8;
const idleMs = 60_000;

export class ServiceClient {
  readonly #lookup: Lookup;
  readonly #agent = new Agent({ keepAlive: true, maxSockets, maxFreeSockets, timeout: idleMs });

  constructor(lookup: Lookup) {
    this.#lookup = lookup;
  }

  close(): void {
    this.#agent.destroy();
  }

  /** Throws SERVICE_UNREACHABLE. */
  async destination(ref: ServiceReference, tls: ClientTls): Promise<Destination> {
    const { namespace, name } = ref;
    return {
      ...(await serviceAddress(this.#lookup, ref)),
      serverName: `${name}.${namespace}.svc`,
      name: `service "${namespace}/${name}"`,
      tls,
    };
  }

  /** Resolves with the head of the answer; its body is the caller's to read. Throws SERVICE_UNREACHABLE. */
  request(
    destination: Destination,
    { method, path, headers = {}, body, repeatable }: ClientRequest,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    const { serverName, port } = destination;
    const host = { host: joinHostPort(serverName, port) };
    const length = body === undefined ? {} : { 'content-length': body.length };
    return new Promise((resolve, reject) => {
      const ask = (agent: RequestOptions): void => {
        const options = { ...connection(destination), method, path, headers: { ...host, ...length, ...headers }, signal, ...agent };
        const req = request(options, resolve);
        req.on('error', (err) => {
          // A server that ends a kept connection and a request that takes it may cross: then it is sent again, on a new one.
          if (repeatable && req.reusedSocket && systemCode(err) === 'ECONNRESET' && !signal.aborted) ask({ agent: false });
          else reject(notReached(destination, err, signal));
        });
        req.on('socket', limitConnecting);
        req.end(body);
      };
      ask({ agent: this.#agent });
    });
  }

  /** A connection of its own, ready to be written to. Throws SERVICE_UNREACHABLE. */
  async connect(destination: Destination): Promise<TLSSocket> {
    const socket = connect({ ...connection(destination), ALPNProtocols: ['http/1.1'] });
    socket.setNoDelay(true);
    try {
      await once(socket, 'secureConnect', { signal: AbortSignal.timeout(connectMs) });
      return socket;
    } catch (err) {
      socket.destroy();
      throw notReached(destination, err);
    }
  }
}

function connection({ host, port, serverName, tls }: Destination): {
  host: string;
  port: number;
  servername: string;
  rejectUnauthorized: boolean;
  ca?: string;
  cert?: string | Buffer;
  key?: string | Buffer;
} {
  const { ca, cert, key, insecure = false } = tls;
  return {
    ...{ host, port, rejectUnauthorized: !insecure },
    // RFC 6066: an address is no server name. Node then looks for the address that it dials in the certificate.
    servername: isIP(serverName) ? '' : serverName,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
}

/** What is gone answers nothing at all: the kernel alone would go on knocking for two minutes. */
function limitConnecting(socket: Socket): void {
  if (!socket.connecting) return;
  const timer = setTimeout(() => socket.destroy(new Error(`no connection within ${connectMs / 1000} s`)), connectMs);
  const stop = (): void => clearTimeout(timer);
  socket.once('secureConnect', stop).once('close', stop);
}

function notReached(destination: Destination, err: unknown, signal?: AbortSignal): KnownError {
  const { host, port, name } = destination;
  const why = signal?.aborted ? messageOf(signal.reason) : messageOf(err);
  const hint = hintOf(destination, systemCode(err));
  return new KnownError('SERVICE_UNREACHABLE', `Cannot reach ${name} at ${joinHostPort(host, port)}: ${why}`, { hint, cause: err });
}

function hintOf({ name, serverName }: Destination, code = ''): string {
  if (/CERT|ALTNAME|SELF_SIGNED|VERIFY|ISSUER/.test(code))
    return `Its certificate has to be for "${serverName}", and signed by an authority of the caBundle of whoever refers to it`;
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'The machine of the API server has to be able to resolve that name';
  return `See whether ${name} has ready endpoints, and whether the machine of the API server runs a service proxy`;
}
