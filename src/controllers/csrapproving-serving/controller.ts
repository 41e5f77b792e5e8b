/** Approves the certificates that kubelets serve with, where the names are those of the node: the API server asks for one before it streams logs. */
import { certificateSigningRequests, configMaps, endpointSlices, nodes, serviceCidrs } from '../../api/resource-types.ts';
import type { CertificateSigningRequest } from '../../api/schema/types.ts';
import { labelServiceName } from '../../api/well-known.ts';
import type { Controller, Result } from '../../client/controller.ts';
import { KeyedController } from '../context.ts';
import { isUndecided } from '../csrapproving/desired.ts';
import { doubtOf, hostOf, isServing, type KnownAddresses } from './desired.ts';

/** Its Node may get its addresses later, or another Node lose them. */
const lookAgainMs = 30_000;

export class CsrServingApprovingController extends KeyedController {
  readonly name = 'csrapproving-serving';
  readonly #requests = this.informers.of(certificateSigningRequests);
  readonly #nodes = this.informers.of(nodes);
  readonly #ranges = this.informers.of(serviceCidrs);
  readonly #servers = this.informers.of(endpointSlices, { namespace: 'default', labelSelector: `${labelServiceName}=kubernetes` });
  readonly #info = this.informers.of(configMaps, { namespace: 'kube-public', fieldSelector: 'metadata.name=cluster-info' });

  setup(controller: Controller): void {
    controller.for(this.#requests, (request) => isServing(request) && isUndecided(request));
    controller.waitsFor(this.#nodes, this.#ranges, this.#servers, this.#info);
  }

  async reconcile(key: string): Promise<Result | undefined> {
    const request = this.#requests.get(key);
    if (!request || !isServing(request) || !isUndecided(request)) return;
    // The library is loaded when somebody asks for the first certificate.
    const { parseCertificateRequest } = await import('../../x509/certificate-request.ts');
    const { names } = parseCertificateRequest(Buffer.from(request.spec.request, 'base64').toString());
    const doubt = doubtOf(request, names, this.#known());
    if (doubt === undefined) return await this.#approve(request);
    this.context.log.debug(`Certificate request "${key}" waits for a person: ${doubt}`, { csr: key });
    return { requeueAfter: lookAgainMs };
  }

  #known(): KnownAddresses {
    const servers = this.#servers.list().flatMap(({ endpoints }) => (endpoints ?? []).flatMap(({ addresses }) => addresses));
    const info = this.#info.list().flatMap(({ data }) => hostOf(data?.kubeconfig));
    return { nodes: this.#nodes.list(), serviceCidrs: this.#ranges.list(), apiServer: [...servers, ...info] };
  }

  async #approve(request: CertificateSigningRequest): Promise<undefined> {
    const message = 'Auto approving kubelet serving certificate: its names are those of the Node, and of nobody else.';
    const conditions = [...(request.status?.conditions ?? []), { type: 'Approved', status: 'True', reason: 'AutoApproved', message }];
    await this.client.update(
      certificateSigningRequests,
      { ...request, status: { ...request.status, conditions } },
      { subresource: 'approval' },
    );
  }
}
