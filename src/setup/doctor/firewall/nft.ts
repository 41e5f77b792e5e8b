/** What `nft list ruleset` prints. Pure. */
import type { Family } from '../../../ip/ip.ts';
import type { Act, Chain, Reader, Table } from './firewall.ts';
import { all, type Match, matchAddress, matchLink, matchPort, matchProtocol, matchState, not, type Packet, yes } from './packet.ts';

const families: Readonly<Record<string, readonly Family[]>> = { ip: [4], ip6: [6], inet: [4, 6], netdev: [4, 6] };
const hooks: Readonly<Record<string, Chain['hook']>> = {
  ingress: 'prerouting',
  prerouting: 'prerouting',
  input: 'input',
  output: 'output',
  postrouting: 'postrouting',
  egress: 'postrouting',
};

/** Statements, of which a long one goes over several lines. */
function statements(text: string): string[] {
  const joined: string[] = [];
  let open = 0;
  for (const line of text.split('\n').map((one) => one.trim())) {
    const isBlock = /^(table|chain|set|map|flowtable|counter|quota|limit|ct \w+|secmark|synproxy) .*\{$/.test(line) && open === 0;
    if (open > 0) joined.push(`${joined.pop() ?? ''} ${line}`);
    else if (line !== '') joined.push(line);
    if (isBlock || (line === '}' && open === 0)) continue;
    const bare = line.replace(/"[^"]*"/g, '');
    open = Math.max(0, open + bare.split('{').length - bare.split('}').length);
  }
  return joined;
}

interface NftTable {
  /** `ip filter`. */
  readonly name: string;
  readonly chains: Map<string, Chain>;
}

class RulesetReader {
  readonly tables: NftTable[] = [];
  #chain: { rules: string[]; hook?: NonNullable<Chain['hook']>; refusesRest?: boolean } | undefined;

  statement(line: string): void {
    const [, kind = '', name = ''] = /^(table|chain) (.*) \{$/.exec(line) ?? [];
    if (kind === 'table') this.tables.push({ name, chains: new Map() });
    else if (kind === 'chain') this.#begin(name);
    // A set, or the end of something.
    else if (/\{$|^\}$/.test(line)) this.#chain = undefined;
    else this.#rule(line);
  }

  #begin(name: string): void {
    this.#chain = { rules: [] };
    this.tables.at(-1)?.chains.set(name, this.#chain);
  }

  #rule(line: string): void {
    const [, hook] = /^type \w+ hook (\w+)/.exec(line) ?? [];
    if (hook === undefined) this.#chain?.rules.push(line);
    else if (this.#chain) Object.assign(this.#chain, { hook: hooks[hook], refusesRest: line.includes('policy drop;') });
  }
}

/** The tables for a family, without those that iptables has made: its own tool lists them, in the words of whoever made them. */
export function nftTables(text: string, family: Family, ofIptables: readonly string[]): Table[] {
  const reader = new RulesetReader();
  for (const line of statements(text)) reader.statement(line);
  const isMeant = ({ name }: NftTable): boolean => {
    const [of = '', own = ''] = name.split(' ');
    return (families[of]?.includes(family) ?? false) && !(['ip', 'ip6'].includes(of) && ofIptables.includes(own));
  };
  return reader.tables.filter(isMeant).map(({ chains }) => chains);
}

type Compare = (words: readonly string[], packet: Packet) => Match;

const ofFamily =
  (family: Family, compare: Compare): Compare =>
  (words, packet) =>
    packet.family === family ? compare(words, packet) : 'no';
const source: Compare = (words, { direction, own, peer }) => matchAddress(words, direction === 'in' ? peer : own);
const destination: Compare = (words, { direction, own, peer }) => matchAddress(words, direction === 'in' ? own : peer);
const inward: Compare = (words, { direction, link }) => (direction === 'in' ? matchLink(words, link) : 'no');
const outward: Compare = (words, { direction, link }) => (direction === 'out' ? matchLink(words, link) : 'no');
const port: Compare = (words, packet) => matchPort(words, packet.port);

/** By the words before the value. */
const expressions: Readonly<Record<string, Compare>> = {
  iif: inward,
  iifname: inward,
  oif: outward,
  oifname: outward,
  'ip saddr': ofFamily(4, source),
  'ip daddr': ofFamily(4, destination),
  'ip6 saddr': ofFamily(6, source),
  'ip6 daddr': ofFamily(6, destination),
  'ip protocol': ofFamily(4, matchProtocol),
  'ip6 nexthdr': ofFamily(6, matchProtocol),
  'meta l4proto': matchProtocol,
  'meta nfproto': (words, { family }) => yes(words.includes(`ipv${family}`)),
  'udp dport': port,
  'th dport': port,
  'ct state': matchState,
  // Nobody sends VXLAN on to elsewhere.
  'ct status': (words) => yes(!words.some((word) => ['dnat', 'snat'].includes(word))),
};

/** What is of another protocol than UDP. */
const others = new Set(['tcp', 'icmp', 'icmpv6', 'sctp', 'dccp', 'igmp', 'arp', 'vlan']);
const acts: Readonly<Record<string, Act>> = {
  accept: { kind: 'accept' },
  drop: { kind: 'refuse' },
  reject: { kind: 'refuse' },
  return: { kind: 'return' },
};

/** `{ 53, 8472 }` is one word, and so is what is in quotes. */
function wordsOf(rule: string): string[] {
  return rule.match(/"[^"]*"|\{[^}]*\}|\S+/g) ?? [];
}

function valuesOf(word: string): string[] {
  return word
    .replace(/[{}"]/g, '')
    .split(',')
    .map((one) => one.trim())
    .filter(Boolean);
}

/** How many words of no meaning here begin with each. */
const silent: Readonly<Record<string, number>> = { comment: 2, log: 1, prefix: 2, level: 2, group: 2, flags: 2 };

function silentWords(words: readonly string[], i: number): number {
  if (words[i] === 'counter') return words[i + 1] === 'packets' ? 5 : 1;
  return silent[words[i] ?? ''] ?? 0;
}

/** A map of verdicts by the state of a connection lets none through that is new, unless it names such; of another it cannot be told. */
function mapAct(words: readonly string[]): Act | undefined {
  const at = words.indexOf('vmap');
  if (at < 0) return undefined;
  const ofState = words[at - 2] === 'ct' && words[at - 1] === 'state' && words[at - 3] !== '.';
  return { kind: ofState && !/\b(new|untracked)\b|^@/.test(words[at + 1] ?? '') ? 'none' : 'unsure' };
}

function actAt(words: readonly string[], i: number): Act | undefined {
  const word = words[i] ?? '';
  return word === 'jump' || word === 'goto' ? { kind: word, chain: words[i + 1] ?? '' } : acts[word];
}

/** `taken`: how many words say it. */
interface Comparison {
  readonly taken: number;
  readonly match: Match;
}

function compareAt(words: readonly string[], i: number, packet: Packet): Comparison {
  const word = words[i] ?? '';
  const key = expressions[word] ? word : `${word} ${words[i + 1]}`;
  const compare = expressions[key];
  if (!compare) return { taken: 1, match: others.has(word) ? 'no' : 'unknown' };
  const after = key.split(' ').length;
  // Of several values at once, `iifname . udp dport { "eth0" . 8472 }`, it cannot be told here.
  if (words[i + after] === '.') return { taken: after + 1, match: 'unknown' };
  const isNot = words[i + after] === '!=';
  const taken = after + (isNot ? 2 : 1);
  const match = compare(valuesOf(words[i + taken - 1] ?? ''), packet);
  return { taken, match: isNot ? not(match) : match };
}

export const readNftRule: Reader = (text, packet) => {
  const words = wordsOf(text);
  const matches: Match[] = [];
  let act = mapAct(words);
  for (let i = 0; i < words.length && act === undefined; ) {
    const skipped = silentWords(words, i);
    act = skipped > 0 ? undefined : actAt(words, i);
    if (skipped > 0 || act) {
      i += skipped;
      continue;
    }
    const { taken, match } = compareAt(words, i, packet);
    matches.push(match);
    i += taken;
  }
  return { text, match: all(matches), act: act ?? { kind: 'none' }, namesPort: /\b(udp|th) dport /.test(text) };
};
