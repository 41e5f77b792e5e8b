/** Which requests of kubelets may be approved without a person, and what their authors must be allowed to: pure. */
import type { CertificateSigningRequest } from '../../api/schema/types.ts';
import {
  type CertificateNames,
  kubeAPIServerClientKubeletSignerName,
  kubeletClientProblem,
} from '../../api/validation/kubelet-certificate.ts';

export interface Approval {
  /** Of certificatesigningrequests, which the author must be allowed to create. */
  readonly subresource: 'selfnodeclient' | 'nodeclient';
  readonly message: string;
}

const self: Approval = {
  subresource: 'selfnodeclient',
  message: 'Auto approving self kubelet client certificate after SubjectAccessReview.',
};
const other: Approval = { subresource: 'nodeclient', message: 'Auto approving kubelet client certificate after SubjectAccessReview.' };

/** Neither approved nor denied yet, nor signed. */
export function isUndecided({ status }: CertificateSigningRequest): boolean {
  return !status?.certificate && !status?.conditions?.some(({ type }) => type === 'Approved' || type === 'Denied');
}

/** What may approve it, in the order in which they are tried; none when a person decides. */
export function approvalsOf({ spec }: CertificateSigningRequest, names: CertificateNames): readonly Approval[] {
  if (spec.signerName !== kubeAPIServerClientKubeletSignerName) return [];
  if (kubeletClientProblem(names, spec.usages ?? []) !== undefined) return [];
  return spec.username === names.commonName ? [self, other] : [other];
}
