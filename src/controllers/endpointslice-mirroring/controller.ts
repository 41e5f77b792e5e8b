/** Copies hand-written Endpoints of a Service without selector into EndpointSlices, which is all that proxies and DNS read. */
import { endpoints, services } from '../../api/resource-types.ts';
import type { Controller } from '../../client/controller.ts';
import { KeyedController } from '../context.ts';
import { ServiceSlices } from '../endpointslice/service-slices.ts';
import { hasSelector } from '../endpointslice/services-of.ts';
import { isMirrored, mirrorManager, planMirror } from './desired.ts';

export class EndpointSliceMirroringController extends KeyedController {
  readonly name = 'endpointslice-mirroring-controller';
  readonly #services = this.informers.of(services);
  readonly #endpoints = this.informers.of(endpoints);
  readonly #slices = new ServiceSlices(this.context, mirrorManager);

  setup(controller: Controller): void {
    controller.for(this.#services).for(this.#endpoints);
    this.#slices.bringKeysTo(controller);
  }

  async reconcile(key: string): Promise<undefined> {
    const existing = this.#slices.of(key);
    const service = this.#services.get(key);
    const written = this.#endpoints.get(key);
    const isHandWritten = service && !hasSelector(service) && service.spec?.type !== 'ExternalName';
    const mirrors = isHandWritten && written && isMirrored(written);
    await this.#slices.apply(mirrors ? planMirror(service, written, existing) : { remove: existing });
  }
}
