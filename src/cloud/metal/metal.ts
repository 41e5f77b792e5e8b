/**
 * The provider for machines of one's own: addresses out of pools that the operator has set aside. The Services themselves are the record of who
 * has which, so that a restart, a new leader and a lost disk change nothing. Announcing is the speakers' work, on the nodes.
 */
import { randomBytes } from 'node:crypto';
import { objectKey } from '../../api/object-key.ts';
import { configMaps, namespaces, secrets, services } from '../../api/resource-types.ts';
import type { ConfigMap, Namespace, Service } from '../../api/schema/types.ts';
import { formatLabelSelector } from '../../api/selector/label.ts';
import { announceAnnotation, announceInterfacesAnnotation, announceNodesAnnotation, speakerSecret } from '../../api/well-known.ts';
import { ignoreNotFound, isAlreadyExists } from '../../client/api-error.ts';
import type { Informer } from '../../client/informer.ts';
import { messageOf } from '../../errors/known-error.ts';
import { type Balanced, type Instances, type LoadBalancers, type Provider, type ProviderContext, ProviderRefusal } from '../provider.ts';
import { AddressBook } from './address-book.ts';
import { addressRequest, claimOf } from './address-request.ts';
import { allocate } from './allocate.ts';
import { documentsOf } from './documents.ts';
import { readDocuments } from './metallb-objects.ts';
import { poolGauges } from './pool-gauges.ts';
import type { Pool } from './pools.ts';

export interface MetalOptions {
  /** `namespace/name` of the ConfigMap, whose key `config` has pools; it is followed while it changes. */
  readonly configMap: string;
  /** Pools by flag or file, which the ConfigMap's come after. */
  readonly pools: readonly Pool[];
}

/** Where MetalLB says from which pool an address is. */
const poolAnnotation = 'metallb.io/ip-allocated-from-pool';

export class MetalLoadBalancers implements LoadBalancers {
  readonly annotations: readonly string[] = [poolAnnotation, announceAnnotation, announceNodesAnnotation, announceInterfacesAnnotation];
  readonly ready: Promise<void>;
  readonly #context: ProviderContext;
  readonly #fixed: readonly Pool[];
  readonly #book = new AddressBook();
  /** Addresses that were given and that the copy of the Service does not show yet. */
  readonly #given = new Map<string, readonly string[]>();
  readonly #services: Informer<Service>;
  readonly #namespaces: Informer<Namespace>;
  readonly #listeners: ((service: string | undefined) => void)[] = [];
  /** Refused for now, so that an address that comes free is theirs. */
  readonly #waiting = new Set<string>();
  #pools: readonly Pool[];
  #hasKey = false;

