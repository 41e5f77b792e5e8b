/** Keeps the Endpoints object of every Service that has a selector. */
import { endpoints, pods, services } from '../../api/resource-types.ts';
import type { Pod } from '../../api/schema/types.ts';
import type { Controller } from '../../client/controller.ts';
import { KeyedController } from '../context.ts';
import { hasSelector, selects, servicesOf } from '../endpointslice/services-of.ts';
import { Dependents } from '../ownership/dependents.ts';
import { isOurs, planEndpoints } from './desired.ts';

export class EndpointsController extends KeyedController {
  readonly name = 'endpoint-controller';
  readonly #services = this.informers.of(services);
  readonly #pods = this.informers.of(pods);
  readonly #endpoints = new Dependents(this.context, endpoints, services);

  setup(controller: Controller): void {
    const ofPod = (pod: Pod, previous?: Pod): string[] => servicesOf(this.#services, pod, previous);
    controller
      .for(this.#services)
      .watches(this.#pods, { add: ofPod, update: ofPod, delete: ofPod })
      .watches(this.#endpoints.informer, { delete: ({ metadata }) => [`${metadata.namespace}/${metadata.name}`] });
  }

  async reconcile(key: string): Promise<undefined> {
    const service = this.#services.get(key);
    const current = this.#endpoints.get(key);
    if (!service) {
      if (current && isOurs(current)) await this.#endpoints.delete(current);
      return;
    }
    if (!hasSelector(service) || service.metadata.deletionTimestamp) return;
    const selected = this.#pods.list(service.metadata.namespace).filter((pod) => selects(service, pod));
    const wanted = planEndpoints(service, selected, current);
    if (wanted) await (current ? this.#endpoints.update(wanted) : this.#endpoints.create(wanted));
  }
}
