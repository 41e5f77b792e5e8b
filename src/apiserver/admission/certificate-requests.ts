/**
 * Certificate requests say who made them, and only the server knows that: signers and approvers believe it. Who approves or signs must be
 * allowed to for that signer. Upstream's CertificateApproval, CertificateSigning and CertificateSubjectRestriction; and here is read what is asked for.
 */
import { isDeepStrictEqual } from 'node:util';
import { certificateSigningRequests } from '../../api/resource-types.ts';
import type { CertificateSigningRequest } from '../../api/schema/types.ts';
import { invalid } from '../../api/validation/field-error.ts';
import {
  kubeAPIServerClientKubeletSignerName,
  kubeAPIServerClientSignerName,
  kubeletServingSignerName,
} from '../../api/validation/kubelet-certificate.ts';
import { statusOfErrors } from '../../api/validation/status.ts';
import { messageOf } from '../../errors/known-error.ts';
import type { RequestedNames } from '../../x509/certificate-request.ts';
import { resourceAttributes } from '../auth/attributes.ts';
import type { Authorizer } from '../auth/authorizer.ts';
import { mastersGroup, nodeNameOf, type UserInfo } from '../auth/user-info.ts';
import { StatusError } from '../status/status-error.ts';
import { type AdmissionPlugin, type AdmissionRequest, isWriteOf, refused } from './admission.ts';

export function certificateRequests(authorizer: Authorizer): AdmissionPlugin {
  return {
    mutate: (request) => {
      if (request.operation !== 'CREATE' || !isWriteOf(request, certificateSigningRequests)) return;
      const { spec } = request.object as CertificateSigningRequest;
      if (!spec) return;
      const { name, uid, groups, extra } = request.user;
      delete spec.uid;
      delete spec.extra;
      Object.assign(spec, { username: name, groups: [...groups], ...(uid ? { uid } : {}), ...(extra ? { extra: { ...extra } } : {}) });
    },
    validate: async (request) => {
      if (request.operation === 'CREATE' && isWriteOf(request, certificateSigningRequests)) await checkRequest(request);
      const verb = request.operation === 'UPDATE' ? decisionOf(request) : undefined;
      const signer = (request.old as CertificateSigningRequest | undefined)?.spec?.signerName ?? '';
      if (verb && !allowed(authorizer, request.user, verb, signer))
        throw refused(request, `user not permitted to ${verb} requests with signerName ${JSON.stringify(signer)}`);
    },
  };
}

/** What an update decides; undefined when nothing. */
function decisionOf(request: AdmissionRequest): string | undefined {
  if (isWriteOf(request, certificateSigningRequests, 'approval')) return 'approve';
  if (!isWriteOf(request, certificateSigningRequests, 'status')) return undefined;
  const { status } = request.object as CertificateSigningRequest;
  const { status: old } = request.old as CertificateSigningRequest;
  return isDeepStrictEqual(status ?? {}, old ?? {}) ? undefined : 'sign';
}

/** By the signer's name, or by its domain: `example.com/*`. */
function allowed(authorizer: Authorizer, user: UserInfo, verb: string, signer: string): boolean {
  const all = `${signer.split('/', 1)[0]}/*`;
  return [signer, all].some((name) => {
    const what = { group: 'certificates.k8s.io', version: 'v1', resource: 'signers', name };
    return authorizer.authorize(resourceAttributes(user, verb, what)).allowed;
  });
}

/** Throws what is wrong with a new request: it cannot be read, or asks for what its signer gives to nobody, or not to this author. */
async function checkRequest(request: AdmissionRequest): Promise<void> {
  const { spec } = request.object as CertificateSigningRequest;
  const { organizations, commonName } = await namesIn(request, spec.request);
  if (spec.signerName === kubeAPIServerClientSignerName && organizations.includes(mastersGroup))
    throw refused(request, `use of ${spec.signerName} signer with ${mastersGroup} group is not allowed`);
  // Of upstream's NodeRestriction: a node asks for itself alone.
  const node = nodeNameOf(request.user);
  const isOfNodes = [kubeletServingSignerName, kubeAPIServerClientKubeletSignerName].includes(spec.signerName);
  if (node && isOfNodes && commonName !== `system:node:${node}`)
    throw refused(request, `can only create a node CSR with CN=system:node:${node}`);
}

/** Throws 422 when it is no request, or not signed with its own key. */
async function namesIn({ row, name }: AdmissionRequest, text: string): Promise<RequestedNames> {
  const { parseCertificateRequest } = await import('../../x509/certificate-request.ts');
  try {
    // PEM in base64, as the field has it.
    const { names, pkcs10 } = parseCertificateRequest(Buffer.from(text, 'base64').toString());
    if (!(await pkcs10.verify())) throw new Error('x509: signature verification failure');
    return names;
  } catch (err) {
    throw StatusError.of(statusOfErrors(row.type, name, [invalid('spec.request', text, messageOf(err))]));
  }
}
