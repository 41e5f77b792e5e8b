/** Who may come: an address in one of very many ranges. A list is read once, as all connections of this process wait meanwhile, and then a look is a binary search. Pure. */
import { cidrBytes, ipToBytes } from '../../../ip/ip.ts';

interface Range {
  readonly first: bigint;
  readonly last: bigint;
}

const lists = new WeakMap<readonly string[], SourceRanges>();

/** Whether one of these ranges has the address. Those that cannot be read have none. */
export function areSourcesOf(sources: readonly string[], ip: string): boolean {
  let list = lists.get(sources);
  if (!list) {
    list = new SourceRanges(sources);
    lists.set(sources, list);
  }
  return list.has(ip);
}

const numberOf = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).toString('hex')}`);

class SourceRanges {
  /** By the length of an address; in order, and none of them meet. */
  readonly #byLength = new Map<number, readonly Range[]>();

  constructor(sources: readonly string[]) {
    const read = sources.map((text) => cidrBytes(text)).filter((one) => one !== undefined);
    for (const [length, ranges] of Map.groupBy(read, ({ bytes }) => bytes.length)) {
      const all = ranges.map(({ bytes, prefix }): Range => {
        const first = numberOf(bytes);
        return { first, last: first + (1n << BigInt(length * 8 - prefix)) - 1n };
      });
      this.#byLength.set(length, joined(all));
    }
  }

  has(ip: string): boolean {
    const bytes = ipToBytes(ip);
    const ranges = this.#byLength.get(bytes.length) ?? [];
    const address = numberOf(bytes);
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
}

/** A range within another, as most that overlap are, is left out. */
function joined(ranges: Range[]): Range[] {
  const joined: Range[] = [];
  for (const range of ranges.toSorted((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0))) {
    const before = joined.at(-1);
    if (!before || range.first > before.last) joined.push(range);
    else if (range.last > before.last) joined[joined.length - 1] = { first: before.first, last: range.last };
  }
  return joined;
}
