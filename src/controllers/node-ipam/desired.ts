/** Which part of the cluster's range a node gets: pure. */
import { type Cidr, cidrOverlaps, mustCidr, nthSubnet, parseCidr } from '../../ip/ip.ts';

/** Ranges that nodes have, by the node's name. */
export type Allocation = ReadonlyMap<string, string>;

/** Every search walks the same subnets, and a range that is used up is walked to its end for every node. */
const subnets = new Map<string, Cidr[]>();

function subnetAt(clusterCidr: Cidr, prefix: number, place: number): Cidr {
  const key = `${clusterCidr.text} ${prefix}`;
  const known = subnets.get(key) ?? [];
  subnets.set(key, known);
  known[place] ??= nthSubnet(clusterCidr, prefix, place);
  return known[place];
}

interface Subnet {
  readonly text: string;
  /** The place in the range from which to look for the next. */
  readonly next: number;
}

/**
 * A free subnet of length `prefix`, looked for from `start` on and around; undefined when the range is used up. Going on instead of
 * starting over leaves the range of a node that went away unused for as long as there are others, and costs little.
 */
export function freeSubnet(clusterCidr: Cidr, prefix: number, taken: Allocation, start: number = 0): Subnet | undefined {
  const same = new Set(taken.values());
  // Ranges of another length were given out by somebody else, or under another setting.
  const other = [...same].filter((text) => !text.endsWith(`/${prefix}`)).flatMap((text) => parseCidr(text) ?? []);
  const count = 2 ** (prefix - clusterCidr.prefix);
  for (let i = 0; i < count; i++) {
    const place = (start + i) % count;
    const candidate = subnetAt(clusterCidr, prefix, place);
    if (!same.has(candidate.text) && !other.some((c) => cidrOverlaps(c, candidate))) return { text: candidate.text, next: place + 1 };
  }
  return undefined;
}

export function parseClusterCidr(text: string, prefix: number): Cidr {
  const cidr = mustCidr(text);
  if (prefix < cidr.prefix) throw new RangeError(`Cannot give nodes a /${prefix} of ${cidr.text}: it is larger than the range`);
  return cidr;
}
