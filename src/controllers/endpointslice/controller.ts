/** Keeps the EndpointSlices of every Service that has a selector. */
import { objectKey } from '../../api/object-key.ts';
import { nodes, pods, services } from '../../api/resource-types.ts';
import type { EndpointSlice, Node, Pod, Service } from '../../api/schema/types.ts';
import { endpointsLastChangeTriggerTime } from '../../api/well-known.ts';
import { isConflict, isNotFound } from '../../client/api-error.ts';
import type { Controller } from '../../client/controller.ts';
import { timestamp } from '../../clock/timestamp.ts';
import { messageOf } from '../../errors/known-error.ts';
import { KeyedController } from '../context.ts';
import { canonical } from '../ownership/template-hash.ts';
import { manager, planSlices } from './desired.ts';
import { ServiceSlices } from './service-slices.ts';
import { hasSelector, selects, servicesOf } from './services-of.ts';
import { wantsTopologyHints, type ZoneShares, zoneFacts, zoneOf, zoneShares } from './topology-hints.ts';

export class EndpointSliceController extends KeyedController {
  readonly name = 'endpoint-slice-controller';
  readonly #services = this.informers.of(services);
  readonly #pods = this.informers.of(pods);
  readonly #nodes = this.informers.of(nodes);
  readonly #slices = new ServiceSlices(this.context, manager);
  /** Counted when they are asked for, until a node's CPU or zone changes. */
  #shares: { readonly of: ZoneShares } | undefined;

  setup(controller: Controller): void {
    const ofPod = (pod: Pod, previous?: Pod): string[] => servicesOf(this.#services, pod, previous);
    controller
      .for(this.#services)
      .watches(this.#pods, { add: ofPod, update: ofPod, delete: ofPod })
      .watches(this.#nodes, {
        add: (node) => this.#ofNode(node, undefined),
        update: (node, previous) => this.#ofNode(node, previous),
        delete: (node) => this.#ofNode(undefined, node),
      });
    this.#slices.bringKeysTo(controller);
  }

  /** A node that moves takes its pods' endpoints to another zone; CPU per zone decides over the hints of all Services that ask for them. */
  #ofNode(node: Node | undefined, previous: Node | undefined): string[] {
    const hasMoved = node !== undefined && zoneOf(node) !== (previous && zoneOf(previous));
    const hasGrown = canonical(zoneFacts(node)) !== canonical(zoneFacts(previous));
    if (hasGrown) this.#shares = undefined;
    const concerned = this.#services.list().filter((service) => hasMoved || (hasGrown && wantsTopologyHints(service)));
    return concerned.map(objectKey);
  }

  async reconcile(key: string): Promise<undefined> {
    const service = this.#services.get(key);
    // The garbage collector takes the slices of one that is gone.
    if (!service) return;
    const existing = this.#slices.of(key);
    // A Service without selector belongs to whoever writes its slices.
    if (!hasSelector(service) || service.metadata.deletionTimestamp) {
      await this.#slices.apply({ remove: existing });
      return;
    }
    const selected = this.#pods.list(service.metadata.namespace).filter((pod) => selects(service, pod));
    const plan = planSlices({
      service,
      pods: selected,
      nodeOf: (name) => this.#nodes.get(name),
      existing,
      shares: () => this.#zoneShares(),
    });
    for (const { type, reason, message } of plan.events ?? []) this.recorder.event(service, type, reason, message);
    const now = timestamp(this.clock.now());
    const stamped = (slices: readonly EndpointSlice[]): EndpointSlice[] => slices.map((slice) => withTriggerTime(slice, now));
    try {
      await this.#slices.apply({ create: stamped(plan.create), update: stamped(plan.update), remove: plan.remove });
    } catch (err) {
      if (!this.context.signal.aborted && !isNotFound(err) && !isConflict(err)) this.#warn(service, err);
      throw err;
    }
  }

  #zoneShares(): ZoneShares {
    this.#shares ??= { of: zoneShares(this.#nodes.list()) };
    return this.#shares.of;
  }

  #warn(service: Service, err: unknown): void {
    const message = `Error updating Endpoint Slices for Service ${objectKey(service)}: ${messageOf(err)}`;
    this.recorder.event(service, 'Warning', 'FailedToUpdateEndpointSlices', message);
  }
}

function withTriggerTime(slice: EndpointSlice, time: string): EndpointSlice {
  const annotations = { ...slice.metadata.annotations, [endpointsLastChangeTriggerTime]: time };
  return { ...slice, metadata: { ...slice.metadata, annotations } };
}
