/** Which groups other servers of the cluster serve. Nothing of it is loaded, and nothing runs, before there is an APIService with a Service. */
import type { Duplex } from 'node:stream';
import { type ApiService, apiServices, availabilityOf, withAvailability } from '../../api/aggregation/aggregation.ts';
import type { RemoteVersion } from '../../api/discovery/remote.ts';
import type { Registry } from '../../api/registry/registry.ts';
import { endpointSlices, services } from '../../api/resource-types.ts';
import type { APIResourceList } from '../../api/schema/types.ts';
import { labelServiceName } from '../../api/well-known.ts';
import { onAbort } from '../../clock/aborted.ts';
import { WorkQueue } from '../../clock/work-queue.ts';
import { messageOf } from '../../errors/known-error.ts';
import { type Background, ownWrite } from '../bootstrap/ensure.ts';
import type { Lookup } from '../cache/lookup.ts';
import type { RequestContext } from '../http/request-context.ts';
import type { Target } from '../kubelet/kubelet-client.ts';
import type { Writer } from '../resource/writer.ts';
import type { ClientTls, ServiceClient } from '../service-client/service-client.ts';
import { isStatusError, serviceUnavailable } from '../status/status-error.ts';
import type { HeldDocument } from './remote-openapi.ts';

/** So often every remote one is asked, whatever is heard of it. */
const resyncMs = 30_000;
/** After a look that failed. */
const retryMs = 5_000;

export interface AggregationDeps extends Background {
  readonly registry: Registry;
  readonly lookup: Lookup;
  readonly writer: Pick<Writer, 'update'>;
  readonly client: ServiceClient;
  /** What is shown to servers behind this one: who shows it may speak for others. */
  readonly proxyClient: Pick<ClientTls, 'cert' | 'key'>;
}

/** One with a Service. */
export interface Remote {
  readonly object: ApiService;
  readonly group: string;
  readonly version: string;
  readonly service: { readonly namespace: string; readonly name: string; readonly port: number };
  readonly tls: ClientTls;
}

interface Dialled {
  readonly target: Target;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly plain: () => Promise<Duplex>;
}

export class Aggregation {
  readonly #d: AggregationDeps;
  readonly #remotes = new Map<string, Remote>();
  /** What each last said that it has. */
  readonly #resources = new Map<string, APIResourceList>();
  readonly #documents = new Map<string, HeldDocument>();
  /** Whose documents are to be fetched: apart from the looks, so that these wait for none. */
  readonly #toFetch: WorkQueue;
  readonly #queue: WorkQueue;
  #followsServices = false;
  /** Grows with every change of what discovery tells. */
  generation = 0;

  constructor(deps: AggregationDeps) {
    this.#d = deps;
    this.#queue = new WorkQueue(deps.clock);
    this.#toFetch = new WorkQueue(deps.clock);
  }

