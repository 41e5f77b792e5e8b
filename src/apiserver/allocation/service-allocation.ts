/** What a Service takes of the cluster: ClusterIPs, node ports, a health-check port. */
import { randomInt } from 'node:crypto';
import { type KubeObject, services } from '../../api/resource-types.ts';
import type { Service } from '../../api/schema/types.ts';
import type { FieldError } from '../../api/validation/field-error.ts';
import type { Clock } from '../../clock/clock.ts';
import type { Lookup } from '../cache/lookup.ts';
import type { Allocation } from './allocation.ts';
import { NumberPool } from './number-pool.ts';
import { ServiceAddresses } from './service-addresses.ts';
import { type PortRange, ServicePorts } from './service-ports.ts';

export class ServiceAllocation implements Allocation {
  readonly resource = 'services';
  readonly #addressPool: NumberPool;
  readonly #portPool: NumberPool;
  readonly #addresses: ServiceAddresses;
  readonly #ports: ServicePorts;

  /** Follows the caches from the call on. */
  constructor(options: { readonly serviceCidr: string; readonly nodePorts: PortRange; readonly lookup: Lookup; readonly clock: Clock }) {
    const { lookup, clock } = options;
    const random = (below: number): number => randomInt(below);
    this.#addressPool = new NumberPool({ clock, random });
    this.#portPool = new NumberPool({ clock, random });
    this.#addresses = new ServiceAddresses(options.serviceCidr, this.#addressPool, lookup);
    this.#ports = new ServicePorts(options.nodePorts, this.#portPool);
    lookup.follow(services, {
      put: (service, previous) => {
        if (previous) this.#drop(previous);
        this.#hold(service);
      },
      delete: (service) => this.#drop(service),
    });
  }

  allocate(next: KubeObject, _old: KubeObject | undefined, dryRun: boolean): FieldError[] {
    const service = next as Service;
    const { spec } = service;
    if (!spec) return [];
    const owner = ownerOf(service);
    const errors = [...this.#addresses.allocate(spec, owner), ...this.#ports.allocate(spec, owner)];
    if (errors.length === 0) errors.push(...this.#ports.allocateHealthCheck(spec, owner));
    if (dryRun || errors.length > 0) this.release(service);
    return errors;
  }

  release(object: KubeObject): void {
    const owner = ownerOf(object as Service);
    this.#addressPool.giveBack(owner);
    this.#portPool.giveBack(owner);
  }

  #hold(service: Service): void {
    const owner = ownerOf(service);
    for (const one of this.#addresses.heldBy(service)) this.#addressPool.hold(one, owner);
    for (const one of this.#ports.heldBy(service)) this.#portPool.hold(one, owner);
  }

  #drop(service: Service): void {
    const owner = ownerOf(service);
    for (const one of this.#addresses.heldBy(service)) this.#addressPool.drop(one, owner);
    for (const one of this.#ports.heldBy(service)) this.#portPool.drop(one, owner);
  }
}

/** The name would do for one life of a Service; the uid tells two apart that follow each other. */
function ownerOf({ metadata }: Service): string {
  return `${metadata.namespace}/${metadata.name} ${metadata.uid}`;
}
