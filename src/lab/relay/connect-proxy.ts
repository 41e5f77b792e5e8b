/** An HTTP proxy that knows CONNECT only (RFC 9110 §9.3.6): enough for a container runtime to pull images over TLS. */
import { lookup } from 'node:dns/promises';
import { createServer, type Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { messageOf } from '../../errors/known-error.ts';
import { type Cidr, cidrContains, mustCidr } from '../../ip/ip.ts';
import type { Log } from '../../observability/log.ts';
import { pipeBoth } from './dns-relay.ts';

const never: readonly Cidr[] = ['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/3', '::/127', 'fe80::/10', 'ff00::/8'].map(
  mustCidr,
);

/** Why the proxy does not connect there, or undefined. Pods can reach it too, so what only this machine may reach is closed. */
export function refusal(address: string, port: number, refused: readonly Cidr[], own: readonly string[]): string | undefined {
  if (port !== 443) return `port ${port} is not 443`;
  const mapped = address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
  if (own.includes(mapped)) return `${address} is this machine`;
  return [...never, ...refused].some((cidr) => cidrContains(cidr, mapped)) ? `${address} is not of the world outside` : undefined;
}

/** A proxy that this machine itself must use, from the environment it was started in. */
export function upstreamProxy(env: Readonly<Record<string, string | undefined>>): URL | undefined {
  const text = env.HTTPS_PROXY ?? env.https_proxy;
  return text && URL.canParse(text) && new URL(text).protocol === 'http:' ? new URL(text) : undefined;
}

async function dial(host: string, port: number, refused: readonly Cidr[], proxy: URL | undefined): Promise<Socket> {
  if (proxy) {
    const socket = connect({ host: proxy.hostname, port: Number(proxy.port || 80) });
    const login = proxy.username
      ? `Proxy-Authorization: Basic ${Buffer.from(`${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`).toString('base64')}\r\n`
      : '';
    socket.write(`CONNECT ${host}:${port} HTTP/1.1\r\nHost: ${host}:${port}\r\n${login}\r\n`);
    // Its answer to CONNECT is handed on as it is.
    return socket;
  }
  const { address } = await lookup(host);
  const own = Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map((i) => i.address));
  const reason = refusal(address, port, refused, own);
  if (reason !== undefined) throw new Error(reason);
  const socket = connect({ host: address, port });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve).once('error', reject);
    socket.setTimeout(10_000, () => socket.destroy(new Error('no connection within 10 s')));
  });
  socket.setTimeout(0);
  return socket;
}

/** The reason stands in the status line: a container runtime shows nothing else of the answer, and it ends up in the pod's events. */
export function refusalReply(host: string, reason: string): string {
  // Neither may end the line, and RFC 9112 §4 leaves visible characters, blanks and obs-text.
  const text = `the lab's relay cannot reach "${host}": ${reason}`.replace(/[^\t\x20-\x7e]+/g, ' ');
  return `HTTP/1.1 502 ${text}\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n${text}\n`;
}

export function serveConnect(fd: number, refused: readonly string[], log: Log): Server {
  const ranges = refused.map(mustCidr);
  const proxy = upstreamProxy(process.env);
  const server = createServer((_request, response) => {
    response.writeHead(405, { 'content-type': 'text/plain', allow: 'CONNECT' }).end('This proxy takes CONNECT only\n');
  });
  server.on('connect', (request, client, head) => {
    client.on('error', () => client.destroy());
    const target = URL.canParse(`tcp://${request.url}`) ? new URL(`tcp://${request.url}`) : undefined;
    const host = target?.hostname.replace(/^\[|\]$/g, '') ?? '';
    const port = Number(target?.port ?? 0);
    dial(host, port, ranges, proxy).then(
      (upstream) => {
        if (!proxy) client.write('HTTP/1.1 200 Connection established\r\n\r\n');
        if (head.length > 0) upstream.write(head);
        pipeBoth(client as Socket, upstream, log);
      },
      (err: unknown) => {
        log.info('Refused a connection', { target: request.url, reason: messageOf(err) });
        client.end(refusalReply(host, messageOf(err)));
      },
    );
  });
  server.on('error', (err) => log.error('The image proxy stopped', { err }));
  server.listen({ fd });
  return server;
}
