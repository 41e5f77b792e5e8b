/**
 * A certificate authority, and key pairs that it signs (RFC 5280); what is made here is ECDSA on P-256.
 * What Kubernetes reads from a client certificate is CN (the user) and every O (its groups).
 */
import 'reflect-metadata';
import { createPrivateKey, createPublicKey, webcrypto, X509Certificate } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { algorithmsOf, newKeys, type SigningAlgorithm, signingAlgorithm } from './keys.ts';

const dayMs = 86_400_000;

/** A certificate and its private key (PKCS #8), both PEM. */
export interface KeyPair {
  readonly certPem: string;
  readonly keyPem: string;
}

export interface Authority extends KeyPair {
  readonly certificate: x509.X509Certificate;
  readonly signingKey: webcrypto.CryptoKey;
  readonly signingAlgorithm: SigningAlgorithm;
}

export interface CertificateRequest {
  readonly commonName: string;
  readonly organizations?: readonly string[];
  readonly dnsNames?: readonly string[];
  readonly ips?: readonly string[];
  readonly usages: readonly ('client' | 'server')[];
  readonly days?: number;
}

/** A positive serial number of 16 random bytes, unique in practice (RFC 5280 §4.1.2.2). */
export function serialNumber(): string {
  const bytes = webcrypto.getRandomValues(new Uint8Array(16));
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return Buffer.from(bytes).toString('hex');
}

function validity(now: number, days: number): { notBefore: Date; notAfter: Date } {
  // An hour back: the clocks of two machines never agree.
  return { notBefore: new Date(now - 3_600_000), notAfter: new Date(now + days * dayMs) };
}

/** A key that is there already, and what it signs by. */
function keptKeys(keyPem: string): {
  readonly keys: webcrypto.CryptoKeyPair;
  readonly keyPem: string;
  readonly algorithm: SigningAlgorithm;
} {
  const key = createPrivateKey(keyPem);
  const { importing, signing } = algorithmsOf(key);
  const publicKey = createPublicKey(key).toCryptoKey(importing, true, ['verify']);
  return { keys: { privateKey: key.toCryptoKey(importing, false, ['sign']), publicKey }, keyPem, algorithm: signing };
}

/** What a new authority takes over of one that is gone. */
export interface FormerAuthority {
  readonly keyPem?: string | undefined;
  /** A certificate that it has signed: the new one has the name that stands there, byte by byte, and for the same key its identifier, by which OpenSSL goes. */
  readonly signedPem?: string | undefined;
}

/** A new self-signed authority; with the key of a former one all holds that this has signed under the same name. `now` is milliseconds since the epoch. */
export async function createAuthority(commonName: string, now: number, former: FormerAuthority = {}): Promise<Authority> {
  const { keyPem: ownKeyPem, signedPem } = former;
  const signed = signedPem === undefined ? undefined : new x509.X509Certificate(signedPem);
  const { keys, keyPem, algorithm } = ownKeyPem === undefined ? { ...(await newKeys()), algorithm: signingAlgorithm } : keptKeys(ownKeyPem);
  const identifier = ownKeyPem === undefined ? undefined : signed?.getExtension(x509.AuthorityKeyIdentifierExtension)?.keyId;
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: signed?.issuerName ?? [{ CN: [commonName] }],
    ...validity(now, 3650),
    keys,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign | x509.KeyUsageFlags.digitalSignature, true),
      identifier === undefined
        ? await x509.SubjectKeyIdentifierExtension.create(keys.publicKey)
        : new x509.SubjectKeyIdentifierExtension(identifier),
    ],
  });
  return { certificate, signingKey: keys.privateKey, signingAlgorithm: algorithm, certPem: `${certificate.toString('pem')}\n`, keyPem };
}

/** The authority of an earlier run, or that of others: its key may be RSA, ECDSA or Ed25519. Throws when the texts are no certificate and its key. */
export async function loadAuthority(pair: KeyPair): Promise<Authority> {
  const key = createPrivateKey(pair.keyPem);
  if (!new X509Certificate(pair.certPem).checkPrivateKey(key)) throw new Error('the key does not fit the certificate');
  const { importing, signing } = algorithmsOf(key);
  const signingKey = key.toCryptoKey(importing, false, ['sign']);
  return { ...pair, certificate: new x509.X509Certificate(pair.certPem), signingKey, signingAlgorithm: signing };
}

/** What points from a certificate to its authority: the authority's own identifier, which others may have made in another way than by its key. */
export async function authorityKeyIdentifier({ certificate }: Authority): Promise<x509.AuthorityKeyIdentifierExtension> {
  const own = certificate.getExtension(x509.SubjectKeyIdentifierExtension);
  return own
    ? new x509.AuthorityKeyIdentifierExtension(own.keyId)
    : await x509.AuthorityKeyIdentifierExtension.create(certificate.publicKey);
}

/** A key pair signed by the authority. */
export async function issueCertificate(authority: Authority, request: CertificateRequest, now: number): Promise<KeyPair> {
  const { keys, keyPem } = await newKeys();
  const names = [
    ...(request.dnsNames ?? []).map((value) => ({ type: 'dns' as const, value })),
    ...(request.ips ?? []).map((value) => ({ type: 'ip' as const, value })),
  ];
  const usages = { client: x509.ExtendedKeyUsage.clientAuth, server: x509.ExtendedKeyUsage.serverAuth };
  const organizations = (request.organizations ?? []).map((o) => ({ O: [o] }));
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: [...organizations, { CN: [request.commonName] }],
    // Byte by byte as the authority has it: Go compares no texts, and who made it may have chosen another kind of string.
    issuer: authority.certificate.subjectName,
    ...validity(now, request.days ?? 365),
    publicKey: keys.publicKey,
    signingKey: authority.signingKey,
    signingAlgorithm: authority.signingAlgorithm,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension(request.usages.map((usage) => usages[usage])),
      await authorityKeyIdentifier(authority),
      ...(names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names)]),
    ],
  });
  return { certPem: `${certificate.toString('pem')}\n`, keyPem };
}

/** The key that signs ServiceAccount tokens: PKCS #8, PEM. */
export async function createServiceAccountKey(): Promise<string> {
  return (await newKeys()).keyPem;
}
