/** As much of an API server as a service proxy needs: lists, watches, and whatever is posted is taken and forgotten. Plain HTTP. */
import { createServer, type Server, type ServerResponse } from 'node:http';
import { parseLabelSelector } from '../../src/api/selector/label.ts';
import { inNetns } from '../../src/linux/netns.ts';

interface Stored {
  readonly kind: string;
  readonly metadata: { readonly name?: string; readonly namespace?: string; readonly labels?: Readonly<Record<string, string>> };
}

const kinds: Readonly<Record<string, readonly [apiVersion: string, kind: string]>> = {
  nodes: ['v1', 'Node'],
  services: ['v1', 'Service'],
  endpointslices: ['discovery.k8s.io/v1', 'EndpointSlice'],
  servicecidrs: ['networking.k8s.io/v1', 'ServiceCIDR'],
};

type Picks = (object: Stored) => boolean;

export class StubApi {
  readonly #server: Server;
  readonly #objects = new Map<string, Map<string, Stored>>();
  readonly #watchers = new Map<string, Map<ServerResponse, Picks>>();
  #version = 1;

  /** Listens within a network namespace. */
  constructor(namespace: string, port: number) {
    this.#server = createServer((request, response) => {
      const url = new URL(request.url ?? '/', 'http://stub');
      const resource = url.pathname.split('/').find((part) => part in kinds);
      response.setHeader('content-type', 'application/json');
      if (request.method !== 'GET' || resource === undefined) {
        request.resume();
        response.statusCode = request.method === 'GET' ? 404 : 201;
        response.end('{}');
        return;
      }
      const selector = parseLabelSelector(url.searchParams.get('labelSelector') ?? '');
      const picks: Picks = ({ metadata }) => selector.matches(metadata.labels ?? {});
      if (url.searchParams.has('watch')) this.#watch(resource, response, picks, url.searchParams.has('sendInitialEvents'));
      else this.#get(resource, url.pathname.split('/').at(-1) ?? '', response, picks);
    });
    // Without a host, since looking one up takes until this thread is out of the namespace again.
    inNetns(namespace, () => this.#server.listen(port));
  }

  #get(resource: string, last: string, response: ServerResponse, picks: Picks): void {
    const [apiVersion, kind] = kinds[resource] ?? ['', ''];
    const items = [...(this.#objects.get(resource)?.values() ?? [])].filter(picks);
    const one = last === resource ? undefined : items.find((item) => item.metadata.name === last);
    response.end(JSON.stringify(one ?? { apiVersion, kind: `${kind}List`, metadata: { resourceVersion: String(this.#version) }, items }));
  }

  #watch(resource: string, response: ServerResponse, picks: Picks, initial: boolean): void {
    const watchers = this.#watchers.get(resource) ?? new Map<ServerResponse, Picks>();
    this.#watchers.set(resource, watchers.set(response, picks));
    response.on('close', () => watchers.delete(response));
    response.flushHeaders();
    if (!initial) return;
    // KEP-3157: what is there as events, and a bookmark that says so.
    const [apiVersion, kind] = kinds[resource] ?? ['', ''];
    const annotations = { 'k8s.io/initial-events-end': 'true' };
    const end = { apiVersion, kind, metadata: { resourceVersion: String(this.#version), annotations } };
    for (const object of this.#objects.get(resource)?.values() ?? [])
      if (picks(object)) response.write(`${JSON.stringify({ type: 'ADDED', object })}\n`);
    response.write(`${JSON.stringify({ type: 'BOOKMARK', object: end })}\n`);
  }

  /** Makes these the objects of a resource; the last of them is told last. */
  replace(resource: string, objects: readonly object[]): void {
    const held = this.#objects.get(resource) ?? new Map<string, Stored>();
    const [apiVersion, kind] = kinds[resource] ?? ['', ''];
    const wanted = new Map((objects as Stored[]).map((o) => [`${o.metadata.namespace ?? ''}/${o.metadata.name}`, o]));
    const tell = (type: string, object: Stored): void => {
      for (const [watcher, picks] of this.#watchers.get(resource) ?? [])
        if (picks(object)) watcher.write(`${JSON.stringify({ type, object })}\n`);
    };
    for (const [key, object] of held) if (!wanted.has(key)) tell('DELETED', object);
    const next = new Map<string, Stored>();
    for (const [key, object] of wanted) {
      const resourceVersion = String(++this.#version);
      const stored = { ...object, apiVersion, kind, metadata: { uid: key, ...object.metadata, resourceVersion } };
      next.set(key, stored);
      tell(held.has(key) ? 'MODIFIED' : 'ADDED', stored);
    }
    this.#objects.set(resource, next);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
