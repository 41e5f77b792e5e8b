/** Reverse names (RFC 1035 §3.5, RFC 3596 §2.5): pure. */
import { type Cidr, cidrContains, parseIp, reverseName } from '../../ip/ip.ts';

/** The address that a name under in-addr.arpa or ip6.arpa stands for. */
export function reverseAddress(name: string): string | undefined {
  if (name.endsWith('.in-addr.arpa')) {
    const octets = name.slice(0, -13).split('.');
    return octets.length === 4 && octets.every((o) => /^\d{1,3}$/.test(o)) ? parseIp(octets.toReversed().join('.')) : undefined;
  }
  if (!name.endsWith('.ip6.arpa')) return undefined;
  const nibbles = name.slice(0, -9).split('.');
  if (nibbles.length !== 32 || nibbles.some((n) => !/^[0-9a-f]$/.test(n))) return undefined;
  return parseIp(
    nibbles
      .toReversed()
      .join('')
      .replaceAll(/(.{4})(?!$)/g, '$1:'),
  );
}

/** A range of the cluster and the zone in which its reverse names live: 10.96.0.0/12 is part of `10.in-addr.arpa`. */
export class ReverseRange {
  readonly zone: string;
  readonly #cidr: Cidr;
  readonly #isWholeZone: boolean;

  constructor(cidr: Cidr) {
    const step = cidr.family === 4 ? 8 : 4;
    const labels = reverseName(cidr.base).split('.');
    this.#cidr = cidr;
    this.#isWholeZone = cidr.prefix % step === 0;
    this.zone = labels.slice((cidr.family === 4 ? 4 : 32) - Math.floor(cidr.prefix / step)).join('.');
  }

  /** `ip` undefined: `name` is no whole address; then it is held when everything below it is in the range. */
  holds(name: string, ip: string | undefined): boolean {
    if (ip !== undefined) return cidrContains(this.#cidr, ip);
    return this.#isWholeZone && (name === this.zone || name.endsWith(`.${this.zone}`));
  }
}
