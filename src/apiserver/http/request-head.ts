/** How much a request may say before its body. The size is upstream's (Go's http.DefaultMaxHeaderBytes); what costs time to take apart has limits of its own. */
import type { IncomingMessage } from 'node:http';
import { badRequest, methodNotAllowed, StatusError } from '../status/status-error.ts';
import type { RequestInfo } from './request-info.ts';

export const maxHeaderSize: number = 1 << 20;
/** Node drops the headers after these without a word, be it one that says in whose name a request is made. */
export const maxHeaders = 2000;
/** Segments of the path and parameters of the query. */
const maxParts = 5000;

const methods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']);

/** Throws 400 and 431. */
export function checkHead(req: Pick<IncomingMessage, 'rawHeaders' | 'url'>): void {
  if (req.rawHeaders.length >= 2 * maxHeaders) {
    throw new StatusError(431, 'RequestHeaderFieldsTooLarge', `the request has too many headers: ${maxHeaders} or more`);
  }
  const parts = countParts(req.url ?? '');
  if (parts > maxParts) throw badRequest(`the URL has too many parts: ${parts}, more than ${maxParts}`);
}

/** Others, such as TRACE, would be taken for a GET where a path is served without a look at its method. Throws 405. */
export function checkMethod(method: string, info: Pick<RequestInfo, 'subresource'>): void {
  if (!methods.has(method) && !(method === 'OPTIONS' && info.subresource === 'proxy')) throw methodNotAllowed();
}

function countParts(url: string): number {
  let count = 0;
  for (let i = 0; i < url.length; i++) {
    const code = url.charCodeAt(i);
    if (code === 0x2f || code === 0x26) count++;
  }
  return count;
}
