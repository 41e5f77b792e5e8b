/** A request for a certificate (PKCS #10, RFC 2986) with a key of its own. */
import { generateKeyPairSync, sign } from 'node:crypto';
import { ipToBytes } from '../ip/ip.ts';
import { bitString, objectIdentifier, octetString, sequence, set, tlv, utf8String } from './der.ts';
import { pem } from './keys.ts';

/** What a node asks to be called. */
export interface OwnNames {
  readonly commonName: string;
  readonly organizations: readonly string[];
  readonly dnsNames?: readonly string[];
  readonly ips?: readonly string[];
}

const id = {
  commonName: '2.5.4.3',
  organization: '2.5.4.10',
  subjectAltName: '2.5.29.17',
  extensionRequest: '1.2.840.113549.1.9.14',
};
export const ecdsaWithSha256: Buffer = sequence(objectIdentifier('1.2.840.10045.4.3.2'));

const version = tlv(0x02, Buffer.from([0]));

/** Both PEM; ECDSA on P-256, the key as RFC 5915 has it, which is what upstream's kubelet writes. */
export function newRequest(names: OwnNames): { readonly requestPem: string; readonly keyPem: string } {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const info = sequence(version, subjectOf(names), publicKey.export({ type: 'spki', format: 'der' }), tlv(0xa0, ...attributesOf(names)));
  const signature = sign('sha256', info, privateKey);
  const request = sequence(info, ecdsaWithSha256, bitString(signature));
  return { requestPem: pem('CERTIFICATE REQUEST', request), keyPem: privateKey.export({ type: 'sec1', format: 'pem' }).toString() };
}

function attribute(type: string, value: string): Buffer {
  return set(sequence(objectIdentifier(type), utf8String(value)));
}

export function subjectOf({ organizations, commonName }: OwnNames): Buffer {
  return sequence(...organizations.map((name) => attribute(id.organization, name)), attribute(id.commonName, commonName));
}

/** None when there are no other names than the subject's. */
function attributesOf(names: OwnNames): Buffer[] {
  const extensions = alternativeNames(names);
  return extensions.length === 0 ? [] : [sequence(objectIdentifier(id.extensionRequest), set(sequence(...extensions)))];
}

/** The extension for the names that are not the subject's; none without any. */
export function alternativeNames({ dnsNames = [], ips = [] }: OwnNames): Buffer[] {
  if (dnsNames.length + ips.length === 0) return [];
  const names = sequence(...dnsNames.map((name) => tlv(0x82, Buffer.from(name))), ...ips.map((ip) => tlv(0x87, ipToBytes(ip))));
  return [extension(id.subjectAltName, names)];
}

export function extension(type: string, value: Uint8Array): Buffer {
  return sequence(objectIdentifier(type), octetString(value));
}
