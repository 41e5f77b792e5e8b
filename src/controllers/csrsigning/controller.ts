/** Signs what was approved, with the authority of each signer of Kubernetes (upstream's csrsigning-*, one for all signers). */
import { certificateSigningRequests } from '../../api/resource-types.ts';
import type { CertificateSigningRequest } from '../../api/schema/types.ts';
import type { Controller } from '../../client/controller.ts';
import { timestamp } from '../../clock/timestamp.ts';
import type { Authority } from '../../x509/authority.ts';
import { KeyedController } from '../context.ts';
import { isToBeSigned, lifeOf, signerProblem } from './desired.ts';

export class CsrSigningController extends KeyedController {
  readonly name = 'csrsigning';
  readonly #requests = this.informers.of(certificateSigningRequests);

  setup(controller: Controller): void {
    controller.for(this.#requests, (request) => isToBeSigned(request) && this.#authorityOf(request) !== undefined);
  }

  async reconcile(key: string): Promise<undefined> {
    const request = this.#requests.get(key);
    const authorityOf = request && this.#authorityOf(request);
    if (!authorityOf || !isToBeSigned(request)) return;
    // The library is loaded when somebody asks for the first certificate.
    const { parseCertificateRequest } = await import('../../x509/certificate-request.ts');
    const { signRequest } = await import('../../x509/sign-request.ts');
    const parsed = parseCertificateRequest(Buffer.from(request.spec.request, 'base64').toString());
    const problem = signerProblem(request, parsed.names);
    if (problem !== undefined) return await this.#fail(request, problem);
    const authority = await authorityOf();
    const times = {
      now: this.clock.now(),
      mostMs: this.context.signing?.mostMs ?? 0,
      authorityNotAfter: authority.certificate.notAfter.getTime(),
    };
    const certificate = await signRequest(authority, parsed, { ...lifeOf(request, times), usages: request.spec.usages ?? [] });
    const status = { ...request.status, certificate: Buffer.from(certificate).toString('base64') };
    await this.client.update(certificateSigningRequests, { ...request, status }, { subresource: 'status' });
  }

  #authorityOf({ spec }: CertificateSigningRequest): (() => Promise<Authority>) | undefined {
    return this.context.signing?.authorities[spec.signerName];
  }

  async #fail(request: CertificateSigningRequest, message: string): Promise<undefined> {
    const failed = {
      type: 'Failed',
      status: 'True',
      reason: 'SignerValidationFailure',
      message,
      lastUpdateTime: timestamp(this.clock.now()),
    };
    const status = { ...request.status, conditions: [...(request.status?.conditions ?? []), failed] };
    await this.client.update(certificateSigningRequests, { ...request, status }, { subresource: 'status' });
  }
}
