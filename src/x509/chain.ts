/** Certificates in one text, one after the other, as files of PEM hold them. */
import { createPrivateKey, X509Certificate } from 'node:crypto';

/** The certificates of a bundle, one text each. */
export function certificatesOf(bundle: string): string[] {
  return bundle.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
}

/** Of the bundle that of this key. */
export function certificateOfKey(bundle: string, keyPem: string): string | undefined {
  const key = createPrivateKey(keyPem);
  return certificatesOf(bundle).find((pem) => new X509Certificate(pem).checkPrivateKey(key));
}

/** A certificate, and behind it those of the bundle that lead to its root. One that comes with a chain of its own stays as it is. */
export function withIssuers(certificate: string, bundle: string): string {
  const [own, ...chain] = certificatesOf(certificate);
  if (own === undefined || chain.length > 0) return certificate;
  const left = new Set(certificatesOf(bundle).map((pem) => new X509Certificate(pem)));
  const found: X509Certificate[] = [];
  for (let last: X509Certificate | undefined = new X509Certificate(own); last; last = found.at(-1)) {
    const issuer = issuerOf(last, left);
    if (!issuer) break;
    left.delete(issuer);
    found.push(issuer);
  }
  return [`${certificate.trimEnd()}\n`, ...found.map(String)].join('');
}

/** Undefined for a root, which is its own. */
export function issuerOf(certificate: X509Certificate, among: Iterable<X509Certificate>): X509Certificate | undefined {
  if (certificate.checkIssued(certificate)) return undefined;
  return [...among].find((one) => certificate.checkIssued(one) && certificate.verify(one.publicKey));
}
