/**
 * The OpenAPI document of what a server behind this one serves, fetched when the server is looked at: whoever asks this server for it waits for nobody. Of the other
 * server's index only its own version is believed, and no address that it names is followed.
 */
import { createHash } from 'node:crypto';
import type { OpenApiDocument } from '../../api/discovery/remote.ts';
import { boundedBody } from '../service-client/bounded-body.ts';
import type { ServiceClient } from '../service-client/service-client.ts';
import type { Remote } from './aggregation.ts';
import { remoteUser } from './remote-user.ts';

const answerMs = 10_000;
/** A line for each of its versions. */
const maxIndexBytes = 1 << 20;
/** metrics-server's has 80 KB, the largest of kube-apiserver a megabyte. */
const maxDocumentBytes = 8 << 20;

export interface HeldDocument extends OpenApiDocument {
  /** What the index said of it, hash and all: while it says the same, nothing is fetched. */
  readonly saidAs: string;
}

/** Undefined: the server has none. Throws where it does not answer as it should. */
export async function fetchDocument(
  remote: Remote,
  client: ServiceClient,
  before: HeldDocument | undefined,
): Promise<HeldDocument | undefined> {
  const signal = AbortSignal.timeout(answerMs);
  const index = await get(remote, client, '/openapi/v3', maxIndexBytes, signal);
  const path = `apis/${remote.group}/${remote.version}`;
  const saidAs = index && urlIn(index, path);
  if (saidAs === undefined) return undefined;
  if (before?.saidAs === saidAs && saidAs.includes('hash=')) return before;
  const bytes = await get(remote, client, `/openapi/v3/${path}`, maxDocumentBytes, signal);
  if (!bytes) return undefined;
  // Nobody here reads it; what it is not is told to nobody as JSON.
  if (bytes[0] !== 0x7b) throw new Error(`the document of ${path} is no object of JSON`);
  return { saidAs, bytes, hash: createHash('sha256').update(bytes).digest('hex').toUpperCase() };
}

async function get(
  remote: Remote,
  client: ServiceClient,
  path: string,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Buffer | undefined> {
  const headers = { ...remoteUser({ name: 'system:aggregator', groups: ['system:authenticated'] }), accept: 'application/json' };
  const to = await client.destination(remote.service, remote.tls);
  const answer = await client.request(to, { method: 'GET', path, headers, repeatable: true }, signal);
  const body = await boundedBody(answer, maxBytes);
  if (answer.statusCode === 404) return undefined;
  if (answer.statusCode !== 200) throw new Error(`bad status from https://${to.host}:${to.port}${path}: ${answer.statusCode}`);
  return body;
}

/** Undefined: there is no such path. Throws where it is no index. */
function urlIn(index: Buffer, path: string): string | undefined {
  const { paths } = JSON.parse(index.toString()) as { paths?: Record<string, { serverRelativeURL?: unknown } | null> | null };
  if (typeof paths !== 'object' || paths === null) throw new Error('the index of OpenAPI has no paths');
  const url = Object.hasOwn(paths, path) ? paths[path]?.serverRelativeURL : undefined;
  return typeof url === 'string' ? url : undefined;
}
