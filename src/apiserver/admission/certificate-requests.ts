/**
 * Certificate requests say who made them, and only the server knows that: signers and approvers believe it. Who approves or signs must be
 * allowed to for that signer. Upstream's CertificateApproval, CertificateSigning and CertificateSubjectRestriction.
 */
import { isDeepStrictEqual } from 'node:util';
import type { CertificateSigningRequest } from '../../api/schema/types.ts';
import { resourceAttributes } from '../auth/attributes.ts';
import type { Authorizer } from '../auth/authorizer.ts';
import { mastersGroup, type UserInfo } from '../auth/user-info.ts';
import { forbidden } from '../status/status-error.ts';
import { type AdmissionPlugin, type AdmissionRequest, refused } from './admission.ts';

const clientSigner = 'kubernetes.io/kube-apiserver-client';

export function certificateRequests(authorizer: Authorizer): AdmissionPlugin {
  return {
    name: 'CertificateRequests',
    mutate: (request) => {
      if (!concerns(request) || request.operation !== 'CREATE') return;
      const { spec } = request.object as CertificateSigningRequest;
      if (!spec) return;
      const { name, uid, groups, extra } = request.user;
      delete spec.uid;
      delete spec.extra;
      Object.assign(spec, { username: name, groups: [...groups], ...(uid ? { uid } : {}), ...(extra ? { extra: { ...extra } } : {}) });
    },
    validate: async (request) => {
      if (!concerns(request)) return;
      const next = request.object as CertificateSigningRequest | undefined;
      const old = request.old as CertificateSigningRequest | undefined;
      if (request.operation === 'CREATE') return refuseMasters(request, next);
      if (request.operation !== 'UPDATE') return;
      const signer = old?.spec?.signerName ?? '';
      const verb = decisionOf(request.subresource, next, old);
      if (verb && !allowed(authorizer, request.user, verb, signer)) {
        throw forbidden(request.row.type, request.name, `user not permitted to ${verb} requests with signerName ${JSON.stringify(signer)}`);
      }
    },
  };
}

/** What an update decides; undefined when nothing. */
function decisionOf(
  subresource: string,
  next: CertificateSigningRequest | undefined,
  old: CertificateSigningRequest | undefined,
): string | undefined {
  if (subresource === 'approval') return 'approve';
  return subresource === 'status' && !isDeepStrictEqual(next?.status ?? {}, old?.status ?? {}) ? 'sign' : undefined;
}

function concerns({ row }: AdmissionRequest): boolean {
  return row.type.group === 'certificates.k8s.io' && row.type.resource === 'certificatesigningrequests';
}

/** By the signer's name, or by its domain: `example.com/*`. */
function allowed(authorizer: Authorizer, user: UserInfo, verb: string, signer: string): boolean {
  const all = `${signer.split('/', 1)[0]}/*`;
  return [signer, all].some((name) => {
    const what = { group: 'certificates.k8s.io', version: 'v1', resource: 'signers', name };
    return authorizer.authorize(resourceAttributes(user, verb, what)).allowed;
  });
}

async function refuseMasters(request: AdmissionRequest, csr: CertificateSigningRequest | undefined): Promise<void> {
  if (csr?.spec?.signerName !== clientSigner) return;
  // The library wants it there before itself, and says so by throwing.
  await import('reflect-metadata');
  const { Pkcs10CertificateRequest } = await import('@peculiar/x509');
  let organizations: readonly string[];
  try {
    // PEM in base64, as the field has it.
    const pkcs10 = new Pkcs10CertificateRequest(Buffer.from(String(csr.spec.request), 'base64').toString());
    organizations = pkcs10.subjectName.getField('O');
  } catch {
    throw refused(request, 'failed to parse CSR: spec.request holds no PKCS #10 certificate request in PEM');
  }
  if (organizations.includes(mastersGroup))
    throw refused(request, `use of ${clientSigner} signer with ${mastersGroup} group is not allowed`);
}
