/** What a fake client has, over plain HTTP for programs: objects, lists and watches. Whatever a program sends is taken and forgotten. */
import { createServer, type Server, type ServerResponse } from 'node:http';
import { apiVersionOf, type KubeObject, type ResourceType } from '../../api/resource-types.ts';
import { systemClock } from '../../clock/clock.ts';
import type { WatchEvent } from '../client.ts';
import { FakeClient, type Selection } from './fake-client.ts';

export class FakeApiServer {
  readonly #client = new FakeClient(systemClock);
  readonly #types: readonly ResourceType[];
  readonly #listen: (server: Server) => void;
  /** When the last change began to leave this process to who watches, by `performance.now()`. */
  toldAt = 0;
  readonly #server: Server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://fake');
    const parts = url.pathname.split('/');
    const type = this.#types.find(({ resource }) => parts.includes(resource));
    response.setHeader('content-type', 'application/json');
    if (request.method !== 'GET' || type === undefined) {
      request.resume();
      response.statusCode = request.method === 'GET' ? 404 : 201;
      response.end('{}');
      return;
    }
    const selection = Object.fromEntries(['labelSelector', 'fieldSelector'].map((key) => [key, url.searchParams.get(key) ?? '']));
    if (url.searchParams.has('watch')) void this.#watch(type, selection, response, url.searchParams);
    else this.#get(type, selection, response, parts.at(-1) ?? '');
  });

  /** Serves these resources; `listen` makes the server listen where the test wants it. */
  constructor(types: readonly ResourceType[], listen: (server: Server) => void) {
    this.#types = types;
    this.#listen = listen;
    this.reopen();
  }

  /** Makes this the object of its name. */
  put(type: ResourceType, object: object): void {
    this.#client.put(type, { ...(object as KubeObject), apiVersion: apiVersionOf(type), kind: type.kind });
  }

  /** Makes these the objects of a resource; the last of them is told last. */
  replace(type: ResourceType, objects: readonly object[]): void {
    const wanted = objects as readonly KubeObject[];
    const keyOf = ({ metadata }: KubeObject): string => (type.namespaced ? `${metadata.namespace}/${metadata.name}` : metadata.name);
    const keys = new Set(wanted.map(keyOf));
    for (const object of this.#client.all(type)) if (!keys.has(keyOf(object))) this.#client.forget(type, keyOf(object));
    for (const object of wanted) this.put(type, object);
  }

  #get(type: ResourceType, selection: Selection, response: ServerResponse, last: string): void {
    const items = this.#client.selected(type, selection);
    const one = last === type.resource ? undefined : items.find((item) => item.metadata.name === last);
    const metadata = { resourceVersion: this.#client.resourceVersion };
    response.end(JSON.stringify(one ?? { apiVersion: apiVersionOf(type), kind: `${type.kind}List`, metadata, items }));
  }

  async #watch(type: ResourceType, selection: Selection, response: ServerResponse, query: URLSearchParams): Promise<void> {
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    response.flushHeaders();
    const send = (event: WatchEvent<KubeObject>): void => {
      response.write(`${JSON.stringify(event)}\n`);
      this.toldAt = performance.now();
      // Node.js would hold it back until this turn of the event loop is over.
      response.socket?.uncork();
    };
    const resourceVersion = query.get('resourceVersion') ?? '';
    const sendInitialEvents = query.has('sendInitialEvents');
    await this.#client.watch(type, { ...selection, resourceVersion, sendInitialEvents, signal: gone.signal }, send);
  }

  /** Serves again after `close`, what it had and what it was given since. */
  reopen(): void {
    this.#listen(this.#server);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
