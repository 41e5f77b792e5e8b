/** Attributes and values of the kernel's expressions (include/uapi/linux/netfilter/nf_tables.h), and where fields of packets and connections stand. */

export const PAYLOAD = { dreg: 1, base: 2, offset: 3, length: 4, networkHeader: 1, transportHeader: 2 } as const;
export const META = { dreg: 1, key: 2, sreg: 3, mark: 3, iifname: 6, nftrace: 12, l4proto: 16 } as const;
export const CT = { dreg: 1, key: 2, direction: 3, state: 0, status: 2, original: 0, reply: 1 } as const;
export const FIB = { dreg: 1, result: 2, flags: 3, addressType: 3, saddr: 1, daddr: 2 } as const;
export const NUMGEN = { dreg: 1, modulus: 2, type: 3, offset: 4, inc: 0, random: 1 } as const;
export const HASH = { sreg: 1, dreg: 2, length: 3, modulus: 4, seed: 5, offset: 6 } as const;
export const CMP = { sreg: 1, op: 2, data: 3, eq: 0, neq: 1 } as const;
export const BITWISE = { sreg: 1, dreg: 2, length: 3, mask: 4, xor: 5 } as const;
export const LOOKUP = { set: 1, sreg: 2, dreg: 3, flags: 5, invert: 1 } as const;
export const NAT = { type: 1, family: 2, addressRegister: 3, portRegister: 5, dnat: 1 } as const;
export const DYNSET = { set: 1, op: 3, keyRegister: 4, dataRegister: 5, timeout: 6, expression: 7, update: 1 } as const;
export const EXPRESSION = { name: 1, data: 2 } as const;
export const MASQ = { flags: 1, randomFully: 0x10 } as const;
export const REJECT = { type: 1, code: 2, icmp: 0, tcpReset: 1 } as const;
export const IMMEDIATE = { dreg: 1, data: 2 } as const;
export const DATA = { value: 1, verdict: 2 } as const;
export const VERDICT = { code: 1, chain: 2 } as const;

export const ctNew = 8;
export const ctStatusDnat = 0x20;
/** RTN_LOCAL. */
export const fibLocal = 2;

export type FieldName = `${'ip' | 'ip6'} ${'saddr' | 'daddr'}` | `th ${'sport' | 'dport'}`;

export interface Field {
  readonly base: number;
  readonly offset: number;
  readonly length: number;
}

/** Where a field is in its header, and how many bytes it has. */
export const fields: Readonly<Record<FieldName, Field>> = {
  'ip saddr': { base: PAYLOAD.networkHeader, offset: 12, length: 4 },
  'ip daddr': { base: PAYLOAD.networkHeader, offset: 16, length: 4 },
  'ip6 saddr': { base: PAYLOAD.networkHeader, offset: 8, length: 16 },
  'ip6 daddr': { base: PAYLOAD.networkHeader, offset: 24, length: 16 },
  'th sport': { base: PAYLOAD.transportHeader, offset: 0, length: 2 },
  'th dport': { base: PAYLOAD.transportHeader, offset: 2, length: 2 },
};

/** NFT_CT_* of a tuple's fields. */
export const tupleFields = {
  'proto-src': { key: 11, length: 2 },
  'proto-dst': { key: 12, length: 2 },
  'ip saddr': { key: 19, length: 4 },
  'ip daddr': { key: 20, length: 4 },
  'ip6 saddr': { key: 21, length: 16 },
  'ip6 daddr': { key: 22, length: 16 },
} as const;
