/** Takes away CertificateSigningRequests that nobody needs any more. */
import { certificateSigningRequests } from '../../api/resource-types.ts';
import { ignoreNotFound } from '../../client/api-error.ts';
import type { Controller, Result } from '../../client/controller.ts';
import { KeyedController } from '../context.ts';
import { goesAt } from './desired.ts';

export class CsrCleanerController extends KeyedController {
  readonly name = 'csrcleaner';
  readonly workers = 1;
  readonly #requests = this.informers.of(certificateSigningRequests);

  setup(controller: Controller): void {
    controller.for(this.#requests);
  }

  async reconcile(key: string): Promise<Result | undefined> {
    const request = this.#requests.get(key);
    const left = request && goesAt(request) - this.clock.now();
    if (left === undefined || left === Number.POSITIVE_INFINITY) return;
    if (left > 0) return { requeueAfter: left };
    this.context.log.info(`Cleaning CSR "${key}": it is decided and no longer of use, or nobody decided`, { csr: key });
    const preconditions = { uid: request?.metadata.uid };
    await this.client.delete(certificateSigningRequests, key, { preconditions }).catch(ignoreNotFound);
  }
}
