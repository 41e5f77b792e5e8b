/** The ranges of pods and of Services, one or one of each family: what was asked for, or the presets of the families that the machine is known by. Pure. */
import { KnownError } from '../../errors/known-error.ts';
import { type Cidr, cidrOverlaps, type Family, familyOf, mustCidr, parseCidr } from '../../ip/ip.ts';

/** As text with a comma between two; undefined where nothing was asked for. */
export interface RangeWish {
  readonly podSubnet?: string | undefined;
  readonly serviceSubnet?: string | undefined;
}

export interface Ranges {
  readonly pods: readonly Cidr[];
  readonly services: readonly Cidr[];
}

/** The length of the prefix of a node's part of the pods' range, by family. */
export type NodeMasks = Readonly<Record<Family, number>>;

/** The least and the greatest length of the prefix of a range. */
type Limits = Readonly<Record<Family, readonly [least: number, most: number]>>;

const kinds = {
  podSubnet: { what: 'pod subnet', 4: '10.244.0.0/16', 6: 'fd00:10:244::/56' },
  serviceSubnet: { what: 'Service subnet', 4: '10.96.0.0/16', 6: 'fd00:10:96::/112' },
} as const;
type Kind = keyof typeof kinds;

/** Upstream keeps track of no more than 2^16 nodes' parts of a range of IPv6, and 2^20 addresses of Services. */
function limitsOf(masks: NodeMasks): Readonly<Record<Kind, Limits>> {
  return { podSubnet: { 4: [0, masks[4]], 6: [masks[6] - 16, masks[6]] }, serviceSubnet: { 4: [0, 28], 6: [108, 124] } };
}

export function bad(what: string, why: string, hint: string): KnownError {
  return new KnownError('BAD_CONFIG', `Cannot use ${what}: ${why}`, { hint });
}

/** Of a list of addresses or ranges, in its order. */
export function familiesOf(text: string): Family[] {
  return [...new Set(text.split(',').map(familyOf))];
}

/** The families of the cluster that is asked for; none where the addresses of the machine decide. */
export function wishedFamilies({ podSubnet, serviceSubnet }: RangeWish): Family[] {
  const text = podSubnet ?? serviceSubnet;
  return text === undefined ? [] : familiesOf(text);
}

function presetOf(kind: Kind, families: readonly Family[]): string {
  return families.map((family) => kinds[kind][family]).join();
}

function rangeOf(kind: Kind, text: string, first: Family, limits: Limits): Cidr {
  const cidr = text.includes('/') ? parseCidr(text) : undefined;
  const named = `${kinds[kind].what} "${text}"`;
  if (!cidr) throw bad(named, 'it is no range', `Give one such as ${kinds[kind][first]}`);
  const [least, most] = limits[cidr.family];
  if (cidr.prefix > most) throw bad(named, `a prefix of at most /${most} is needed`, 'Give a larger range');
  if (cidr.prefix < least) throw bad(named, `a prefix of at least /${least} is needed`, 'Give a smaller range');
  return cidr;
}

/** `first`: the family of the machine's first address, which that of the API server's first range must be. */
function rangesOf(kind: Kind, text: string, first: Family, limits: Limits): Cidr[] {
  const found = text.split(',').map((one) => rangeOf(kind, one.trim(), first, limits));
  const families = found.map(({ family }) => family);
  const named = `${kinds[kind].what} "${text}"`;
  if (new Set(families).size < families.length)
    throw bad(named, 'it is not one range, or one of each family', `Give such as ${presetOf(kind, [4, 6])}`);
  if (families[0] === first) return found;
  throw bad(
    named,
    `this machine is known by an IPv${first} address`,
    families.includes(first)
      ? `Name the range of IPv${first} first, or the address of the other family: --node-ip`
      : `Give one such as ${presetOf(kind, [first])}, or the address of the other family: --node-ip`,
  );
}

/** None of the addresses of this machine may be in any of them. Throws BAD_CONFIG. */
export function planRanges(wish: RangeWish, addresses: readonly [string, ...string[]], masks: NodeMasks): Ranges {
  const first = familyOf(addresses[0]);
  const asked = wishedFamilies(wish);
  const families = asked[0] === first ? asked : familiesOf(addresses.join());
  const limits = limitsOf(masks);
  const planned = (kind: Kind): Cidr[] => rangesOf(kind, wish[kind] ?? presetOf(kind, families), first, limits[kind]);
  const [pods, services] = [planned('podSubnet'), planned('serviceSubnet')];
  if (services.length > pods.length)
    throw bad(
      `"${textOf(services)}" for Services`,
      `pods have addresses of IPv${first} alone`,
      `Give pods a range of each family, such as ${presetOf('podSubnet', [first, first === 4 ? 6 : 4])}`,
    );
  refuseOverlaps({ pods, services }, addresses);
  return { pods, services };
}

export function textOf(ranges: readonly Cidr[]): string {
  return ranges.map(({ text }) => text).join();
}

function refuseOverlaps({ pods, services }: Ranges, addresses: readonly string[]): void {
  const own = pods.find((range) => services.some((other) => cidrOverlaps(range, other)));
  if (own)
    throw bad(
      `"${own.text}" for pods and "${textOf(services)}" for Services`,
      'they overlap',
      'Give ranges that have no address in common',
    );
  for (const [what, range] of [
    ...pods.map((range) => ['pods', range] as const),
    ...services.map((range) => ['Services', range] as const),
  ]) {
    const inside = addresses.find((address) => cidrOverlaps(range, mustCidr(address)));
    if (inside === undefined) continue;
    throw bad(`"${range.text}" for ${what}`, `the address of this machine, ${inside}, is in it`, 'Give another range');
  }
}
