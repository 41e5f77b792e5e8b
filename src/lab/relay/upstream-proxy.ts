/** The HTTP proxy that this machine itself must use, as one more step on the way to an address. */
import { connect, type Socket } from 'node:net';
import { joinHostPort } from '../../ip/ip.ts';

/** From the environment the relay was started in. */
export function upstreamProxy(env: Readonly<Record<string, string | undefined>>): URL | undefined {
  const text = env.HTTPS_PROXY ?? env.https_proxy;
  return text && URL.canParse(text) && new URL(text).protocol === 'http:' ? new URL(text) : undefined;
}

const maxHead = 16_384;
const answerWithinMs = 10_000;

function login(proxy: URL): string {
  if (!proxy.username) return '';
  const pair = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
  return `Proxy-Authorization: Basic ${Buffer.from(pair).toString('base64')}\r\n`;
}

/** Reads up to the empty line; gives the status line, and what came behind the head back to the socket. */
function readHead(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let seen = Buffer.alloc(0);
    const stop = (): void => {
      socket.off('data', onData).off('error', fail).off('close', onClose);
      socket.pause().setTimeout(0);
    };
    const fail = (err: Error): void => {
      stop();
      reject(err);
    };
    const onClose = (): void => fail(new Error("this machine's proxy hung up"));
    const onData = (chunk: Buffer): void => {
      seen = Buffer.concat([seen, chunk]);
      const end = seen.indexOf('\r\n\r\n');
      if (end >= 0) {
        // Only once nobody listens: a flowing socket would say it again at once.
        stop();
        if (seen.length > end + 4) socket.unshift(seen.subarray(end + 4));
        resolve(seen.subarray(0, seen.indexOf('\r\n')).toString('latin1'));
      } else if (seen.length > maxHead) fail(new Error("this machine's proxy answers too much"));
    };
    socket.on('data', onData).on('error', fail).on('close', onClose);
    socket.setTimeout(answerWithinMs, () => fail(new Error(`no answer of this machine's proxy within ${answerWithinMs} ms`)));
  });
}

/** A tunnel to a host through the proxy. Throws what the proxy said when it does not give one. */
export async function connectThrough(proxy: URL, host: string, port: number): Promise<Socket> {
  const target = joinHostPort(host, port);
  const socket = connect({ host: proxy.hostname.replace(/^\[|\]$/g, ''), port: Number(proxy.port || 80) });
  try {
    socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n${login(proxy)}\r\n`);
    const status = await readHead(socket);
    // Its answer is not handed on: who asks the relay is not who owes this machine's proxy a password.
    if (!/^HTTP\/1\.[01] 2\d\d/.test(status)) throw new Error(`this machine's proxy says "${status}"`);
    return socket;
  } catch (err) {
    socket.destroy();
    throw err;
  }
}
