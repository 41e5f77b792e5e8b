/** Keys of ServiceAccount tokens. */
import { createHash, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { exportJWK, type JWK } from 'jose';
import { KnownError, messageOf } from '../../errors/known-error.ts';

interface TokenKey {
  /** As upstream makes it: base64url of SHA-256 over the DER of the public key. */
  readonly id: string;
  readonly algorithm: string;
  readonly key: KeyObject;
}

export interface TokenKeys {
  readonly signing: TokenKey & { readonly privateKey: KeyObject };
  /** Public keys, the signing one first. */
  readonly verifying: readonly TokenKey[];
}

/**
 * Reads PEM texts: the private key that signs, and the public (or private) keys whose tokens are still taken, as after a rotation. RSA gives
 * RS256, a P-256, P-384 or P-521 key ES256, ES384 or ES512.
 */
export function loadTokenKeys(pem: { readonly signing: string; readonly verifying?: readonly string[] }): TokenKeys {
  const privateKey = read(() => createPrivateKey(pem.signing));
  const own = tokenKey(createPublicKey(privateKey));
  const others = (pem.verifying ?? []).map((text) => tokenKey(read(() => createPublicKey(text))));
  const verifying = new Map([own, ...others].map((key) => [key.id, key]));
  return { signing: { ...own, privateKey }, verifying: [...verifying.values()] };
}

/** The public keys as a JSON Web Key Set (RFC 7517). */
export async function jsonWebKeySet(keys: TokenKeys): Promise<{ keys: JWK[] }> {
  return {
    keys: await Promise.all(
      keys.verifying.map(async ({ id, algorithm, key }) => ({ use: 'sig', kid: id, alg: algorithm, ...(await exportJWK(key)) })),
    ),
  };
}

function tokenKey(key: KeyObject): TokenKey {
  const id = createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest('base64url');
  return { id, algorithm: algorithmOf(key), key };
}

function algorithmOf(key: KeyObject): string {
  if (key.asymmetricKeyType === 'rsa') return 'RS256';
  const curve = key.asymmetricKeyDetails?.namedCurve;
  const algorithm = { prime256v1: 'ES256', secp384r1: 'ES384', secp521r1: 'ES512' }[curve ?? ''];
  if (!algorithm)
    throw new KnownError('BAD_CONFIG', `Cannot use a ServiceAccount key of type "${key.asymmetricKeyType}"`, {
      hint: 'use RSA or an ECDSA P-curve',
    });
  return algorithm;
}

function read(fn: () => KeyObject): KeyObject {
  try {
    return fn();
  } catch (err) {
    throw new KnownError('BAD_CONFIG', `Cannot read a ServiceAccount key: ${messageOf(err)}`, { hint: 'it must be PEM', cause: err });
  }
}
