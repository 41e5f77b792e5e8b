/**
 * Certificate requests say who made them, and only the server knows that: signers and approvers believe it. Who approves or signs must be
 * allowed to for that signer. Upstream's CertificateApproval, CertificateSigning and CertificateSubjectRestriction.
 */
import { isDeepStrictEqual } from 'node:util';
import { certificateSigningRequests } from '../../api/resource-types.ts';
import type { CertificateSigningRequest } from '../../api/schema/types.ts';
import { resourceAttributes } from '../auth/attributes.ts';
import type { Authorizer } from '../auth/authorizer.ts';
import { mastersGroup, type UserInfo } from '../auth/user-info.ts';
import { type AdmissionPlugin, type AdmissionRequest, isWriteOf, refused } from './admission.ts';

const clientSigner = 'kubernetes.io/kube-apiserver-client';

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
      if (request.operation === 'CREATE' && isWriteOf(request, certificateSigningRequests)) await refuseMasters(request);
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

async function refuseMasters(request: AdmissionRequest): Promise<void> {
  const { spec } = request.object as CertificateSigningRequest;
  if (spec?.signerName !== clientSigner) return;
  // The library wants it there before itself, and says so by throwing.
  await import('reflect-metadata');
  const { Pkcs10CertificateRequest } = await import('@peculiar/x509');
  let organizations: readonly string[];
  try {
    // PEM in base64, as the field has it.
    const pkcs10 = new Pkcs10CertificateRequest(Buffer.from(String(spec.request), 'base64').toString());
    organizations = pkcs10.subjectName.getField('O');
  } catch {
    throw refused(request, 'failed to parse CSR: spec.request holds no PKCS #10 certificate request in PEM');
  }
  if (organizations.includes(mastersGroup))
    throw refused(request, `use of ${clientSigner} signer with ${mastersGroup} group is not allowed`);
}
