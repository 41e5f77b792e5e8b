/** When a CertificateSigningRequest goes: pure. Kubelets make new ones, and nobody else takes the old ones away. */
import { X509Certificate } from 'node:crypto';
import type { CertificateSigningRequest } from '../../api/schema/types.ts';

const hourMs = 3_600_000;
/** Since it was approved and signed, denied, or has failed. */
const decidedMs = hourMs;
/** Since it was made without anybody deciding, or approved without anybody signing. */
const pendingMs = 24 * hourMs;

/** Milliseconds since the epoch; infinite while nothing is known of it that would end it. */
export function goesAt({ metadata, status }: CertificateSigningRequest): number {
  const { conditions = [], certificate } = status ?? {};
  if (conditions.length === 0) return after(metadata.creationTimestamp, pendingMs);
  const ends = conditions.map(({ type, lastUpdateTime }) => {
    if (type === 'Denied' || type === 'Failed') return after(lastUpdateTime, decidedMs);
    if (type !== 'Approved') return Number.POSITIVE_INFINITY;
    return certificate ? Math.min(after(lastUpdateTime, decidedMs), notAfter(certificate)) : after(lastUpdateTime, pendingMs);
  });
  return Math.min(...ends);
}

/** A time that nobody wrote never comes. */
function after(time: string | undefined, ms: number): number {
  return time ? Date.parse(time) + ms : Number.POSITIVE_INFINITY;
}

function notAfter(certificate: string): number {
  try {
    return new X509Certificate(Buffer.from(certificate, 'base64')).validToDate.getTime();
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
