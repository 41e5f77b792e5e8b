/** Another certificate of the same subject, names and usages, with a key of its own. */
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { type Authority, authorityKeyIdentifier, type KeyPair, serialNumber } from './authority.ts';
import { newKeys } from './keys.ts';

const hourMs = 3_600_000;
/** What the new key and its authority bring with them. */
const ofItsOwn = new Set(['2.5.29.35', '2.5.29.14']);

/** It lives as long as the one before, but not longer than its authority. `now` is milliseconds since the epoch. */
export async function renewCertificate(authority: Authority, certPem: string, now: number): Promise<KeyPair> {
  const before = new x509.X509Certificate(certPem);
  const { keys, keyPem } = await newKeys();
  const notBefore = now - hourMs;
  const lifeMs = before.notAfter.getTime() - before.notBefore.getTime();
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: before.subjectName,
    issuer: authority.certificate.subjectName,
    notBefore: new Date(notBefore),
    notAfter: new Date(Math.min(notBefore + lifeMs, authority.certificate.notAfter.getTime())),
    publicKey: keys.publicKey,
    signingKey: authority.signingKey,
    signingAlgorithm: authority.signingAlgorithm,
    extensions: [...before.extensions.filter(({ type }) => !ofItsOwn.has(type)), await authorityKeyIdentifier(authority)],
  });
  return { certPem: `${certificate.toString('pem')}\n`, keyPem };
}
