/** One call of a webhook: a POST of JSON over HTTPS, answered by JSON. Errors are in the words of Go's client, which people look for. */
import type { IncomingMessage } from 'node:http';
import { isObject } from '../../api/codec/json-object.ts';
import type { BodyLimits } from '../../api/codec/limits.ts';
import type { WebhookClientConfig } from '../../api/schema/types.ts';
import { isKnownError, messageOf } from '../../errors/known-error.ts';
import { parseJson } from '../http/decode-body.ts';
import { boundedBody } from '../service-client/bounded-body.ts';
import type { ClientTls, Destination, ServiceClient } from '../service-client/service-client.ts';

/** An object of the largest size as a patch in base64, and what is around it. Upstream reads as much as comes. */
export const maxAnswerBytes: number = 4.5 * (1 << 20);

interface Place {
  readonly destination: Destination;
  readonly path: string;
  /** For messages. */
  readonly url: string;
}

export class WebhookCaller {
  readonly #client: ServiceClient;

  constructor(client: ServiceClient) {
    this.#client = client;
  }

  /** The JSON of the answer, held to `limits`, a body's when not given. Throws an Error, `AnswerError` where there was an answer, whose message is the rest of `failed to call webhook: `. */
  async call(config: WebhookClientConfig, body: Buffer, timeoutMs: number, limits?: BodyLimits): Promise<unknown> {
    const at = `Post ${JSON.stringify(`${urlOf(config)}?timeout=${timeoutMs / 1000}s`)}`;
    const signal = AbortSignal.timeout(timeoutMs);
    try {
      const { destination, path } = await this.#place(config);
      const headers = { 'content-type': 'application/json', accept: 'application/json, */*', 'user-agent': 'kube-apiserver-admission' };
      const request = { method: 'POST', path: `${path}?timeout=${timeoutMs / 1000}s`, headers, body, repeatable: true };
      const answer = await this.#client.request(destination, request, signal);
      return read(answer, await boundedBody(answer, maxAnswerBytes), limits);
    } catch (err) {
      if (err instanceof AnswerError) throw err;
      if (signal.aborted) throw new Error(`${at}: context deadline exceeded`, { cause: err });
      const hint = isKnownError(err) && err.hint !== undefined ? ` (${err.hint})` : '';
      throw new Error(`${at}: ${messageOf(err)}${hint}`, { cause: err });
    }
  }

  async #place(config: WebhookClientConfig): Promise<Place> {
    const { url = '', service } = config;
    const tls = tlsOf(config);
    if (service) {
      const { namespace, name, path = '', port = 443 } = service;
      return { destination: await this.#client.destination({ namespace, name, port }, tls), path: rooted(path), url };
    }
    const { hostname, port, pathname } = new URL(url);
    // An address of IPv6 stands in brackets.
    const host = hostname.replace(/^\[|\]$/g, '');
    return { destination: { host, port: Number(port || 443), serverName: host, name: 'the webhook', tls }, path: pathname, url };
  }
}

function urlOf({ url = '', service }: WebhookClientConfig): string {
  return service ? `https://${service.name}.${service.namespace}.svc:${service.port ?? 443}${rooted(service.path ?? '')}` : url;
}

function rooted(path: string): string {
  return path.startsWith('/') ? path : `/${path}`;
}

function tlsOf({ caBundle = '' }: WebhookClientConfig): ClientTls {
  return caBundle === '' ? {} : { ca: Buffer.from(caBundle, 'base64').toString() };
}

/** The webhook was reached, and answers with something else than what was asked for. */
export class AnswerError extends Error {}

function read(answer: IncomingMessage, body: Buffer, limits: BodyLimits | undefined): unknown {
  const { statusCode = 0 } = answer;
  if (statusCode < 200 || statusCode > 206) throw new AnswerError(refusalOf(statusCode, body));
  try {
    return parseJson(body, limits);
  } catch (err) {
    throw new AnswerError(`couldn't get version/kind; json parse error: ${messageOf(err)}`);
  }
}

const refusals: Readonly<Record<number, string>> = {
  400: 'the server rejected our request for an unknown reason',
  401: 'the server has asked for the client to provide credentials',
  404: 'the server could not find the requested resource',
  405: 'the server does not allow this method on the requested resource',
  409: 'the server reported a conflict',
  422: 'the server rejected our request due to an error in our request',
  429: 'the server has received too many requests and has asked us to try again later',
  503: 'the server is currently unable to handle the request',
  504: 'the server was unable to return a response in the time allotted, but may still be processing the request',
};

/** More of what somebody else's program says helps nobody. */
const maxShown = 2048;

function refusalOf(code: number, body: Buffer): string {
  const text = body.toString('utf8', 0, maxShown).trim();
  const said = statusMessage(body);
  if (said !== undefined) return said;
  if (refusals[code] !== undefined) return refusals[code];
  if (code === 403) return text;
  if (code >= 500) return `an error on the server (${JSON.stringify(text)}) has prevented the request from succeeding`;
  return `the server responded with the status code ${code} but did not return more information`;
}

function statusMessage(body: Buffer): string | undefined {
  if (body.length > maxShown) return undefined;
  try {
    const value = parseJson(body);
    return isObject(value) && value.kind === 'Status' && typeof value.message === 'string' ? value.message : undefined;
  } catch {
    return undefined;
  }
}
