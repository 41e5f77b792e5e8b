/** Who may come: an address in one of very many ranges. A list is read once, as all connections of this process wait meanwhile, and then a look is a binary search. Pure. */
import { type Cidr, familyOf, ipToBigInt, parseCidr, parseIp } from '../../../ip/ip.ts';

type Range = Pick<Cidr, 'first' | 'last'>;

/** By family; in order, and none of them meet. */
type Ranges = ReadonlyMap<Cidr['family'], readonly Range[]>;

const lists = new WeakMap<readonly string[], Ranges>();

/** Whether one of these ranges has the address. Those that cannot be read have none. */
export function areSourcesOf(sources: readonly string[], ip: string): boolean {
  let list = lists.get(sources);
  if (!list) {
    list = read(sources);
    lists.set(sources, list);
  }
  const address = parseIp(ip) ?? ip;
  return has(list.get(familyOf(address)) ?? [], ipToBigInt(address));
}

function read(sources: readonly string[]): Ranges {
  const cidrs = sources.map(parseCidr).filter((cidr) => cidr !== undefined);
  return new Map([...Map.groupBy(cidrs, ({ family }) => family)].map(([family, ranges]) => [family, joined(ranges)]));
}

function has(ranges: readonly Range[], address: bigint): boolean {
  let [from, to] = [0, ranges.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    const range = ranges[middle] as Range;
    if (address < range.first) to = middle;
    else if (address > range.last) from = middle + 1;
    else return true;
  }
  return false;
}

/** A range within another, as most that overlap are, is left out. */
function joined(ranges: readonly Range[]): Range[] {
  const joined: Range[] = [];
  for (const range of ranges.toSorted((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0))) {
    const before = joined.at(-1);
    if (!before || range.first > before.last) joined.push(range);
    else if (range.last > before.last) joined[joined.length - 1] = { first: before.first, last: range.last };
  }
  return joined;
}
