/** What becomes of an approved CertificateSigningRequest: pure. Rules and words are those of upstream's pkg/controller/certificates. */
import type { CertificateSigningRequest } from '../../api/schema/types.ts';
import {
  type CertificateNames,
  kubeAPIServerClientKubeletSignerName,
  kubeAPIServerClientSignerName,
  kubeletClientProblem,
  kubeletServingProblem,
  kubeletServingSignerName,
} from '../../api/validation/kubelet-certificate.ts';
import { legacyUnknownSignerName } from '../../api/well-known.ts';

const minuteMs = 60_000;
/** Clocks differ: a certificate counts from a little before it was made. Less than the shortest life, or none would be left. */
const backdateMs = 5 * minuteMs;
const shortestMs = 10 * minuteMs;
/** Who asks for less than this gets all of it; five minutes are one percent of it. */
const shortMs = 8 * 60 * minuteMs;

type Check = (names: CertificateNames, usages: readonly string[]) => string | undefined;

/** What each signer looks at; undefined when it signs. */
const checks: Readonly<Record<string, Check>> = {
  [kubeletServingSignerName]: kubeletServingProblem,
  [kubeAPIServerClientKubeletSignerName]: kubeletClientProblem,
  [kubeAPIServerClientSignerName]: (_, usages) => clientUsagesProblem(usages),
  // It has never looked at anything.
  [legacyUnknownSignerName]: () => undefined,
};

/** The signers that Kubernetes has, by the names in requests. */
export const signerNames: readonly string[] = Object.keys(checks);

export function conditionsOf({ status }: CertificateSigningRequest, type: string): NonNullable<typeof status>['conditions'] & object {
  return status?.conditions?.filter((one) => one.type === type) ?? [];
}

/** Approved, and not denied, failed or signed. */
export function isToBeSigned(request: CertificateSigningRequest): boolean {
  const has = (type: string): boolean => conditionsOf(request, type).length > 0;
  const hasFailed = conditionsOf(request, 'Failed').some(({ status }) => !status || status === 'True');
  return has('Approved') && !has('Denied') && !hasFailed && !request.status?.certificate;
}

/** Why the signer will never sign this; undefined when it will. */
export function signerProblem({ spec }: CertificateSigningRequest, names: CertificateNames): string | undefined {
  return checks[spec.signerName]?.(names, spec.usages ?? []);
}

function clientUsagesProblem(usages: readonly string[]): string | undefined {
  const wrong = usages.find((usage) => !['digital signature', 'key encipherment', 'client auth'].includes(usage));
  if (wrong !== undefined) return `invalid usage for client certificate: ${wrong}`;
  return usages.includes('client auth') ? undefined : 'missing required usage for client certificate: client auth';
}

/**
 * From when until when the certificate is good, in milliseconds since the epoch: as long as was asked for, but no longer than `mostMs` and than
 * the authority itself. Throws when the authority has ended.
 */
export function lifeOf(
  { spec: { expirationSeconds } }: CertificateSigningRequest,
  { now, mostMs, authorityNotAfter }: { readonly now: number; readonly mostMs: number; readonly authorityNotAfter: number },
): { readonly notBefore: number; readonly notAfter: number } {
  const lifeMs = expirationSeconds === undefined ? mostMs : Math.min(Math.max(expirationSeconds * 1000, shortestMs), mostMs);
  const notBefore = now - backdateMs;
  const end = `NotAfter=${goTime(authorityNotAfter)}`;
  if (notBefore >= authorityNotAfter) throw new Error(`the signer has expired: ${end}`);
  if (now >= authorityNotAfter) throw new Error(`refusing to sign a certificate that expired in the past: ${end}`);
  return { notBefore, notAfter: Math.min(lifeMs < shortMs ? now + lifeMs : now + lifeMs - backdateMs, authorityNotAfter) };
}

/** As Go prints a time. */
function goTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} +0000 UTC`;
}
