/**
 * Load balancers for Services: upstream's service controller, with its events and its finalizer. What there is is asked of the provider alone,
 * so that it may be called again at any time.
 */
import { isDeepStrictEqual } from 'node:util';
import { objectKey } from '../../api/object-key.ts';
import { nodes, services } from '../../api/resource-types.ts';
import type { LoadBalancerStatus, Node, Service } from '../../api/schema/types.ts';
import { loadBalancerCleanupFinalizer } from '../../api/well-known.ts';
import { ignoreNotFound } from '../../client/api-error.ts';
import type { Controller, Reconciler } from '../../client/controller.ts';
import { EventRecorder } from '../../client/event-recorder.ts';
import type { Informer } from '../../client/informer.ts';
import { messageOf } from '../../errors/known-error.ts';
import { type Balanced, type CloudContext, isRefusal, type LoadBalancers } from '../provider.ts';
import { changeEvents, fingerprintOf, hasFinalizer, isBalanced, needsCleanUp, wantsLoadBalancer } from './desired.ts';

/** What the load balancer of a Service was last made for. */
interface Made {
  readonly fingerprint: object;
  readonly nodes: string;
}

export class ServiceController implements Reconciler {
  readonly name = 'service-lb-controller';
  readonly workers = 1;
  readonly #context: CloudContext;
  readonly #balancers: LoadBalancers;
  readonly #services: Informer<Service>;
  readonly #nodes: Informer<Node>;
  readonly #recorder: EventRecorder;
  readonly #made = new Map<string, Made>();
  #nodeNames = '';

  constructor(context: CloudContext, balancers: LoadBalancers) {
    this.#context = context;
    this.#balancers = balancers;
    this.#services = context.informers.of(services);
    this.#nodes = context.informers.of(nodes);
    this.#recorder = new EventRecorder({ ...context, component: 'service-controller' });
  }

