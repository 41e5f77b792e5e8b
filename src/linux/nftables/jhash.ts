/** Bob Jenkins' lookup3 as the kernel has it, and as nft's `jhash … mod n` uses it. Pure. Source: include/linux/jhash.h, net/netfilter/nft_hash.c. */

const initial = 0xdeadbeef;

function rol(word: number, shift: number): number {
  return (word << shift) | (word >>> (32 - shift));
}

function mix([a, b, c]: readonly [number, number, number]): [number, number, number] {
  a = rol(c, 4) ^ (a - c);
  c = (c + b) | 0;
  b = rol(a, 6) ^ (b - a);
  a = (a + c) | 0;
  c = rol(b, 8) ^ (c - b);
  b = (b + a) | 0;
  a = rol(c, 16) ^ (a - c);
  c = (c + b) | 0;
  b = rol(a, 19) ^ (b - a);
  a = (a + c) | 0;
  c = rol(b, 4) ^ (c - b);
  return [a, (b + a) | 0, c];
}

function final([a, b, c]: readonly [number, number, number]): number {
  c = (c ^ b) - rol(b, 14);
  a = (a ^ c) - rol(c, 11);
  b = (b ^ a) - rol(a, 25);
  c = (c ^ b) - rol(b, 16);
  a = (a ^ c) - rol(c, 4);
  b = (b ^ a) - rol(a, 14);
  return ((c ^ b) - rol(b, 24)) >>> 0;
}

/** Of bytes whose number is a multiple of four, and not 0. */
export function jhash(bytes: Uint8Array, seed: number): number {
  const words = Array.from({ length: bytes.length / 4 }, (_, i) => Buffer.from(bytes).readInt32LE(i * 4));
  const start = (initial + bytes.length + seed) | 0;
  let state: [number, number, number] = [start, start, start];
  let at = 0;
  for (; words.length - at > 3; at += 3)
    state = mix([(state[0] + (words[at] ?? 0)) | 0, (state[1] + (words[at + 1] ?? 0)) | 0, (state[2] + (words[at + 2] ?? 0)) | 0]);
  const [a, b, c] = state;
  return final([(a + (words[at] ?? 0)) | 0, (b + (words[at + 1] ?? 0)) | 0, (c + (words[at + 2] ?? 0)) | 0]);
}

/** The number below `modulus` that the kernel makes of a hash: by its upper bits, not by a remainder. */
export function scale(hash: number, modulus: number): number {
  return Number((BigInt(hash) * BigInt(modulus)) >> 32n);
}
