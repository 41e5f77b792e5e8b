/** A small API server for tests: objects of any kind in memory, over plain HTTP, with lists, watches, patches and tokens. */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { KubeObject } from '../../api/resource-types.ts';
import { Client } from '../../client/client.ts';

interface Watcher {
  readonly collection: string;
  readonly namespace: string | undefined;
  readonly matches: (object: KubeObject) => boolean;
  readonly response: ServerResponse;
}
type Plain = Record<string, unknown>;

export class FakeApi {
  readonly #server: Server;
  readonly #objects = new Map<string, KubeObject>();
  readonly #watchers = new Set<Watcher>();
  readonly requests: string[] = [];
  #version = 1;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<FakeApi> {
    const server = createServer();
    const api = new FakeApi(server);
    server.on('request', (req, res) => {
      api.#handle(req, res).catch((err) => res.destroy(err));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return api;
  }

  client(): Client {
    return new Client({ server: `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}` });
  }

  /** `collection` is the resource's plural. */
  get<T extends KubeObject>(collection: string, name: string, namespace = ''): T | undefined {
    return this.#objects.get([collection, namespace, name].join('/')) as T | undefined;
  }

  list<T extends KubeObject>(collection: string): T[] {
    return [...this.#objects].filter(([key]) => key.startsWith(`${collection}/`)).map(([, o]) => o as T);
  }

  put<T extends KubeObject>(collection: string, object: T): T {
    const key = [collection, object.metadata.namespace ?? '', object.metadata.name].join('/');
    const known = this.#objects.get(key);
    const metadata = {
      ...object.metadata,
      uid: known?.metadata.uid ?? object.metadata.uid ?? randomUUID(),
      creationTimestamp: known?.metadata.creationTimestamp ?? new Date().toISOString(),
      resourceVersion: String(++this.#version),
    };
    const stored = { ...object, metadata };
    this.#objects.set(key, stored);
    this.#tell(known ? 'MODIFIED' : 'ADDED', collection, stored);
    return stored as T;
  }

  remove(collection: string, name: string, namespace = ''): void {
    const key = [collection, namespace, name].join('/');
    const object = this.#objects.get(key);
    if (!object) return;
    this.#objects.delete(key);
    this.#tell('DELETED', collection, { ...object, metadata: { ...object.metadata, resourceVersion: String(++this.#version) } });
  }

  #tell(type: string, collection: string, object: KubeObject): void {
    for (const w of this.#watchers) {
      if (w.collection !== collection || (w.namespace && w.namespace !== object.metadata.namespace) || !w.matches(object)) continue;
      w.response.write(`${JSON.stringify({ type, object })}\n`);
    }
  }

  async #handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const url = new URL(req.url ?? '/', 'http://api');
    this.requests.push(`${req.method} ${url.pathname}`);
    const parts = url.pathname.split('/').filter(Boolean);
    const rest = parts.slice(parts[0] === 'api' ? 2 : 3);
    const namespace = rest[0] === 'namespaces' && rest.length > 2 ? rest.splice(0, 2)[1] : undefined;
    const [collection = '', name, subresource] = rest;
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk as Buffer);
    const body = chunks.length > 0 ? (JSON.parse(Buffer.concat(chunks).toString()) as Plain) : {};
    const send = (code: number, value: object): void => {
      res.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    };
    const fail = (code: number, reason: string): void =>
      send(code, { kind: 'Status', apiVersion: 'v1', metadata: {}, code, reason, message: `${collection} "${name}" ${reason}` });

    if (req.method === 'POST' && subresource === 'token')
      return send(201, {
        ...body,
        status: { token: `token-of-${name}`, expirationTimestamp: new Date(Date.now() + 3600_000).toISOString() },
      });
    if (collection.endsWith('reviews')) return send(201, { ...body, status: { allowed: true, authenticated: false } });
    if (name === undefined) {
      if (req.method === 'POST') {
        const object = body as unknown as KubeObject;
        if (this.get(collection, object.metadata.name, namespace)) return fail(409, 'AlreadyExists');
        return send(201, this.put(collection, { ...object, metadata: { ...object.metadata, ...(namespace ? { namespace } : {}) } }));
      }
      const selector = /^spec\.nodeName=(.*)$/.exec(url.searchParams.get('fieldSelector') ?? '');
      const matches = (o: KubeObject): boolean =>
        !selector || (o as unknown as { spec?: { nodeName?: string } }).spec?.nodeName === selector[1];
      if (url.searchParams.get('watch') === 'true') {
        res.writeHead(200, { 'content-type': 'application/json' });
        res.flushHeaders();
        const since = Number(url.searchParams.get('resourceVersion') ?? 0);
        const watcher = { collection, namespace, matches, response: res };
        for (const o of this.list(collection).filter(matches))
          if (Number(o.metadata.resourceVersion) > since) res.write(`${JSON.stringify({ type: 'MODIFIED', object: o })}\n`);
        this.#watchers.add(watcher);
        res.on('close', () => this.#watchers.delete(watcher));
        return;
      }
      return send(200, {
        kind: 'List',
        metadata: { resourceVersion: String(this.#version) },
        items: this.list(collection).filter(matches),
      });
    }
    const object = this.get(collection, name, namespace);
    if (!object) return fail(404, 'NotFound');
    if (req.method === 'GET') return send(200, object);
    if (req.method === 'PUT') return send(200, this.put(collection, body as unknown as KubeObject));
    if (req.method === 'PATCH') {
      const wanted = (body.metadata as Plain | undefined)?.uid;
      if (wanted !== undefined && wanted !== object.metadata.uid) return fail(409, 'Conflict');
      return send(200, this.put(collection, merge(object as unknown as Plain, body) as unknown as KubeObject));
    }
    if (req.method === 'DELETE') {
      this.remove(collection, name, namespace);
      return send(200, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success' });
    }
    fail(405, 'MethodNotAllowed');
  }

  /** Asks for a pod's end as `kubectl delete` does. */
  deletePod(name: string, graceSeconds: number, namespace = 'default'): void {
    const pod = this.get('pods', name, namespace);
    if (!pod) return;
    const deletionTimestamp = new Date(Date.now() + graceSeconds * 1000).toISOString();
    this.put('pods', { ...pod, metadata: { ...pod.metadata, deletionTimestamp, deletionGracePeriodSeconds: graceSeconds } });
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

/** Merge patch, and of the strategic kind as much as statuses need: conditions and addresses by type, $patch: replace and delete. */
function merge(target: Plain, patch: Plain): Plain {
  const result: Plain = { ...target };
  for (const [key, value] of Object.entries(patch)) {
    const old = result[key];
    if (value === null) delete result[key];
    else if (Array.isArray(value)) {
      const replace = value.some((v) => (v as Plain)?.$patch === 'replace');
      const items = value.filter((v) => (v as Plain)?.$patch === undefined);
      if (key === 'conditions' && Array.isArray(old) && !replace) {
        const kept = old.filter((o: Plain) => !value.some((v: Plain) => v.type === o.type));
        result[key] = [...kept, ...items];
      } else result[key] = items;
    } else if (typeof value === 'object') result[key] = merge((old ?? {}) as Plain, value as Plain);
    else result[key] = value;
  }
  return result;
}
