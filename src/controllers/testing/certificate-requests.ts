/** CertificateSigningRequests as kubelets make them, with real keys. */
import type { CertificateSigningRequest } from '../../api/schema/types.ts';
import { newRequest, type OwnNames } from '../../x509/new-request.ts';

/** A kubelet's names. */
export const nodeNames: OwnNames = { commonName: 'system:node:n1', organizations: ['system:nodes'] };

export interface RequestOptions {
  readonly names?: OwnNames;
  readonly spec?: Partial<CertificateSigningRequest['spec']>;
  readonly status?: CertificateSigningRequest['status'];
  readonly metadata?: Partial<CertificateSigningRequest['metadata']>;
}

/** For a kubelet's client certificate, unless it says otherwise. */
export function requestOf({ names = nodeNames, spec = {}, status, metadata = {} }: RequestOptions = {}): CertificateSigningRequest {
  const request = Buffer.from(newRequest(names).requestPem).toString('base64');
  const signerName = 'kubernetes.io/kube-apiserver-client-kubelet';
  return {
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'CertificateSigningRequest',
    metadata: { name: 'it', creationTimestamp: '2026-01-01T00:00:00Z', ...metadata },
    spec: { request, signerName, usages: ['digital signature', 'client auth'], username: 'system:bootstrap:abcdef', ...spec },
    ...(status ? { status } : {}),
  };
}

/** A condition that somebody wrote at a time. */
export function condition(type: string, lastUpdateTime?: string): { type: string; status: string; lastUpdateTime?: string } {
  return { type, status: 'True', ...(lastUpdateTime ? { lastUpdateTime } : {}) };
}
