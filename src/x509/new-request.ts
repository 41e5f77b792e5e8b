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
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
};

const version = tlv(0x02, Buffer.from([0]));

/** Both PEM; ECDSA on P-256, the key as RFC 5915 has it, which is what upstream's kubelet writes. */
export function newRequest(names: OwnNames): { readonly requestPem: string; readonly keyPem: string } {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const subject = sequence(
    ...names.organizations.map((name) => attribute(id.organization, name)),
    attribute(id.commonName, names.commonName),
  );
  const info = sequence(version, subject, publicKey.export({ type: 'spki', format: 'der' }), tlv(0xa0, ...extensionsOf(names)));
  const signature = sign('sha256', info, privateKey);
  const request = sequence(info, sequence(objectIdentifier(id.ecdsaWithSha256)), bitString(signature));
  return { requestPem: pem('CERTIFICATE REQUEST', request), keyPem: privateKey.export({ type: 'sec1', format: 'pem' }).toString() };
}

function attribute(type: string, value: string): Buffer {
  return set(sequence(objectIdentifier(type), utf8String(value)));
}

/** None when there are no other names than the subject's. */
function extensionsOf({ dnsNames = [], ips = [] }: OwnNames): Buffer[] {
  if (dnsNames.length + ips.length === 0) return [];
  const names = sequence(...dnsNames.map((name) => tlv(0x82, Buffer.from(name))), ...ips.map((ip) => tlv(0x87, ipToBytes(ip))));
  const extension = sequence(objectIdentifier(id.subjectAltName), octetString(names));
  return [sequence(objectIdentifier(id.extensionRequest), set(sequence(extension)))];
}