  constructor(context: ProviderContext, { configMap, pools }: MetalOptions) {
    this.#context = context;
    this.#fixed = pools;
    this.#pools = pools;
    const { informers } = context;
    this.#services = informers.of(services);
    this.#namespaces = informers.of(namespaces);
    for (const gauge of poolGauges(() => this.#pools, this.#book)) context.gauges?.set(gauge.name, gauge);
    const [namespace = '', name = ''] = configMap.split('/');
    const files = informers.of(configMaps, { namespace, fieldSelector: `metadata.name=${name}` });
    files.on({ add: (file) => this.#configure(file), update: (file) => this.#configure(file), delete: () => this.#configure(undefined) });
    const follow = (service: Service): void => this.#follow(service);
    this.#services.on({ add: follow, update: follow, delete: (service) => this.#forget(objectKey(service)) });
    this.#namespaces.on({ update: () => this.#retry() });
    this.ready = Promise.all([files.synced, this.#services.synced, this.#namespaces.synced])
      .then(() => this.#ensureKey())
      // An API server that does not answer just now must not be in the way for ever: whoever gives an address asks again.
      .catch((err: unknown) => context.log.warn(`Cannot make the speakers' key yet: ${messageOf(err)}`));
  }

  get isConfigured(): boolean {
    return this.#pools.length > 0;
  }

  onChange(listener: (service: string | undefined) => void): void {
    this.#listeners.push(listener);
  }

  async ensure(service: Service): Promise<Balanced> {
    const key = objectKey(service);
    await this.#ensureKey();
    const request = addressRequest(service, await this.#namespaceOf(service));
    const result = 'why' in request ? ({ kind: 'refused', why: request.why } as const) : allocate(request, this.#pools, this.#book);
    if (result.kind === 'refused') {
      this.#waiting.add(key);
      this.#given.delete(key);
      this.#follow(service);
      throw new ProviderRefusal('AllocationFailed', `Failed to allocate IP for "${key}": ${result.why}`);
    }
    const { addresses, pool } = result;
    this.#waiting.delete(key);
    this.#given.set(key, addresses);
    this.#follow(service);
    const isNews = addresses.toSorted().join() !== shownBy(service).toSorted().join();
    return {
      status: { ingress: addresses.map((ip) => ({ ip, ipMode: 'VIP' })) },
      annotations: annotationsOf(pool),
      ...(isNews ? { event: { reason: 'IPAllocated', message: `Assigned IP ${JSON.stringify(addresses)}` } } : {}),
    };
  }

  /** What it has is free when its copy shows that: until then some node may still answer for it. */
  async ensureDeleted(service: Service): Promise<void> {
    const key = objectKey(service);
    this.#given.delete(key);
    this.#waiting.delete(key);
    const copy = this.#services.get(key);
    if (copy) this.#follow(copy);
    else this.#forget(key);
  }

  /** The speakers' key, before there is anything to announce. It is made once: another one would part those that have it from those that have not. */
  async #ensureKey(): Promise<void> {
    const { client, signal } = this.#context;
    if (this.#hasKey || signal.aborted || !this.#pools.some(({ protocol }) => protocol === 'layer2')) return;
    const metadata = { name: speakerSecret, namespace: 'kube-system' };
    const present = await client.get(secrets, metadata.name, metadata).catch(ignoreNotFound);
    const data = { key: randomBytes(32).toString('base64') };
    if (!present)
      await client.create(secrets, { apiVersion: 'v1', kind: 'Secret', metadata, data }).catch((err: unknown) => {
        if (!isAlreadyExists(err)) throw err;
      });
    this.#hasKey = true;
  }

  /** Its copy may come later than that of a Service which was made at the same time, and by its labels pools are chosen. */
  async #namespaceOf({ metadata: { namespace = '' } }: Service): Promise<Namespace | undefined> {
    return this.#namespaces.get(namespace) ?? (await this.#context.client.get(namespaces, namespace).catch(ignoreNotFound));
  }

  #follow(service: Service): void {
    const key = objectKey(service);
    const shown = shownBy(service);
    const given = this.#given.get(key) ?? [];
    if (this.#book.set(key, [...new Set([...given, ...shown])], claimOf(service))) this.#retry();
  }

  #forget(key: string): void {
    this.#given.delete(key);
    this.#waiting.delete(key);
    if (this.#book.set(key, [], { ports: [], sharingKey: '', backendKey: '' })) this.#retry();
  }

  #retry(): void {
    for (const key of this.#waiting) for (const listener of this.#listeners) listener(key);
  }

  #configure(file: ConfigMap | undefined): void {
    try {
      this.#pools = file === undefined ? this.#fixed : mergePools(this.#fixed, readDocuments(documentsOf(file.data?.config ?? '')));
      this.#context.log.info(`Gives out addresses of ${this.#pools.length} pools: ${this.#pools.map(({ name }) => name).join(', ')}`);
    } catch (err) {
      // Those of before stay: a slip of the pen must take nobody's address.
      this.#context.log.error(`${messageOf(err)}; the pools stay as they were`, { err });
      return;
    }
    for (const listener of this.#listeners) listener(undefined);
  }
}

/** Pools of the flag keep their names and addresses when the ConfigMap says the same again. */
function mergePools(fixed: readonly Pool[], more: readonly Pool[]): Pool[] {
  return [...fixed, ...more.filter(({ name }) => !fixed.some((pool) => pool.name === name))];
}

/** Where its addresses are from, and what speakers are to do with them. */
function annotationsOf({ name, protocol, nodeSelectors, interfaces }: Pool): Record<string, string> {
  return {
    [poolAnnotation]: name,
    [announceAnnotation]: protocol,
    ...(nodeSelectors ? { [announceNodesAnnotation]: nodeSelectors.map(formatLabelSelector).join('; ') } : {}),
    ...(interfaces ? { [announceInterfacesAnnotation]: interfaces.join(',') } : {}),
  };
}

function shownBy({ spec, status }: Service): string[] {
  if (spec?.type !== 'LoadBalancer') return [];
  return (status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => (ip ? [ip] : []));
}

/** Machines of one's own are there until somebody takes their Node away, and their kubelets know their addresses. */
const instances: Instances = {
  exists: async () => true,
  isShutDown: async () => false,
  metadata: async ({ metadata }) => ({ providerID: `metal://${metadata.name}` }),
};

export function openMetal(context: ProviderContext, options: MetalOptions): Provider {
  return { name: 'metal', loadBalancers: new MetalLoadBalancers(context, options), instances };
}
