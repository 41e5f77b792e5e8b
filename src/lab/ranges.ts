/**
 * Address ranges for a lab that was given none: the first of a list of places that nobody else has. Pure; `reserve.ts` finds out what
 * others have.
 */
import { type Cidr, cidrOverlaps, mustCidr } from '../ip/ip.ts';
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

export const places: readonly Ranges[] = Array.from({ length: 1 + beside + outsideTen }, (_, n) => placeOf(n));

/**
 * `given` completed by the first place that meets neither it nor `taken`. Undefined when there is none; what was given is never
 * looked at itself, as it is somebody's wish.
 */
export function chooseRanges(given: Partial<Ranges>, taken: readonly Cidr[]): Ranges | undefined {
  const wished = Object.values(given).map(mustCidr);
  for (const place of places) {
    const ranges = { ...place, ...given };
    const open = (Object.keys(place) as (keyof Ranges)[]).filter((key) => given[key] === undefined).map((key) => mustCidr(place[key]));
    if (!open.some((range) => [...taken, ...wished].some((other) => cidrOverlaps(range, other)))) return ranges;
  }
  return undefined;
}
