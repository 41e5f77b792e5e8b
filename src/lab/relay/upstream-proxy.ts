/** The HTTP proxy that this machine itself must use, as one more step on the way to an address. */
import { request } from 'node:http';
import type { Socket } from 'node:net';
import { systemCode } from '../../errors/known-error.ts';
import { joinHostPort } from '../../ip/ip.ts';

/** From the environment the relay was started in. */
export function upstreamProxy(env: Readonly<Record<string, string | undefined>>): URL | undefined {
  const text = env.HTTPS_PROXY ?? env.https_proxy;
  return text && URL.canParse(text) && new URL(text).protocol === 'http:' ? new URL(text) : undefined;
}

const answerWithinMs = 10_000;

function login({ username, password }: URL): Record<string, string> {
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return username ? { 'Proxy-Authorization': `Basic ${Buffer.from(pair).toString('base64')}` } : {};
}

/** A tunnel to a host through the proxy. Throws what the proxy said when it does not give one. */
export function connectThrough(proxy: URL, host: string, port: number): Promise<Socket> {
  const path = joinHostPort(host, port);
  return new Promise((resolve, reject) => {
    const call = request({
      host: proxy.hostname.replace(/^\[|\]$/g, ''),
      port: Number(proxy.port || 80),
      method: 'CONNECT',
      path,
      // What is kept open is the tunnel.
      headers: { Host: path, Connection: 'keep-alive', ...login(proxy) },
      agent: false,
      timeout: answerWithinMs,
    });
    call.on('connect', ({ statusCode = 0, statusMessage }, socket, head) => {
      if (statusCode >= 200 && statusCode < 300) {
        if (head.length > 0) socket.unshift(head);
        return resolve((socket as Socket).setTimeout(0));
      }
      // Its answer is not handed on: who asks the relay is not who owes this machine's proxy a password.
      socket.destroy();
      reject(new Error(`this machine's proxy says "${statusCode} ${statusMessage}"`));
    });
    call.on('timeout', () => call.destroy(new Error(`no answer of this machine's proxy within ${answerWithinMs} ms`)));
    call.on('error', (err) => reject(systemCode(err) === 'ECONNRESET' ? new Error("this machine's proxy hung up") : err));
    call.end();
  });
}
