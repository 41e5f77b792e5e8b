/** The way from the API server to the kubelet of a node: HTTPS with the cluster's client certificate, the node's certificate checked. */

import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { Agent, type RequestOptions, request } from 'node:https';
import type { Socket } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { nodes } from '../../api/resource-types.ts';
import type { Node } from '../../api/schema/types.ts';
import { messageOf, systemCode } from '../../errors/known-error.ts';
import type { Lookup } from '../cache/lookup.ts';
import { badRequest, notFound, StatusError } from '../status/status-error.ts';

export interface KubeletTls {
  /** PEM. */
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
  /** Who signs the kubelets' serving certificates. */
  readonly ca: string | Buffer;
}

export interface Target {
  readonly host: string;
  readonly port: number;
  /** For messages: `node "worker-1"`. */
  readonly name: string;
}

const defaultPort = 10250;
const connectMs = 10_000;
const repeatable: ReadonlySet<string> = new Set(['GET', 'HEAD']);
/** In the order of upstream's --kubelet-preferred-address-types, but addresses first: node names need not resolve. */
const addressTypes = ['InternalIP', 'ExternalIP', 'Hostname', 'InternalDNS', 'ExternalDNS'];

export class KubeletClient {
  readonly #tls: KubeletTls;
  readonly #lookup: Lookup;
  readonly #agent: Agent;

  constructor(tls: KubeletTls, lookup: Lookup) {
    this.#tls = tls;
    this.#lookup = lookup;
    this.#agent = new Agent({ ...tls, keepAlive: true, maxFreeSockets: 2, timeout: 0 });
  }

  close(): void {
    this.#agent.destroy();
  }

  async target(nodeName: string): Promise<Target> {
    const node = await this.#lookup.find(nodes, nodeName);
    if (!node) throw notFound({ group: '', resource: 'nodes' }, nodeName);
    const host = addressOf(node);
    if (!host) throw badRequest(`node ${JSON.stringify(nodeName)} has no address: its kubelet has not reported one yet`);
    return { host, port: node.status?.daemonEndpoints?.kubeletEndpoint?.Port || defaultPort, name: `node "${nodeName}"` };
  }

  /** Sends a request and resolves with the head of the answer; the body is still to be read. */
  request(
    target: Target,
    method: string,
    path: string,
    headers: Readonly<Record<string, string | string[]>>,
    body: Buffer,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const { host, port } = target;
      const ask = (agent: RequestOptions): void => {
        const req = request({ host, port, method, path, headers, signal, ...agent }, resolve);
        req.on('error', (err) => {
          // A kubelet that ends a kept connection and a request that takes it may cross. What may be said twice is said again, on a new one.
          const isStale = req.reusedSocket && systemCode(err) === 'ECONNRESET' && !signal.aborted;
          if (isStale && repeatable.has(method)) ask({ agent: false, ...this.#tls });
          else reject(dialError(target, err));
        });
        req.on('socket', (socket) => limitConnecting(socket));
        req.end(body.length > 0 ? body : undefined);
      };
      ask({ agent: this.#agent });
    });
  }

  /** A connection of its own, ready to be written to. */
  async connect(target: Target): Promise<TLSSocket> {
    const { host, port } = target;
    const socket = connect({ host, port, ...this.#tls, ALPNProtocols: ['http/1.1'] });
    // Key strokes go out one by one: Nagle's algorithm would hold each until the one before is acknowledged.
    socket.setNoDelay(true);
    return connected(socket, 'secureConnect', target);
  }
}

/** Once it is. Throws 500. */
export async function connected<S extends Socket>(socket: S, event: 'connect' | 'secureConnect', target: Target): Promise<S> {
  try {
    await once(socket, event, { signal: AbortSignal.timeout(connectMs) });
    return socket;
  } catch (err) {
    socket.destroy();
    throw dialError(target, err);
  }
}

/** A node that is gone answers nothing at all: the kernel alone would go on knocking for two minutes. */
function limitConnecting(socket: Socket): void {
  if (!socket.connecting) return;
  const timer = setTimeout(() => socket.destroy(new Error(`no connection within ${connectMs / 1000} s`)), connectMs);
  const stop = (): void => clearTimeout(timer);
  socket.once('secureConnect', stop).once('close', stop);
}

function addressOf(node: Node): string | undefined {
  for (const type of addressTypes) {
    const found = node.status?.addresses?.find((a) => a.type === type);
    if (found?.address) return found.address;
  }
  return undefined;
}

export function dialError(target: Target, err: unknown): StatusError {
  const message = `error dialing backend: ${target.name} at ${target.host}:${target.port}: ${messageOf(err)}`;
  return new StatusError(500, 'InternalError', message, { causes: [{ message }] });
}
