/** How a certificate calls its authority (RFC 5280 §7.1). */
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';

/**
 * Whether byte by byte as the authority calls itself, which is what programs in Go look for. OpenSSL and Node.js read the texts, of which one may be written
 * as several kinds of string. Both PEM.
 */
export function hasNameOf(certPem: string, authorityPem: string): boolean {
  const { issuerName } = new x509.X509Certificate(certPem);
  const { subjectName } = new x509.X509Certificate(authorityPem);
  return Buffer.from(issuerName.toArrayBuffer()).equals(Buffer.from(subjectName.toArrayBuffer()));
}