  setup(controller: Controller): void {
    const { ready } = this.#balancers;
    controller
      .watches(this.#services, {
        add: (service) => (this.#concerns(service) ? [objectKey(service)] : []),
        update: (service, previous) => this.#changed(service, previous),
        delete: (service) => [objectKey(service)],
      })
      .watches(this.#nodes, { add: () => this.#nodesChanged(), update: () => this.#nodesChanged(), delete: () => this.#nodesChanged() })
      .waitsFor({ synced: ready });
    this.#balancers.onChange((key) => {
      for (const one of key === undefined ? this.#wanting() : [key]) {
        this.#made.delete(one);
        controller.enqueue(one);
      }
    });
  }

  #wants(service: Service): boolean {
    return wantsLoadBalancer(service, this.#context.loadBalancerClass);
  }

  #concerns(service: Service): boolean {
    return this.#wants(service) || needsCleanUp(service);
  }

  #wanting(): string[] {
    return this.#services.list().flatMap((service) => (this.#wants(service) ? [objectKey(service)] : []));
  }

  #changed(service: Service, previous: Service): string[] {
    if (this.#wants(service) || this.#wants(previous))
      for (const { type, reason, message } of changeEvents(service, previous)) this.#recorder.event(service, type, reason, message);
    // Also when somebody else has changed its status: the addresses are ours to tell.
    return this.#concerns(service) ? [objectKey(service)] : [];
  }

  #nodesChanged(): string[] {
    const names = namesOf(this.#hosts());
    if (names === this.#nodeNames) return [];
    this.#nodeNames = names;
    return this.#wanting();
  }

  #hosts(): Node[] {
    return this.#nodes.list().filter(isBalanced);
  }

  async reconcile(key: string): Promise<undefined> {
    const service = this.#services.get(key);
    if (service && needsCleanUp(service)) await this.#cleanUp(service);
    else if (service && this.#wants(service) && this.#balancers.isConfigured) await this.#ensure(key, service);
    else if (!service) this.#made.delete(key);
  }

  async #ensure(key: string, service: Service): Promise<void> {
    const hosts = this.#hosts();
    const made = this.#made.get(key);
    const now: Made = { fingerprint: fingerprintOf(service, this.#balancers.annotations), nodes: namesOf(hosts) };
    const isNew = !isDeepStrictEqual(made?.fingerprint, now.fingerprint);
    if (!isNew && made?.nodes !== now.nodes) await this.#updateNodes(service, hosts);
    if (isNew && (made !== undefined || !hasFinalizer(service)))
      this.#recorder.event(service, 'Normal', 'EnsuringLoadBalancer', 'Ensuring load balancer');
    // Before there is anything to take away.
    const held = await this.#addFinalizer(service);
    if (isNew && hosts.length === 0)
      this.#recorder.event(service, 'Warning', 'UnAvailableLoadBalancer', 'There are no available nodes for LoadBalancer');
    const balanced = await this.#ask(held, hosts);
    this.#made.set(key, now);
    if (!balanced) {
      await this.#show(held, {}, {});
      return;
    }
    if (balanced.event) this.#recorder.event(service, 'Normal', balanced.event.reason, balanced.event.message);
    const isNews = await this.#show(held, balanced.status, balanced.annotations ?? {});
    if (isNews || (isNew && made !== undefined)) this.#recorder.event(service, 'Normal', 'EnsuredLoadBalancer', 'Ensured load balancer');
  }

  async #updateNodes(service: Service, hosts: readonly Node[]): Promise<void> {
    if (!this.#balancers.updateNodes) return;
    try {
      await this.#balancers.updateNodes(service, hosts);
      this.#recorder.event(service, 'Normal', 'UpdatedLoadBalancer', 'Updated load balancer with new hosts');
    } catch (err) {
      const message = `Error updating load balancer with new hosts [${namesOf(hosts)}]: ${messageOf(err)}`;
      this.#recorder.event(service, 'Warning', 'UpdateLoadBalancerFailed', message);
      throw err;
    }
  }

  /** The load balancer; undefined, and an event, when there can be none for now. */
  async #ask(service: Service, hosts: readonly Node[]): Promise<Balanced | undefined> {
    try {
      return await this.#balancers.ensure(service, hosts);
    } catch (err) {
      const message = isRefusal(err) ? err.message : `Error syncing load balancer: failed to ensure load balancer: ${messageOf(err)}`;
      this.#recorder.event(service, 'Warning', isRefusal(err) ? err.reason : 'SyncLoadBalancerFailed', message);
      if (!isRefusal(err)) throw err;
      return undefined;
    }
  }

  async #cleanUp(service: Service): Promise<void> {
    this.#recorder.event(service, 'Normal', 'DeletingLoadBalancer', 'Deleting load balancer');
    await this.#balancers.ensureDeleted(service).catch((err: unknown) => {
      const message = `Error syncing load balancer: failed to delete load balancer: ${messageOf(err)}`;
      this.#recorder.event(service, 'Warning', 'SyncLoadBalancerFailed', message);
      throw err;
    });
    const { metadata, status } = showing(service, {}, changedAnnotations(service, this.#balancers.annotations, {}));
    await this.#patch(service, { metadata: { ...metadata, ...finalizersOf(service, false) }, status });
    this.#recorder.event(service, 'Normal', 'DeletedLoadBalancer', 'Deleted load balancer');
    this.#made.delete(objectKey(service));
  }

  /** False when the Service shows the addresses already. */
  async #show(service: Service, status: LoadBalancerStatus, given: Readonly<Record<string, string>>): Promise<boolean> {
    const annotations = changedAnnotations(service, this.#balancers.annotations, given);
    const isSame = isDeepStrictEqual(status.ingress ?? [], service.status?.loadBalancer?.ingress ?? []);
    if (!isSame || Object.keys(annotations).length > 0) await this.#patch(service, showing(service, status, annotations));
    return !isSame;
  }

  async #addFinalizer(service: Service): Promise<Service> {
    return hasFinalizer(service) ? service : ((await this.#patch(service, { metadata: finalizersOf(service, true) })) ?? service);
  }

  /** By the status for everything, as upstream does: its role allows nothing else. */
  async #patch({ metadata: { name, namespace = '' } }: Service, patch: object): Promise<Service | undefined> {
    return await this.#context.client.patch(services, name, patch, { namespace, subresource: 'status' }).catch(ignoreNotFound);
  }
}

/** A patch to what differs from `given`. */
function changedAnnotations(
  { metadata }: Service,
  own: readonly string[],
  given: Readonly<Record<string, string>>,
): Record<string, string | null> {
  const changed = own.filter((name) => metadata.annotations?.[name] !== given[name]);
  return Object.fromEntries(changed.map((name) => [name, given[name] ?? null]));
}

function showing({ metadata }: Service, { ingress }: LoadBalancerStatus, annotations: Record<string, string | null>) {
  const { resourceVersion } = metadata;
  return { metadata: { resourceVersion, annotations }, status: { loadBalancer: { ingress: ingress ?? null } } };
}

/** With the version, as a list is replaced as a whole. */
function finalizersOf({ metadata: { finalizers = [], resourceVersion } }: Service, isWanted: boolean) {
  const others = finalizers.filter((one) => one !== loadBalancerCleanupFinalizer);
  return { resourceVersion, finalizers: isWanted ? [...others, loadBalancerCleanupFinalizer] : others };
}

function namesOf(list: readonly Node[]): string {
  return list
    .map(({ metadata }) => metadata.name)
    .toSorted()
    .join(' ');
}
