/** The first certificate of a node, by a CertificateSigningRequest that the control plane approves and signs. */
import { randomBytes } from 'node:crypto';
import { certificateSigningRequests } from '../../api/resource-types.ts';
import type { CertificateSigningRequest } from '../../api/schema/types.ts';
import { kubeAPIServerClientKubeletSignerName } from '../../api/validation/kubelet-certificate.ts';
import { waitUntil } from '../../cli/wait-until.ts';
import type { Client } from '../../client/client.ts';
import { KnownError } from '../../errors/known-error.ts';
import { newRequest } from '../../x509/new-request.ts';
import type { SetupContext } from '../setup-context.ts';

export async function requestNodeCertificate(
  client: Client,
  nodeName: string,
  { clock, signal, timeoutMs, steps }: SetupContext,
): Promise<{ readonly certPem: string; readonly keyPem: string }> {
  const { requestPem, keyPem } = newRequest({ commonName: `system:node:${nodeName}`, organizations: ['system:nodes'] });
  const name = `node-csr-${randomBytes(8).toString('hex')}`;
  await client.create<CertificateSigningRequest>(certificateSigningRequests, {
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'CertificateSigningRequest',
    metadata: { name },
    spec: {
      request: Buffer.from(requestPem).toString('base64'),
      signerName: kubeAPIServerClientKubeletSignerName,
      usages: ['client auth', 'digital signature'],
    },
  });
  let certificate = '';
  const wait = { clock, signal, timeoutMs, everyMs: 100, onPatience: (text: string) => steps.note(text) };
  await waitUntil('the certificate of this node', { ...wait, hint: `Look at it: kubectl get csr ${name} -o yaml` }, async () => {
    const { status } = await client.get<CertificateSigningRequest>(certificateSigningRequests, name, { signal });
    certificate = Buffer.from(status?.certificate ?? '', 'base64').toString();
    return certificate === '' ? whyNot(name, status?.conditions) : undefined;
  });
  if (certificate.startsWith('-----BEGIN')) return { certPem: certificate, keyPem };
  throw new KnownError('CHECK_FAILED', `Cannot use what was signed for "${name}": it is no certificate`, {
    hint: `kubectl get csr ${name} -o yaml`,
  });
}

type Conditions = NonNullable<CertificateSigningRequest['status']>['conditions'];

/** What it waits for. */
export function whyNot(name: string, conditions: Conditions = []): string {
  const end = conditions.find(({ type }) => type === 'Denied' || type === 'Failed');
  if (end) return `CertificateSigningRequest "${name}" is ${end.type.toLowerCase()}: ${end.message ?? end.reason ?? ''}`;
  const isApproved = conditions.some(({ type }) => type === 'Approved');
  return `CertificateSigningRequest "${name}" is not ${isApproved ? 'signed' : 'approved'} yet`;
}
