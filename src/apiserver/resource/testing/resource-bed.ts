/** The verbs of resources over a store in memory, without a network, users or bootstrap objects: a request is a call. */
import type { IncomingHttpHeaders } from 'node:http';
import { Registry } from '../../../api/registry/registry.ts';
import type { ResourceRow } from '../../../api/registry/resource-row.ts';
import type { KubeObject } from '../../../api/resource-types.ts';
import { FakeClock } from '../../../clock/testing/fake-clock.ts';
import { silentLog } from '../../../observability/log.ts';
import { MemoryStore } from '../../../storage/memory/memory-store.ts';
import { AdmissionChain, type AdmissionPlugin } from '../../admission/admission.ts';
import { type Allocation, Allocations } from '../../allocation/allocation.ts';
import type { UserInfo } from '../../auth/user-info.ts';
import { WatchFeed } from '../../cache/watch-feed.ts';
import { decodeBody } from '../../http/decode-body.ts';
import type { RequestContext } from '../../http/request-context.ts';
import { requestInfo } from '../../http/request-info.ts';
import { route } from '../../router.ts';
import { forbidden } from '../../status/status-error.ts';
import { Deleter } from '../deleter.ts';
import { ObjectStore } from '../object-store.ts';
import { type ResourceDeps, ResourceHandlers } from '../resource-handlers.ts';
import type { WriteContext } from '../write-context.ts';
import { Writer } from '../writer.ts';
import { FakeResponse } from './fake-response.ts';

export interface RequestOptions {
  readonly body?: object | string | undefined;
  readonly headers?: IncomingHttpHeaders;
}

export interface FakeRequest {
  readonly ctx: RequestContext;
  readonly res: FakeResponse;
}

const user: UserInfo = { name: 'jane', groups: [] };

/** A request as handlers are given it. */
export function fakeRequest(method: string, url: string, { body, headers = {} }: RequestOptions = {}): FakeRequest {
  const { pathname, searchParams: query } = new URL(url, 'https://server');
  const res = new FakeResponse(method, headers);
  const text = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body);
  const ctx = {
    ...{ req: res.req, res: res.asServerResponse, info: requestInfo(method, pathname, query), query, user, warnings: [] },
    body: Buffer.from(text),
    decode: async (job: Parameters<typeof decodeBody>[0]) => decodeBody(job),
  } as unknown as RequestContext;
  return { ctx, res };
}

export interface BedOptions {
  readonly plugins?: readonly AdmissionPlugin[];
  readonly allocations?: readonly Allocation[];
  readonly store?: MemoryStore;
  /** Of an update or patch that finds nothing. */
  readonly mayCreate?: boolean;
}

const held = ['configmaps', 'pods', 'services', 'leases', 'events', 'deployments', 'horizontalpodautoscalers'];

export class ResourceBed {
  readonly clock: FakeClock = new FakeClock();
  readonly registry: Registry = new Registry();
  readonly stop: AbortController = new AbortController();
  cluster: string | undefined;
  readonly store: MemoryStore;
  readonly feed: WatchFeed;
  readonly deps: ResourceDeps;
  readonly handlers: ResourceHandlers;

  private constructor({ plugins = [], allocations = [], store, mayCreate = true }: BedOptions) {
    const { clock, registry } = this;
    this.store = store ?? new MemoryStore({ clock });
    this.feed = new WatchFeed({ store: this.store, clock, log: silentLog });
    for (const storedAs of held) this.feed.add(storedAs);
    const objects = new ObjectStore(this.store, this.feed, registry);
    const admission = new AdmissionChain(plugins);
    const own = { objects, admission, allocations: new Allocations(allocations), clock };
    this.deps = {
      ...{ objects, feed: this.feed, clock, stop: this.stop.signal, cluster: () => this.cluster },
      writer: new Writer(own),
      deleter: new Deleter(own),
      mayCreate: () => {
        if (!mayCreate) throw forbidden({ group: '', resource: 'any' }, undefined, 'may not create');
      },
    };
    this.handlers = new ResourceHandlers(this.deps);
  }

  static async start(options: BedOptions = {}): Promise<ResourceBed> {
    const bed = new ResourceBed(options);
    await bed.feed.start();
    return bed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.feed.close();
    await this.store.close();
  }

  row(resource: string, group = '', version = 'v1'): ResourceRow {
    return this.registry.rowOf(group, version, resource)!;
  }

  /** In the name of nobody who owns fields, unless said. */
  context(more: Partial<WriteContext> = {}): WriteContext {
    return { user, dryRun: false, warnings: [], ...more };
  }

  /** A ConfigMap in the default namespace. */
  async map(name: string, more: object = {}): Promise<KubeObject> {
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, ...more } as KubeObject;
    return (await this.deps.writer.create(this.row('configmaps'), 'default', object, this.context())).object;
  }

  /** What is stored now. */
  async stored(resource: string, name: string, group = '', version = 'v1'): Promise<KubeObject | undefined> {
    const row = this.row(resource, group, version);
    return (await this.deps.objects.get(row, row.type.namespaced ? 'default' : '', name))?.object;
  }

  /** Runs a request; rejects with what the server would answer as an error. */
  async call(method: string, url: string, options: RequestOptions = {}): Promise<FakeRequest> {
    const request = fakeRequest(method, url, options);
    await this.run(request.ctx);
    return request;
  }

  run(ctx: RequestContext): Promise<void> {
    return route(
      { resources: this.handlers, special: new Map(), path: () => false, remote: async () => false, fresh: async () => {} },
      ctx,
    );
  }
}
