/** Approves client certificates of kubelets whose authors may have them: a new node's by its bootstrap token, and each node's own next one. */
import { certificateSigningRequests, subjectAccessReviews } from '../../api/resource-types.ts';
import type { CertificateSigningRequest, SubjectAccessReview } from '../../api/schema/types.ts';
import { kubeAPIServerClientKubeletSignerName } from '../../api/validation/kubelet-certificate.ts';
import type { Controller, Result } from '../../client/controller.ts';
import { KeyedController } from '../context.ts';
import { type Approval, approvalsOf, isUndecided } from './desired.ts';

const soonestMs = 1_000;
const latestMs = 1_000_000;

export class CsrApprovingController extends KeyedController {
  readonly name = 'csrapproving';
  readonly #requests = this.informers.of(certificateSigningRequests);

  setup(controller: Controller): void {
    controller.for(this.#requests, (one) => one.spec.signerName === kubeAPIServerClientKubeletSignerName && isUndecided(one));
  }

  async reconcile(key: string): Promise<Result | undefined> {
    const request = this.#requests.get(key);
    if (!request || !isUndecided(request)) return;
    // The library is loaded when somebody asks for the first certificate.
    const { parseCertificateRequest } = await import('../../x509/certificate-request.ts');
    const { names } = parseCertificateRequest(Buffer.from(request.spec.request, 'base64').toString());
    const approvals = approvalsOf(request, names);
    for (const approval of approvals) if (await this.#isAllowed(request, approval)) return await this.#approve(request, approval);
    if (approvals.length === 0) return;
    const tried = approvals.map(({ subresource }) => subresource).join(' ');
    this.context.log.debug(`recognized csr "${key}" as [${tried}] but subject access review was not approved`, { csr: key });
    // Whoever may not today may be allowed to later. The longer it waits, the more rarely it is looked at.
    const ageMs = this.clock.now() - Date.parse(request.metadata.creationTimestamp ?? '');
    return { requeueAfter: Math.min(Math.max(ageMs, soonestMs), latestMs) };
  }

  async #isAllowed({ spec }: CertificateSigningRequest, { subresource }: Approval): Promise<boolean> {
    const { username: user, uid, groups, extra } = spec;
    const resource = { group: 'certificates.k8s.io', resource: 'certificatesigningrequests', verb: 'create', version: '*', subresource };
    const review = { user, uid, groups, extra, resourceAttributes: resource } as SubjectAccessReview['spec'];
    const { apiVersion, kind } = { apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview' };
    const { status } = await this.client.create(subjectAccessReviews, { apiVersion, kind, metadata: { name: '' }, spec: review });
    return status?.allowed === true;
  }

  async #approve(request: CertificateSigningRequest, { message }: Approval): Promise<undefined> {
    const approved = { type: 'Approved', status: 'True', reason: 'AutoApproved', message };
    const status = { ...request.status, conditions: [...(request.status?.conditions ?? []), approved] };
    await this.client.update(certificateSigningRequests, { ...request, status }, { subresource: 'approval' });
  }
}
