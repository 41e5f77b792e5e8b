/** Keys: how they are made, and by which algorithm one signs. */
import { type KeyObject, webcrypto } from 'node:crypto';

export interface SigningAlgorithm {
  readonly name: string;
  readonly hash?: string;
}

/** Of the keys that are made here. */
const keyAlgorithm = { name: 'ECDSA', namedCurve: 'P-256' } as const;
export const signingAlgorithm: SigningAlgorithm = { name: 'ECDSA', hash: 'SHA-256' };

/** By OpenSSL's name of the curve; each with the hash of its strength, as Go's crypto/x509 chooses. */
const curves: Readonly<Record<string, { readonly namedCurve: string; readonly hash: string }>> = {
  prime256v1: { namedCurve: 'P-256', hash: 'SHA-256' },
  secp384r1: { namedCurve: 'P-384', hash: 'SHA-384' },
  secp521r1: { namedCurve: 'P-521', hash: 'SHA-512' },
};

/** How a private key is imported, and how it signs. Throws for a kind that no certificate here is signed with. */
export function algorithmsOf(key: KeyObject): {
  readonly importing: SigningAlgorithm & { readonly namedCurve?: string };
  readonly signing: SigningAlgorithm;
} {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  const rsa = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
  if (type === 'rsa') return { importing: rsa, signing: rsa };
  if (type === 'ed25519') return { importing: { name: 'Ed25519' }, signing: { name: 'Ed25519' } };
  const curve = type === 'ec' ? curves[details?.namedCurve ?? ''] : undefined;
  if (!curve) throw new Error(`a key of kind "${details?.namedCurve ?? type}" cannot sign certificates: RSA, ECDSA and Ed25519 can`);
  return { importing: { name: 'ECDSA', namedCurve: curve.namedCurve }, signing: { name: 'ECDSA', hash: curve.hash } };
}

/** A pair of keys, and the private one as PKCS #8 in PEM. */
export async function newKeys(): Promise<{ readonly keys: webcrypto.CryptoKeyPair; readonly keyPem: string }> {
  const keys = await webcrypto.subtle.generateKey(keyAlgorithm, true, ['sign', 'verify']);
  return { keys, keyPem: pem('PRIVATE KEY', await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)) };
}

/** RFC 7468. */
export function pem(label: string, der: ArrayBuffer | Uint8Array): string {
  const lines =
    Buffer.from(der as Uint8Array)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
