/**
 * Address ranges for a lab that was given none: the first of a list of places that nobody else has. Pure; `reserve.ts` finds out what
 * others have.
 */
import { type Cidr, cidrOverlaps, familyOf, parseCidr } from '../ip/ip.ts';
import { defaultLabOptions, type LabOptions } from './lab-options.ts';

export type Ranges = Pick<LabOptions, 'underlay' | 'podCidr' | 'serviceCidr'>;

const beside = 43;
/** For machines behind a VPN that owns all of 10.0.0.0/8. */
const outsideTen = 4;

/** Where labs may be: number 0 is the one that everybody's notes speak of. No two of them share an address. */
function placeOf(n: number): Ranges {
  if (n === 0) {
    const { underlay, podCidr, serviceCidr } = defaultLabOptions;
    return { underlay, podCidr, serviceCidr };
  }
  const underlay = `192.168.${120 + n}.0/24`;
  if (n <= beside) return { underlay, podCidr: `10.${200 + n}.0.0/16`, serviceCidr: `10.${96 + n}.0.0/16` };
  const low = 22 + 2 * (n - beside);
  return { underlay, podCidr: `172.${low}.0.0/16`, serviceCidr: `172.${low + 1}.0.0/16` };
}

/** The same in IPv6, with numbers that read alike. */
function placeOf6(n: number): Ranges {
  return {
    underlay: `fd00:192:168:${120 + n}::/64`,
    podCidr: `fd00:10:${n === 0 ? 244 : 200 + n}::/56`,
    serviceCidr: `fd00:10:${96 + n}::/112`,
  };
}

const keys = ['underlay', 'podCidr', 'serviceCidr'] as const satisfies readonly (keyof Ranges)[];

export const places: readonly Ranges[] = Array.from({ length: 1 + beside + outsideTen }, (_, n) => placeOf(n));

/** Place `n` in the families of what was given, IPv4 without that. */
function placeIn(n: number, given: Partial<Ranges>): Ranges {
  const [first] = Object.values(given);
  const both = { 4: placeOf(n), 6: placeOf6(n) };
  const families = first === undefined ? ([4] as const) : first.split(',').map(familyOf);
  const text = (key: keyof Ranges): string => families.map((family) => both[family][key]).join();
  return { underlay: text('underlay'), podCidr: text('podCidr'), serviceCidr: text('serviceCidr') };
}

/** `given` completed by the usual ranges of its families. */
export function usualRanges(given: Partial<Ranges>): Ranges {
  return { ...placeIn(0, given), ...given };
}

/** What is no range is left out here, and refused by the plan. */
export function cidrsOf(ranges: Partial<Ranges>): Cidr[] {
  return Object.values(ranges).flatMap((text) => text.split(',').flatMap((one) => parseCidr(one) ?? []));
}

/**
 * `given` completed by the first place that meets neither it nor `taken`. Undefined when there is none; what was given is never
 * looked at itself, as it is somebody's wish.
 */
export function chooseRanges(given: Partial<Ranges>, taken: readonly Cidr[]): Ranges | undefined {
  const others = [...taken, ...cidrsOf(given)];
  for (const n of places.keys()) {
    const place = placeIn(n, given);
    const open = keys.filter((key) => given[key] === undefined).flatMap((key) => cidrsOf({ [key]: place[key] }));
    if (!open.some((range) => others.some((other) => cidrOverlaps(range, other)))) return { ...place, ...given };
  }
  return undefined;
}
