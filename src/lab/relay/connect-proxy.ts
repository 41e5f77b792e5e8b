/**
 * An HTTP proxy that knows CONNECT only (RFC 9110 §9.3.6): enough for a container runtime to pull images over TLS. Pods reach its
 * address too, so it serves nobody without the credential that the nodes' runtimes were started with.
 */
import { createServer, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { messageOf } from '../../errors/known-error.ts';
import type { Log } from '../../observability/log.ts';
import { dial, type Way } from './dial.ts';
import { pipeBoth } from './dns-relay.ts';
import { isAuthorized } from './login.ts';

/** Host and port of an authority-form target (RFC 9112 §3.2.3), such as `[2001:db8::1]:443`. */
function parseTarget(url: string | undefined): { readonly host: string; readonly port: number } | undefined {
  const [, v6, name, port = ''] = /^(?:\[([^\]]+)\]|([^:/?#@[\]]+)):(\d{1,5})$/.exec(url ?? '') ?? [];
  const host = v6 ?? name;
  return host === undefined ? undefined : { host, port: Number(port) };
}

/** The reason stands in the status line: a container runtime shows nothing else of the answer, and it ends up in the pod's events. */
export function refusalReply(host: string, reason: string): string {
  // Neither may end the line, and RFC 9112 §4 leaves visible characters, blanks and obs-text.
  const text = `the lab's relay cannot reach "${host}": ${reason}`.replace(/[^\t\x20-\x7e]+/g, ' ');
  return `HTTP/1.1 502 ${text}\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n${text}\n`;
}

const unauthorized =
  'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="container runtimes of this lab"\r\n' +
  'Content-Length: 0\r\nConnection: close\r\n\r\n';

/** Why there is nothing to connect to for a host, once what can be done for it is done; undefined where there is. */
export type Instead = (host: string) => Promise<string | undefined>;

/** Serves on a listening socket until closed. */
export function serveConnect(fd: number, credential: string, way: Way, instead: Instead, log: Log): Server {
  const server = createServer({ headersTimeout: 5000, requestTimeout: 10_000 }, (_request, response) => {
    response.writeHead(405, { 'content-type': 'text/plain', allow: 'CONNECT' }).end('This proxy takes CONNECT only\n');
  });
  server.on('connect', (request, client, head) => {
    client.on('error', () => client.destroy());
    if (!isAuthorized(request.headers['proxy-authorization'], credential)) return client.end(unauthorized, () => client.destroy());
    const target = parseTarget(request.url);
    if (!target) return client.end(refusalReply(request.url ?? '', 'it is no host and port'));
    const dialled = instead(target.host).then((reason) => {
      if (reason !== undefined) throw new Error(reason);
      return dial(target.host, target.port, way);
    });
    dialled.then(
      (upstream) => {
        client.write('HTTP/1.1 200 Connection established\r\n\r\n');
        if (head.length > 0) upstream.write(head);
        pipeBoth(client as Socket, upstream, log);
      },
      (err: unknown) => {
        log.info('Refused a connection', { target: request.url, reason: messageOf(err) });
        client.end(refusalReply(target.host, messageOf(err)));
      },
    );
  });
  server.on('error', (err) => log.error('The image proxy stopped', { err }));
  server.listen({ fd });
  return server;
}