  follow(): void {
    this.#d.lookup.follow(apiServices, {
      put: (object) => this.#put(object),
      delete: ({ metadata }) => this.#forget(metadata.name),
    });
  }

  /** Of others alone: what is served here is not asked for. */
  get versions(): readonly RemoteVersion[] {
    return [...this.#remotes].flatMap(([name, { object, group, version }]): RemoteVersion[] =>
      this.#isOwn(group, version)
        ? []
        : [
            {
              ...{
                group,
                version,
                resources: this.#resources.get(name),
                openApi: this.#documents.get(name),
                available: isAvailable(object),
              },
              ...{ groupPriority: object.spec?.groupPriorityMinimum ?? 0, versionPriority: object.spec?.versionPriority ?? 0 },
            },
          ],
    );
  }

  /** Who serves a version; undefined for what is served here, and by nobody. */
  find(group: string, version: string): Remote | undefined {
    const remote = this.#remotes.size === 0 ? undefined : this.#remotes.get(`${version}.${group}`);
    return remote && !this.#isOwn(group, version) ? remote : undefined;
  }

  /** Passes a request on; false when nobody else serves its version. */
  async serve(ctx: RequestContext): Promise<boolean> {
    const remote = ctx.info.prefix === 'apis' && ctx.info.version !== '' ? this.find(ctx.info.group, ctx.info.version) : undefined;
    if (!remote) return false;
    const { passOn } = await import('./remote-proxy.ts');
    await passOn(this.#d.client, remote, isAvailable(remote.object), ctx);
    return true;
  }

  /** A connection of its own, for what leaves HTTP; undefined when nobody else serves the version. Throws 503. */
  async dial({ info, user }: Pick<RequestContext, 'info' | 'user'>): Promise<Dialled | undefined> {
    const remote = info.prefix === 'apis' ? this.find(info.group, info.version) : undefined;
    if (!remote) return undefined;
    if (!isAvailable(remote.object)) throw serviceUnavailable('service unavailable');
    const { remoteUser } = await import('./remote-user.ts');
    const to = await this.#d.client.destination(remote.service, remote.tls);
    const target = { name: to.name, host: to.serverName, port: to.port };
    return { target, headers: remoteUser(user), plain: () => this.#d.client.connect(to) };
  }

  /** Writes the conditions, until the signal aborts. */
  async keep(): Promise<void> {
    using _ = onAbort(this.#d.signal, () => {
      this.#queue.close();
      this.#toFetch.close();
    });
    await Promise.all([this.#keepLooking(), this.#keepFetching()]);
  }

  /** Not one after the other: one that does not answer keeps none waiting. */
  async #keepLooking(): Promise<void> {
    for (let name = await this.#queue.take(); name !== undefined; name = await this.#queue.take()) void this.#keepOne(name);
  }

  /** Nor here. */
  async #keepFetching(): Promise<void> {
    for (let name = await this.#toFetch.take(); name !== undefined; name = await this.#toFetch.take()) {
      const one = name;
      void this.#fetch(one)
        .catch((err: unknown) =>
          this.#d.log.debug('cannot fetch the OpenAPI document of an APIService', { name: one, error: messageOf(err) }),
        )
        .finally(() => this.#toFetch.done(one));
    }
  }

  async #keepOne(name: string): Promise<void> {
    let well = false;
    try {
      well = await this.#look(name);
    } catch (err) {
      if (!isStatusError(err, 'NotFound') && !isStatusError(err, 'Conflict'))
        this.#d.log.warn('cannot see to an APIService', { name, error: messageOf(err) });
    }
    if (this.#remotes.has(name)) this.#queue.addAfter(name, well ? resyncMs : retryMs);
    this.#queue.done(name);
  }

  #forget(name: string): void {
    if (this.#remotes.delete(name)) this.generation++;
    this.#resources.delete(name);
    this.#documents.delete(name);
  }

  #put(object: ApiService): void {
    const { name } = object.metadata;
    const { service, group = '', version = '', caBundle, insecureSkipTLSVerify: insecure = false } = object.spec ?? {};
    const before = this.#remotes.get(name);
    if (!service) {
      this.#forget(name);
      return;
    }
    const ca = caBundle ? Buffer.from(caBundle, 'base64').toString() : undefined;
    const { namespace = '', name: to = '', port = 443 } = service;
    this.#remotes.set(name, {
      object,
      group,
      version,
      service: { namespace, name: to, port },
      tls: { ...this.#d.proxyClient, ca, insecure },
    });
    if (!before || isAvailable(before.object) !== isAvailable(object) || !sameSpec(before.object, object)) this.generation++;
    if (!before || !sameSpec(before.object, object)) this.#queue.add(name);
    this.#followServices();
  }

  #followServices(): void {
    if (this.#followsServices) return;
    this.#followsServices = true;
    const changed = (namespace = '', name = ''): void => {
      for (const [key, { service }] of this.#remotes) if (service.namespace === namespace && service.name === name) this.#queue.add(key);
    };
    const on = <
      T extends { readonly metadata: { name: string; namespace?: string | undefined; labels?: Record<string, string> | undefined } },
    >(
      nameOf: (object: T) => string | undefined,
    ): { put: (object: T) => void; delete: (object: T) => void } => {
      const tell = (object: T): void => changed(object.metadata.namespace, nameOf(object));
      return { put: tell, delete: tell };
    };
    this.#d.lookup.follow(
      services,
      on(({ metadata }) => metadata.name),
    );
    this.#d.lookup.follow(
      endpointSlices,
      on(({ metadata }) => metadata.labels?.[labelServiceName]),
    );
  }

  #isOwn(group: string, version: string): boolean {
    return this.#d.registry.rows.some(({ type }) => type.group === group && type.version === version);
  }

  /** Whether it is well. */
  async #look(name: string): Promise<boolean> {
    const remote = this.#remotes.get(name);
    if (!remote) return false;
    const { lookup, client, clock, writer, registry } = this.#d;
    const { lookAt } = await import('./availability.ts');
    const { condition, resources } = await lookAt(remote, lookup, client);
    if (this.#remotes.get(name)?.object.metadata.uid !== remote.object.metadata.uid) return false;
    if (resources && JSON.stringify(resources) !== JSON.stringify(this.#resources.get(name))) {
      this.#resources.set(name, resources);
      this.generation++;
    }
    if (withAvailability(remote.object, condition, clock.now())) {
      const row = registry.rowFor(apiServices);
      const part = row.subresources.find((one) => one.name === 'status');
      if (part?.kind === 'part')
        await writer.update(
          { row, namespace: '', name, part },
          (current) => ({ ...structuredClone(current), ...statusOf(withAvailability(current as ApiService, condition, clock.now())) }),
          ownWrite(),
        );
    }
    const well = condition.status === 'True';
    if (well) this.#toFetch.add(name);
    return well;
  }

  async #fetch(name: string): Promise<void> {
    const remote = this.#remotes.get(name);
    if (!remote) return;
    const { fetchDocument } = await import('./remote-openapi.ts');
    const before = this.#documents.get(name);
    const now = await fetchDocument(remote, this.#d.client, before);
    if (this.#remotes.get(name)?.object.metadata.uid !== remote.object.metadata.uid) return;
    if (now) this.#documents.set(name, now);
    else this.#documents.delete(name);
    if (now?.hash !== before?.hash) this.generation++;
  }
}

function statusOf(status: ApiService['status']): object {
  return status ? { status } : {};
}

function isAvailable({ status }: ApiService): boolean {
  return availabilityOf(status)?.status === 'True';
}

function sameSpec(a: ApiService, b: ApiService): boolean {
  return a.metadata.uid === b.metadata.uid && JSON.stringify(a.spec) === JSON.stringify(b.spec);
}
