import { get as getPlain } from 'node:http';
import { get, type RequestOptions } from 'node:https';

/** One GET on a connection of its own, as curl makes it. Throws the socket's error (`ECONNREFUSED` …). */
export function httpGet(url: string, options: RequestOptions): Promise<{ readonly code: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const send = url.startsWith('https:') ? get : getPlain;
    const call = send(url, { ...options, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      response.on('end', () => resolve({ code: response.statusCode ?? 0, body }));
    });
    call.on('timeout', () => call.destroy(new Error(`no answer within ${options.timeout} ms`)));
    call.on('error', reject);
  });
}
