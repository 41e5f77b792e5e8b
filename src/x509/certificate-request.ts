/** Requests for certificates (PKCS #10, RFC 2986) as they come from others, read. */
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';

/** What a request asks to be called. */
export interface RequestedNames {
  readonly commonName: string;
  readonly organizations: readonly string[];
  readonly dnsNames: readonly string[];
  readonly emailAddresses: readonly string[];
  readonly ips: readonly string[];
  readonly uris: readonly string[];
}

export interface ParsedRequest {
  readonly names: RequestedNames;
  readonly pkcs10: x509.Pkcs10CertificateRequest;
}

/** Reads the first block of a text in PEM. Throws when it is no request. */
export function parseCertificateRequest(text: string): ParsedRequest {
  const [block] = x509.PemConverter.isPem(text) ? x509.PemConverter.decodeWithHeaders(text) : [];
  if (block?.type !== x509.PemConverter.CertificateRequestTag) throw new Error('PEM block type must be CERTIFICATE REQUEST');
  const pkcs10 = new x509.Pkcs10CertificateRequest(block.rawData);
  const subject = (name: string): readonly string[] => pkcs10.subjectName.getField(name);
  const items = pkcs10.extensions.find((one) => one instanceof x509.SubjectAlternativeNameExtension)?.names.items ?? [];
  const alternative = (type: x509.GeneralNameType): readonly string[] => items.flatMap((item) => (item.type === type ? [item.value] : []));
  const names = {
    // Of several Go takes the last one.
    commonName: subject('CN').at(-1) ?? '',
    organizations: subject('O'),
    dnsNames: alternative('dns'),
    emailAddresses: alternative('email'),
    ips: alternative('ip'),
    uris: alternative('url'),
  };
  return { names, pkcs10 };
}
