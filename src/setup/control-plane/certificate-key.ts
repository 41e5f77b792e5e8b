/** The key with which the secrets of a control plane travel: 32 bytes, as hex; AES-256-GCM with the nonce in front, as kubeadm has it. */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { KnownError } from '../../errors/known-error.ts';

const keyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;

export function newCertificateKey(): string {
  return randomBytes(keyBytes).toString('hex');
}

/** Throws USAGE. */
export function parseCertificateKey(text: string): string {
  if (/^[0-9a-f]{64}$/i.test(text)) return text.toLowerCase();
  // Not quoted: most of it may be the secret.
  throw new KnownError('USAGE', 'Cannot use this --certificate-key: it is no key of 32 bytes in hex', {
    hint: '"fairlead init --upload-certs" prints one of 64 characters, and "fairlead certs certificate-key" makes one',
  });
}

/** Nonce, ciphertext and tag, one behind the other. */
export function seal(key: string, text: string): Buffer {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv('aes-256-gcm', Buffer.from(key, 'hex'), nonce);
  return Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
}

/** Undefined when it was sealed with another key, or changed since. */
export function unseal(key: string, sealed: Buffer): string | undefined {
  if (sealed.length < nonceBytes + tagBytes) return undefined;
  const decipher = createDecipheriv('aes-256-gcm', Buffer.from(key, 'hex'), sealed.subarray(0, nonceBytes), { authTagLength: tagBytes });
  decipher.setAuthTag(sealed.subarray(-tagBytes));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(nonceBytes, -tagBytes)), decipher.final()]).toString('utf8');
  } catch {
    return undefined;
  }
}
