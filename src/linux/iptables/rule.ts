/**
 * A rule's text. It can be said in many ways (`--or-mark 0x4000`, `--set-xmark 0x4000/0x4000`), and the kernel gives it back in one: what two
 * texts mean is compared by a canonical form. Pure.
 */

/** An option with what follows it, or a match or target with its options. */
interface Part {
  readonly name: string;
  readonly options: Map<string, string>;
}

interface RuleParts {
  /** Addresses, interfaces, protocol: one of each, wherever they stand. */
  readonly basics: Map<string, string>;
  readonly matches: Part[];
  target: Part | undefined;
}

const basicNames: ReadonlyMap<string, string> = new Map([
  ['-s', '-s'],
  ['--source', '-s'],
  ['--src', '-s'],
  ['-d', '-d'],
  ['--destination', '-d'],
  ['--dst', '-d'],
  ['-p', '-p'],
  ['--protocol', '-p'],
  ['-i', '-i'],
  ['--in-interface', '-i'],
  ['-o', '-o'],
  ['--out-interface', '-o'],
]);

/** The words of a rule, without the quotes around them. */
export function wordsOf(rule: string): string[] {
  const words = rule.match(/"(?:\\.|[^"\\])*"|[^\s"]+/g) ?? [];
  return words.map((word) => (word.startsWith('"') ? word.slice(1, -1).replace(/\\(.)/g, '$1') : word));
}

/** A comment as the tools print it. */
export function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

/** What follows an option, up to the next one. A comment may begin with anything. */
function valueAt(words: readonly string[], at: number): string[] {
  if (words[at - 1] === '--comment') return words.slice(at, at + 1);
  const end = words.findIndex((word, i) => i >= at && (word.startsWith('-') || word === '!'));
  return words.slice(at, end < 0 ? undefined : end);
}

/** Options in their order, each with its value; `! ` stands before the value of one that must not hold. */
function* optionsOf(words: readonly string[]): Generator<readonly [name: string, value: string]> {
  for (let i = 0; i < words.length; ) {
    const not = words[i] === '!' ? 1 : 0;
    const name = words[i + not] ?? '';
    const value = valueAt(words, i + not + 1);
    yield [name, `${not ? '! ' : ''}${value.join(' ')}`];
    i += not + 1 + value.length;
  }
}

export function partsOf(rule: string): RuleParts {
  const parts: RuleParts = { basics: new Map(), matches: [], target: undefined };
  let current: Part | undefined;
  for (const [name, value] of optionsOf(wordsOf(rule))) {
    const basic = basicNames.get(name);
    if (basic !== undefined) parts.basics.set(basic, value);
    else if (name === '-m' || name === '-j' || name === '-g') {
      current = { name: name === '-g' ? `goto ${value}` : value, options: new Map() };
      if (name === '-m') parts.matches.push(current);
      else parts.target = current;
    } else current?.options.set(name, value);
  }
  return parts;
}

const wholeMask = '0xffffffff';
const hex = (text: string): string => `0x${Number(text).toString(16)}`;

/** `VALUE/MASK` in one way of writing numbers. */
function mark(text: string): string {
  const not = text.startsWith('! ') ? '! ' : '';
  const [value = '', mask = wholeMask] = text.slice(not.length).split('/');
  return `${not}${hex(value)}/${hex(mask)}`;
}

type Options = Readonly<Record<string, string>>;

/** Every way to change a mark is an AND with one number and an XOR with another. */
function canonicalMark(options: Options): Options {
  const { '--or-mark': or, '--xor-mark': xor, '--set-mark': set, '--set-xmark': and } = options;
  if (or !== undefined) return { '--set-xmark': mark(`${or}/${or}`) };
  if (xor !== undefined) return { '--set-xmark': mark(`${xor}/0`) };
  return { '--set-xmark': mark(set ?? and ?? '') };
}

/** What the kernel keeps of a probability: a 31 bit number. Source: net/netfilter/xt_statistic.c */
const probabilityScale = 2 ** 31;

/** A probability as the tools print what the kernel keeps of it. */
export function probability(value: number): string {
  return (Math.round(value * probabilityScale) / probabilityScale).toFixed(11);
}

/** What is so without being said. */
const usual: Readonly<Record<string, readonly string[]>> = {
  '--packet': ['0'],
  '--mask': ['255.255.255.255', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  '--rsource': [''],
  '--reject-with': ['icmp-port-unreachable', 'icmp6-port-unreachable'],
};

/** A node of a cluster is a bit of a mask. */
function canonicalCluster({ '--cluster-local-node': node, '--cluster-local-nodemask': nodes, ...rest }: Options): Options {
  const mask = node === undefined ? Number(nodes) : 2 ** (Number(node) - 1);
  return { ...rest, '--cluster-local-nodemask': hex(String(mask)), '--cluster-hash-seed': hex(rest['--cluster-hash-seed'] ?? '0') };
}

function canonicalOptions({ name, options }: Part): string[] {
  let given: Options = Object.fromEntries(options);
  if (name === 'cluster') given = canonicalCluster(given);
  if (name === 'MARK') given = canonicalMark(given);
  if (name === 'mark') given = { '--mark': mark(given['--mark'] ?? '') };
  const chance = given['--probability'];
  if (chance !== undefined) given = { ...given, '--probability': probability(Number(chance)) };
  return textOf(Object.entries(given).filter(([option, value]) => !usual[option]?.includes(value)));
}

function textOf(options: Iterable<readonly [string, string]>): string[] {
  return Array.from(options, ([name, value]) => `${name} ${value}`).sort();
}

/** The same text for rules that do the same to packets: what they say of themselves in comments does not count. */
export function canonicalRule(rule: string): string {
  const { basics, matches, target } = partsOf(rule);
  for (const side of ['-s', '-d']) {
    const address = basics.get(side);
    if (address !== undefined) basics.set(side, address.replace(address.includes(':') ? /\/128$/ : /\/32$/, ''));
  }
  const meant = matches.filter(({ name }) => name !== 'comment').flatMap((part) => [`-m ${part.name}`, ...canonicalOptions(part)]);
  const end = target ? [`-j ${target.name}`, ...canonicalOptions(target)] : [];
  return [...textOf(basics), ...meant, ...end].join(' ');
}

export function sameRule(a: string, b: string): boolean {
  return a === b || canonicalRule(a) === canonicalRule(b);
}
