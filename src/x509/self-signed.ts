/** A certificate that is signed with its own key, to serve with where nobody has given another one. */
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import type { KeyPair } from './authority.ts';
import { bitString, objectIdentifier, sequence, tlv } from './der.ts';
import { pem } from './keys.ts';
import { alternativeNames, ecdsaWithSha256, extension, type OwnNames, subjectOf } from './new-request.ts';

const version3 = tlv(0xa0, tlv(0x02, Buffer.from([2])));
const extendedKeyUsage = extension('2.5.29.37', sequence(objectIdentifier('1.3.6.1.5.5.7.3.1')));
const hourMs = 3_600_000;
const yearMs = 365 * 24 * hourMs;

/** Good for a year from an hour before `now`, in milliseconds since the epoch. Without the library, which would cost every node 18 MB (README). */
export function selfSigned(names: OwnNames, now: number): KeyPair {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const subject = subjectOf(names);
  const certificate = sequence(
    version3,
    tlv(0x02, Buffer.concat([Buffer.from([0x40]), randomBytes(15)])),
    ecdsaWithSha256,
    subject,
    sequence(utcTime(now - hourMs), utcTime(now - hourMs + yearMs)),
    subject,
    publicKey.export({ type: 'spki', format: 'der' }),
    tlv(0xa3, sequence(extendedKeyUsage, ...alternativeNames(names))),
  );
  const signed = sequence(certificate, ecdsaWithSha256, bitString(sign('sha256', certificate, privateKey)));
  return { certPem: pem('CERTIFICATE', signed), keyPem: privateKey.export({ type: 'sec1', format: 'pem' }).toString() };
}

/** For the years until 2049 (RFC 5280 §4.1.2.5.1). */
function utcTime(ms: number): Buffer {
  const text = new Date(ms).toISOString().slice(2, 19).replaceAll(/[-T:]/g, '');
  return tlv(0x17, Buffer.from(`${text}Z`));
}
