/** Pins of an authority's key as kubeadm prints them: `sha256:` and the hash of the SubjectPublicKeyInfo (RFC 7469). Pure. */
import { createHash, X509Certificate } from 'node:crypto';
import { KnownError } from '../../errors/known-error.ts';
import { certificatesOf } from '../../x509/chain.ts';

export function publicKeyHash(certPem: string | Buffer): string {
  const spki = new X509Certificate(certPem).publicKey.export({ type: 'spki', format: 'der' });
  return `sha256:${createHash('sha256').update(spki).digest('hex')}`;
}

/** Throws USAGE. */
export function parseHash(text: string): string {
  const hash = text.toLowerCase();
  if (/^sha256:[0-9a-f]{64}$/.test(hash)) return hash;
  throw new KnownError('USAGE', `Cannot use --discovery-token-ca-cert-hash="${text}": it is no hash`, {
    hint: '"sha256:" and 64 hexadecimal digits, as "fairlead init" prints it',
  });
}

/** Whether two bundles have a key in common: while an authority gives way to the next, each of them may hold both. */
export function shareKey(one: string, other: string): boolean {
  return pinned(one, certificatesOf(other).map(publicKeyHash)).length > 0;
}

/** Those of the bundle whose key is pinned. */
export function pinned(bundle: string, hashes: readonly string[]): string[] {
  return certificatesOf(bundle).filter((certificate) => hashes.includes(publicKeyHash(certificate)));
}
