/** Somebody who approves and signs requests for certificates, in a test of who asks for them. */
import { certificateSigningRequests } from '../../api/resource-types.ts';
import type { CertificateSigningRequest } from '../../api/schema/types.ts';
import type { Authority } from '../../x509/authority.ts';
import { parseCertificateRequest } from '../../x509/certificate-request.ts';
import { signRequest } from '../../x509/sign-request.ts';
import type { FakeClient } from './fake-client.ts';

/** The requests that nobody has decided on yet. */
export function undecided(client: FakeClient): CertificateSigningRequest[] {
  return client.all(certificateSigningRequests).filter(({ status }) => !status?.conditions?.length);
}

/** Approves one and signs it. */
export async function sign(
  client: FakeClient,
  authority: Authority,
  request: CertificateSigningRequest,
  life: { readonly notBefore: number; readonly notAfter: number },
): Promise<void> {
  const parsed = parseCertificateRequest(Buffer.from(request.spec.request, 'base64').toString());
  const pem = await signRequest(authority, parsed, { ...life, usages: request.spec.usages ?? [] });
  const conditions = [{ type: 'Approved', status: 'True' }];
  client.put(certificateSigningRequests, { ...request, status: { conditions, certificate: Buffer.from(pem).toString('base64') } });
}

/** Says no. */
export function decide(client: FakeClient, request: CertificateSigningRequest, type: 'Denied' | 'Failed'): void {
  const conditions = [{ type, status: 'True', reason: 'NotYou', message: 'go away' }];
  client.put(certificateSigningRequests, { ...request, status: { conditions } });
}
