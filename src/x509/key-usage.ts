/** The usages that the API knows (KeyUsage of certificates.k8s.io/v1), as the extensions of a certificate say them (RFC 5280 §4.2.1.3, §4.2.1.12). */

/** Bits of keyUsage. */
const bits: Readonly<Record<string, number>> = {
  signing: 1,
  'digital signature': 1,
  'content commitment': 2,
  'key encipherment': 4,
  'data encipherment': 8,
  'key agreement': 16,
  'cert sign': 32,
  'crl sign': 64,
  'encipher only': 128,
  'decipher only': 256,
};

/** Object identifiers of extKeyUsage, in the order in which upstream writes them. */
const purposes: Readonly<Record<string, string>> = {
  any: '2.5.29.37.0',
  'server auth': '1.3.6.1.5.5.7.3.1',
  'client auth': '1.3.6.1.5.5.7.3.2',
  'code signing': '1.3.6.1.5.5.7.3.3',
  'email protection': '1.3.6.1.5.5.7.3.4',
  's/mime': '1.3.6.1.5.5.7.3.4',
  'ipsec end system': '1.3.6.1.5.5.7.3.5',
  'ipsec tunnel': '1.3.6.1.5.5.7.3.6',
  'ipsec user': '1.3.6.1.5.5.7.3.7',
  timestamping: '1.3.6.1.5.5.7.3.8',
  'ocsp signing': '1.3.6.1.5.5.7.3.9',
  'microsoft sgc': '1.3.6.1.4.1.311.10.3.3',
  'netscape sgc': '2.16.840.1.113730.4.1',
};

export interface KeyUsage {
  /** 0 for none. */
  readonly bits: number;
  readonly purposes: readonly string[];
}

/** Throws for a word that is no usage. */
export function keyUsageOf(usages: readonly string[]): KeyUsage {
  const unknown = usages.filter((usage) => bits[usage] === undefined && purposes[usage] === undefined);
  if (unknown.length > 0) throw new Error(`unrecognized usage values: [${unknown.map((usage) => JSON.stringify(usage)).join(' ')}]`);
  const wanted = Object.entries(purposes).flatMap(([usage, id]) => (usages.includes(usage) ? [id] : []));
  return { bits: usages.reduce((sum, usage) => sum | (bits[usage] ?? 0), 0), purposes: [...new Set(wanted)] };
}
