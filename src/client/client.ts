/**
 * A typed client of the Kubernetes API: works with any API server. Every method throws ApiError for an answer that is an
 * error, and KnownError API_UNREACHABLE when there was no answer.
 */
import type { IncomingMessage } from 'node:http';
import { clusterHeader } from '../api/cluster-identity.ts';
import { apiVersionOf, type KubeObject, pathOf, type ResourceType } from '../api/resource-types.ts';
import type { DeleteOptions, Status } from '../api/schema/types.ts';
import { onAbort } from '../clock/aborted.ts';
import { ApiError } from './api-error.ts';
import type { ClientConfig } from './client-config.ts';
import { eachLine, readText, Transport } from './transport.ts';

export interface GetOptions {
  readonly namespace?: string;
  readonly signal?: AbortSignal;
}

export interface ListOptions extends GetOptions {
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly resourceVersion?: string;
}

export interface ListResult<T> {
  readonly items: T[];
  readonly resourceVersion: string;
  /** The identity of the cluster, where the server says it. */
  readonly cluster?: string | undefined;
}

interface List<T> {
  readonly items?: T[];
  readonly metadata: { readonly resourceVersion?: string };
}

export interface WatchOptions extends ListOptions {
  readonly signal: AbortSignal;
  /** Asks for the present objects first, ended by a bookmark annotated `k8s.io/initial-events-end`. */
  readonly sendInitialEvents?: boolean;
  readonly timeoutSeconds?: number;
  /** The server has taken the watch. What this throws ends it. */
  readonly onOpen?: (cluster: string | undefined) => void;
}

export interface WatchEvent<T> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  readonly object: T;
}

export interface WriteOptions extends Pick<GetOptions, 'signal'> {
  readonly dryRun?: boolean;
  readonly subresource?: string;
}

export interface PatchOptions extends WriteOptions {
  readonly namespace?: string;
  /** Default `merge`. */
  readonly kind?: 'merge' | 'strategic';
}

export type ObjectDeleteOptions = Pick<DeleteOptions, 'propagationPolicy' | 'preconditions' | 'gracePeriodSeconds'> & GetOptions;

interface RawOptions {
  readonly body?: string | undefined;
  readonly contentType?: string;
  readonly accept?: string;
  readonly signal?: AbortSignal | undefined;
}

const patchTypes = {
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
} as const;

type Query = Readonly<Record<string, string | number | boolean | undefined>>;

function withQuery(path: string, query: Query): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined && value !== '') params.set(name, String(value));
  const text = params.toString();
  return text ? `${path}?${text}` : path;
}

function writeQuery(options: WriteOptions): Query {
  return { dryRun: options.dryRun ? 'All' : undefined };
}

/** The Status of an error answer, made up from its text when it is none. */
function statusOf(code: number, text: string): Status {
  try {
    const parsed = JSON.parse(text) as Status;
    if (parsed.kind === 'Status') return { ...parsed, code: parsed.code ?? code };
  } catch {
    // Not JSON: a proxy in between, or a plain text handler.
  }
  return { apiVersion: 'v1', kind: 'Status', metadata: {}, status: 'Failure', code, message: text.trim() || `the server answered ${code}` };
}

interface Answer {
  readonly text: string;
  readonly cluster: string | undefined;
}

function clusterOf({ headers }: IncomingMessage): string | undefined {
  const cluster = headers[clusterHeader];
  return typeof cluster === 'string' ? cluster : undefined;
}

export class Client {
  readonly transport: Transport;
  /** The URL that it talks to. */
  readonly server: string;

  constructor(config: ClientConfig) {
    this.server = config.server;
    this.transport = new Transport(config);
  }

  get<T extends KubeObject>(type: ResourceType<T>, name: string, options: GetOptions = {}): Promise<T> {
    return this.#json<T>('GET', pathOf(type, options.namespace, name), undefined, options.signal);
  }

  /** Every object, in one answer: a server cuts only the lists of those who say how much they take. */
  async list<T extends KubeObject>(type: ResourceType<T>, options: ListOptions = {}): Promise<ListResult<T>> {
    const { namespace, signal, ...query } = options;
    const { text, cluster } = await this.#text('GET', withQuery(pathOf(type, namespace), query), { accept: 'application/json', signal });
    const { items = [], metadata } = JSON.parse(text) as List<T>;
    // A list's items leave out what the list itself says.
    for (const item of items) {
      item.apiVersion ??= apiVersionOf(type);
      item.kind ??= type.kind;
    }
    return { items, resourceVersion: metadata.resourceVersion ?? '', cluster };
  }

  create<T extends KubeObject>(type: ResourceType<T>, object: T, options: WriteOptions = {}): Promise<T> {
    return this.#json<T>('POST', withQuery(pathOf(type, object.metadata.namespace), writeQuery(options)), object, options.signal);
  }

  /** Posts to a subresource such as `binding`, `eviction` or `token`. */
  createSubresource<T>(type: ResourceType, name: string, subresource: string, body: object, options: GetOptions = {}): Promise<T> {
    return this.#json<T>('POST', pathOf(type, options.namespace, name, subresource), body, options.signal);
  }

