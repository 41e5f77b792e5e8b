/** A packet on its way to this machine or from it, and whether words of a rule are about it. Pure. */
import { cidrContains, type Family, familyOf, parseCidr } from '../../../ip/ip.ts';

/** The first of its flow, over UDP, between this node and another. */
export interface Packet {
  readonly direction: 'in' | 'out';
  readonly family: Family;
  readonly port: number;
  /** By which it comes or goes; undefined where that is not known, as the addresses. */
  readonly link: string | undefined;
  readonly own: string | undefined;
  readonly peer: string | undefined;
}

/** `unknown`: it depends on what cannot be read off the rule, such as the members of a set. */
export type Match = 'yes' | 'no' | 'unknown';

export function yes(is: boolean): Match {
  return is ? 'yes' : 'no';
}

export function not(match: Match): Match {
  return match === 'unknown' ? match : yes(match === 'no');
}

/** A rule is about a packet when all of its words are. */
export function all(matches: readonly Match[]): Match {
  if (matches.includes('no')) return 'no';
  return matches.includes('unknown') ? 'unknown' : 'yes';
}

/** One of several is enough. */
function some(matches: readonly Match[]): Match {
  return not(all(matches.map(not)));
}

/** `53`, `8000:9000`, `8000-9000`. */
export function matchPort(words: readonly string[], port: number): Match {
  return some(
    words.map((word) => {
      const [from = Number.NaN, to = from] = word.split(/[:-]/).map(Number);
      return Number.isNaN(from) || Number.isNaN(to) ? 'unknown' : yes(port >= from && port <= to);
    }),
  );
}

/** `192.0.2.1`, `192.0.2.0/24`, `192.0.2.1-192.0.2.9`, which nobody writes of nodes. */
export function matchAddress(words: readonly string[], address: string | undefined): Match {
  if (address === undefined) return words.every((word) => parseCidr(word)?.prefix === 0) ? 'yes' : 'unknown';
  return some(
    words.map((word) => {
      const range = parseCidr(word);
      return range ? yes(range.family === familyOf(address) && cidrContains(range, address)) : 'unknown';
    }),
  );
}

/** `eth0`; `eth+` of iptables and `eth*` of nft are all that begin so. */
export function matchLink(words: readonly string[], link: string | undefined): Match {
  if (link === undefined) return 'unknown';
  return some(words.map((word) => yes(/[+*]$/.test(word) ? link.startsWith(word.slice(0, -1)) : link === word)));
}

/** By name or number, of which `all` and 0 are any. */
export function matchProtocol(words: readonly string[]): Match {
  return yes(words.some((word) => ['udp', '17', 'all', '0'].includes(word.toLowerCase())));
}

/** The first packet of a flow is new, or nobody tracks it. */
export function matchState(words: readonly string[]): Match {
  return yes(words.some((word) => ['new', 'untracked'].includes(word.toLowerCase())));
}
