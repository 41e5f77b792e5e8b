/** The EndpointSlices that one manager keeps for Services: read as they are expected to be, written as a plan says. */
import { endpointSlices, services } from '../../api/resource-types.ts';
import type { EndpointSlice } from '../../api/schema/types.ts';
import { labelManagedBy, labelServiceName } from '../../api/well-known.ts';
import type { Controller } from '../../client/controller.ts';
import type { ControllerContext } from '../context.ts';
import { Dependents } from '../ownership/dependents.ts';
import type { SlicePlan } from './desired.ts';

export class ServiceSlices {
  readonly #manager: string;
  readonly #slices: Dependents<EndpointSlice>;

  constructor(context: ControllerContext, manager: string) {
    this.#manager = manager;
    this.#slices = new Dependents(context, endpointSlices, services);
    this.#slices.informer.addIndex('service', (slice) => [serviceOf(slice)]);
  }

  /** A slice that somebody changed or deleted brings its Service. */
  bringKeysTo(controller: Controller): void {
    const keys = (slice: EndpointSlice): string[] => (this.#isOwn(slice) ? [serviceOf(slice)] : []);
    controller.watches(this.#slices.informer, { update: keys, delete: keys });
  }

  of(service: string): EndpointSlice[] {
    const all = this.#slices.byIndex('service', service, (slice) => serviceOf(slice) === service);
    return all.filter((slice) => this.#isOwn(slice) && !slice.metadata.deletionTimestamp);
  }

  /** Those that get more before those that get less: an endpoint that moves is never missing. */
  async apply({ create = [], update = [], remove = [] }: Partial<SlicePlan>): Promise<void> {
    for (const slice of create) await this.#slices.create(slice);
    for (const slice of update) await this.#slices.update(slice);
    for (const slice of remove) await this.#slices.delete(slice);
  }

  #isOwn({ metadata }: EndpointSlice): boolean {
    return metadata.labels?.[labelManagedBy] === this.#manager;
  }
}

function serviceOf({ metadata }: EndpointSlice): string {
  return `${metadata.namespace}/${metadata.labels?.[labelServiceName] ?? ''}`;
}
