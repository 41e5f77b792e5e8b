/** The certificate for a request: its subject, its key and its names, and nothing else of what it may carry. */
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { type Authority, authorityKeyIdentifier, serialNumber } from './authority.ts';
import type { ParsedRequest } from './certificate-request.ts';
import { keyUsageOf } from './key-usage.ts';

export interface SigningTerms {
  /** Words of the API such as `client auth`. */
  readonly usages: readonly string[];
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
}

/** PEM. Throws when the request is not signed with its own key, and for a usage that is none. */
export async function signRequest(authority: Authority, { names, pkcs10 }: ParsedRequest, terms: SigningTerms): Promise<string> {
  const usage = keyUsageOf(terms.usages);
  if (!(await pkcs10.verify())) throw new Error('unable to verify certificate request signature');
  const alternatives = [
    ...names.dnsNames.map((value) => ({ type: 'dns' as const, value })),
    ...names.emailAddresses.map((value) => ({ type: 'email' as const, value })),
    ...names.ips.map((value) => ({ type: 'ip' as const, value })),
    ...names.uris.map((value) => ({ type: 'url' as const, value })),
  ];
  const hasSubject = pkcs10.subjectName.toJSON().length > 0;
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: pkcs10.subjectName,
    issuer: authority.certificate.subjectName,
    notBefore: new Date(terms.notBefore),
    notAfter: new Date(terms.notAfter),
    publicKey: pkcs10.publicKey,
    signingKey: authority.signingKey,
    signingAlgorithm: authority.signingAlgorithm,
    extensions: [
      ...(usage.bits === 0 ? [] : [new x509.KeyUsagesExtension(usage.bits, true)]),
      ...(usage.purposes.length === 0 ? [] : [new x509.ExtendedKeyUsageExtension([...usage.purposes])]),
      new x509.BasicConstraintsExtension(false, undefined, true),
      await authorityKeyIdentifier(authority),
      // Critical when it is all that says whose the certificate is (RFC 5280 §4.2.1.6).
      ...(alternatives.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(alternatives, !hasSubject)]),
    ],
  });
  return `${certificate.toString('pem')}\n`;
}