  update<T extends KubeObject>(type: ResourceType<T>, object: T, options: WriteOptions = {}): Promise<T> {
    const path = pathOf(type, object.metadata.namespace, object.metadata.name, options.subresource);
    return this.#json<T>('PUT', withQuery(path, writeQuery(options)), object, options.signal);
  }

  patch<T extends KubeObject>(type: ResourceType<T>, name: string, patch: object, options: PatchOptions = {}): Promise<T> {
    const path = withQuery(pathOf(type, options.namespace, name, options.subresource), writeQuery(options));
    return this.#json<T>('PATCH', path, patch, options.signal, patchTypes[options.kind ?? 'merge']);
  }

  /** Gives what the server answered: the object when it lives on for a while (finalizers, a grace period), else a Status. */
  delete(type: ResourceType, name: string, options: ObjectDeleteOptions = {}): Promise<KubeObject | Status> {
    const { namespace, signal, ...rest } = options;
    return this.#json('DELETE', pathOf(type, namespace, name), { apiVersion: 'v1', kind: 'DeleteOptions', ...rest }, signal);
  }

  /** Deletes everything that the options pick. */
  async deleteCollection(
    type: ResourceType,
    options: ObjectDeleteOptions & Pick<ListOptions, 'labelSelector' | 'fieldSelector'> = {},
  ): Promise<void> {
    const { namespace, signal, labelSelector, fieldSelector, ...rest } = options;
    const path = withQuery(pathOf(type, namespace), { labelSelector, fieldSelector });
    await this.#json('DELETE', path, { apiVersion: 'v1', kind: 'DeleteOptions', ...rest }, signal);
  }

  /**
   * Hands on events from `resourceVersion` on, each in the turn of the event loop in which it was read. Resolves when the server ends the watch, when the credentials
   * were renewed, and when the signal aborts; rejects with ApiError for an ERROR event (410: list again), and with what `onEvent` throws.
   */
  async watch<T extends KubeObject>(type: ResourceType<T>, options: WatchOptions, onEvent: (event: WatchEvent<T>) => void): Promise<void> {
    const { namespace, signal, onOpen, ...query } = options;
    const resourceVersionMatch = query.sendInitialEvents ? 'NotOlderThan' : undefined;
    const path = withQuery(pathOf(type, namespace), { watch: true, allowWatchBookmarks: true, ...query, resourceVersionMatch });
    // The server ends the watch after timeoutSeconds; a connection that stays silent long past that is dead.
    const timeoutMs = query.timeoutSeconds === undefined ? 0 : (query.timeoutSeconds + 30) * 1000;
    const sent = { method: 'GET', path, headers: { accept: 'application/json' }, signal, timeoutMs };
    const { response, retired } = await this.transport.exchange(sent);
    if (response.statusCode !== 200) throw this.#error(statusOf(response.statusCode ?? 500, await readText(response)));
    // It ends as if the server had ended it: the next one goes on from here, with the credentials of then.
    using _ = onAbort(retired, () => response.destroy());
    try {
      onOpen?.(clusterOf(response));
      await eachLine(response, (line) => {
        const event = JSON.parse(line) as { type: string; object: unknown };
        if (event.type === 'ERROR') throw new ApiError(event.object as Status);
        onEvent(event as WatchEvent<T>);
      });
    } catch (err) {
      if (!signal.aborted && !retired.aborted) throw err;
    } finally {
      response.destroy();
    }
  }

  /** Any request whose answer is text, such as `/readyz`. Throws ApiError when the status code is 400 or more. */
  async raw(method: string, path: string, options: RawOptions = {}): Promise<string> {
    return (await this.#text(method, path, options)).text;
  }

  async #text(
    method: string,
    path: string,
    { body, signal, contentType = 'application/json', accept = 'application/json, */*' }: RawOptions,
  ): Promise<Answer> {
    const headers: Record<string, string> = { accept, ...(body === undefined ? {} : { 'content-type': contentType }) };
    const response = await this.transport.send({ method, path, headers, body, signal });
    const text = await readText(response).catch((err: unknown) => {
      throw signal?.aborted ? err : this.transport.unreachable({ method, path }, err);
    });
    if ((response.statusCode ?? 500) >= 400) throw this.#error(statusOf(response.statusCode ?? 500, text));
    return { text, cluster: clusterOf(response) };
  }

  async #json<T>(method: string, path: string, body?: object, signal?: AbortSignal, contentType: string = 'application/json'): Promise<T> {
    const sent = body && JSON.stringify(body);
    return JSON.parse(await this.raw(method, path, { accept: 'application/json', contentType, body: sent, signal })) as T;
  }

  #error(status: Status): ApiError {
    // Admission refuses with 403 too, but not in these words.
    const user = status.code === 403 ? /User "([^"]+)" cannot \w+ (?:resource|path)/.exec(status.message ?? '')?.[1] : undefined;
    const hint = user === undefined ? undefined : this.transport.config.whenForbidden?.(user);
    return new ApiError(hint === undefined ? status : { ...status, message: `${status.message}; ${hint}` });
  }

  /** Cuts what is under way; nothing is sent from now on. */
  close(): void {
    this.transport.close();
  }
}
