/**
 * Follows the first packet of a connection through a table, by reading the same rules that the kernel gets. Random
 * choices are followed all, so the result names every address the packet may be sent to. Pure.
 */
import { cidrContains, ipToBytes, parseCidr } from '../../ip/ip.ts';
import { stepsOf, type Trail } from '../trail.ts';
import { jhash, scale } from './jhash.ts';
import { parseRule, parseVerdict, type Statement, type Term, type Verdict } from './rule.ts';
import type { ChainHook, Hook, Table } from './table.ts';

export interface Packet {
  readonly from: string;
  readonly sourcePort: number;
  readonly to: string;
  readonly port: number;
  readonly protocol: string;
  /** What somebody has marked it with; 0 when nobody has. */
  readonly mark?: number;
  /** The interface it came in by; absent when the node itself sends it. */
  readonly interface?: string;
}

/** A rule that applied to the packet. */
export interface RuleStep {
  readonly chain: string;
  readonly rule: string;
  /** What the rule's text does not say: what a map gave. */
  readonly found?: string;
}

export interface TraceOptions {
  /** The node's own addresses, loopback included. */
  readonly nodeIps: readonly string[];
  /** Told of every rule that applies, once for each endpoint that the packet may have been sent to by then. */
  readonly onStep?: (step: RuleStep) => void;
  /** Told of every way through the rules that the packet may take: one, where they choose nothing. */
  readonly onWay?: (steps: readonly RuleStep[]) => void;
  /** What rules have put into dynamic sets and maps so far; rules that learn add to it. */
  readonly learnt?: Map<string, Map<string, string>>;
}

export type Fate =
  | { readonly kind: 'passed'; readonly destinations: readonly Destination[] }
  | { readonly kind: 'refused'; readonly with: 'tcp reset' | 'icmp' }
  | { readonly kind: 'dropped' };

export interface Destination {
  readonly to: string;
  readonly port: number;
  /** Whether DNAT changed where it goes. */
  readonly translated: boolean;
  readonly masqueraded: boolean;
}

/** The connection as far as the rules know it. */
interface Flow {
  readonly original: Packet;
  readonly packet: Packet;
  readonly translated: boolean;
  readonly masqueraded: boolean;
  readonly trail: Trail<RuleStep> | undefined;
}

type Outcome = { readonly kind: 'continue' | 'accept' | 'dropped' } | { readonly kind: 'refused'; readonly with: 'tcp reset' | 'icmp' };
type Step = readonly [Flow, Outcome];

const goOn: Outcome = { kind: 'continue' };

interface RuleResult {
  /** Who meets the next rule of the chain. */
  readonly next: readonly Flow[];
  /** Who leaves the chain. */
  readonly done: readonly Step[];
}

function leaves(...done: Step[]): RuleResult {
  return { next: [], done };
}

/** After DNAT to `10.244.1.2 . 8080`. */
function translated(flow: Flow, data: string): Flow {
  const [to = '', port = ''] = data.split(' . ');
  return { ...flow, packet: { ...flow.packet, to, port: Number(port) }, translated: true };
}

/** Of the connection as it was asked for, or as its answers come. */
function tupleValue({ direction, field }: Term & { kind: 'tuple' }, { packet, original }: Flow): string {
  const [from, to] = direction === 'original' ? [original, original] : [{ from: packet.to, sourcePort: packet.port }, packet];
  if (field === 'proto-dst') return String(to.port);
  if (field === 'proto-src') return String(from.sourcePort);
  return field.endsWith('daddr') ? to.to : from.from;
}

/** What stands before the last field of a key, and that field. */
function lastField(key: string): [outer: string, last: string] {
  const cut = key.lastIndexOf(' . ');
  return cut < 0 ? ['', key] : [key.slice(0, cut), key.slice(cut + 3)];
}

class Trace {
  readonly #table: Table;
  readonly #options: TraceOptions;

  constructor(table: Table, options: TraceOptions) {
    this.#table = table;
    this.#options = options;
  }

  #value(term: Term, flow: Flow, random: number): string {
    const { packet } = flow;
    switch (term.kind) {
      case 'payload':
        return { saddr: packet.from, daddr: packet.to, sport: String(packet.sourcePort), dport: String(packet.port) }[term.field];
      case 'l4proto':
        return packet.protocol;
      case 'iifname':
        return packet.interface ?? '';
      case 'ct':
        return term.key === 'state' ? 'new' : flow.translated ? 'dnat' : '';
      case 'fib':
        return this.#options.nodeIps.includes(term.address === 'saddr' ? packet.from : packet.to) ? 'local' : 'unicast';
      case 'numgen':
        return String(random + term.offset);
      case 'jhash':
        return String(scale(jhash(ipToBytes(this.#value(term.of, flow, 0)), term.seed), term.modulus) + term.offset);
      case 'tuple':
        return tupleValue(term, flow);
    }
  }

  /** The keys that an expression can take: one, or one for each number that may come. */
  #keys(terms: readonly Term[], flow: Flow): string[] {
    const numgen = terms.find((term) => term.kind === 'numgen');
    return Array.from({ length: numgen?.modulus ?? 1 }, (_, n) => terms.map((t) => this.#value(t, flow, n)).join(' . '));
  }

  #element(set: string, key: string): string | undefined {
    const known = this.#options.learnt?.get(set)?.get(key) ?? this.#table.elements.get(set)?.get(key);
    if (known !== undefined || !this.#table.sets.find((s) => s.name === set)?.interval) return known;
    const [outer, last] = lastField(key);
    for (const [range, data] of this.#table.elements.get(set) ?? []) {
      const [outerOf, text] = lastField(range);
      if (outerOf !== outer) continue;
      const cidr = parseCidr(text);
      if (cidr && cidrContains(cidr, last)) return data;
    }
    return undefined;
  }

  #matches(term: Term, value: string, flow: Flow): boolean {
    const held = this.#value(term, flow, 0);
    if (term.kind === 'payload' && term.header !== 'th') {
      const cidr = parseCidr(value);
      return cidr !== undefined && cidrContains(cidr, held);
    }
    const text = value.replace(/^"|"$/g, '');
    return text.endsWith('*') ? held.startsWith(text.slice(0, -1)) : held === text;
  }

  #verdict(verdict: Verdict, flow: Flow): RuleResult {
    switch (verdict.kind) {
      case 'accept':
        return leaves([flow, { kind: 'accept' }]);
      case 'drop':
        return leaves([flow, { kind: 'dropped' }]);
      case 'return':
        return leaves([flow, goOn]);
      case 'goto':
        return leaves(...this.#chain(verdict.chain, flow));
      case 'jump': {
        const steps = this.#chain(verdict.chain, flow);
        const goesOn = ([, outcome]: Step): boolean => outcome.kind === 'continue';
        return { next: steps.filter(goesOn).map(([after]) => after), done: steps.filter((step) => !goesOn(step)) };
      }
    }
  }

  /** Runs the statements of one rule, until one does not match or decides. */
  #rule(at: RuleStep, statements: readonly Statement[], before: Flow): RuleResult {
    let flow = before;
    for (const statement of statements) {
      if (!this.#goesOn(statement, flow)) break;
      flow = this.#told(at, statement, flow);
      const result = this.#act(statement, flow);
      if (result) return result;
    }
    return { next: [flow], done: [] };
  }

  /** Whether the rule goes on after a statement that asks; others ask nothing. */
  #goesOn(statement: Statement, flow: Flow): boolean {
    switch (statement.kind) {
      case 'match':
        return this.#matches(statement.term, statement.value, flow) !== statement.not;
      case 'lookup':
        return this.#keys(statement.key, flow).some((key) => this.#element(statement.set, key) !== undefined) !== statement.not;
      case 'vmap':
      case 'dnat':
        return this.#found(statement, flow).length > 0;
      case 'mark':
        return ((flow.packet.mark ?? 0) & statement.mask) === statement.value;
      default:
        return true;
    }
  }

  /** The flow with the rule behind it, once one of its statements acts. */
  #told(at: RuleStep, statement: Statement, flow: Flow): Flow {
    if (['match', 'lookup', 'mark'].includes(statement.kind)) return flow;
    const isMap = statement.kind === 'vmap' || statement.kind === 'dnat';
    const step = isMap ? { ...at, found: this.#found(statement, flow).join(', ') } : at;
    this.#options.onStep?.(step);
    return { ...flow, trail: { step, before: flow.trail } };
  }

  /** What a statement does to a flow; undefined when the rule goes on. */
  #act(statement: Statement, flow: Flow): RuleResult | undefined {
    switch (statement.kind) {
      case 'vmap':
        return this.#verdict(parseVerdict(this.#found(statement, flow)[0] ?? ''), flow);
      case 'dnat':
        return leaves(...this.#found(statement, flow).map((data): Step => [translated(flow, data), { kind: 'accept' }]));
      case 'update':
        this.#learn(statement.map, statement, flow);
        return undefined;
      case 'count':
        this.#learn(statement.set, { key: statement.key, data: [] }, flow);
        return undefined;
      case 'masquerade':
        return leaves([{ ...flow, masqueraded: true }, { kind: 'accept' }]);
      case 'reject':
        return leaves([flow, { kind: 'refused', with: statement.with }]);
      case 'verdict':
        return this.#verdict(statement.verdict, flow);
      default:
        return undefined;
    }
  }

  /** The data of all elements that the keys can hit, each once. */
  #found({ key, map }: { readonly key: readonly Term[]; readonly map: string }, flow: Flow): string[] {
    return [...new Set(this.#keys(key, flow).flatMap((text) => this.#element(map, text) ?? []))];
  }

  /** The kernel's `update` renews an element's time and leaves its value. */
  #learn(set: string, { key, data }: { readonly key: readonly Term[]; readonly data: readonly Term[] }, flow: Flow): void {
    const { learnt } = this.#options;
    const elements = learnt?.get(set) ?? new Map<string, string>();
    const text = this.#keys(key, flow)[0] ?? '';
    if (!elements.has(text)) elements.set(text, this.#keys(data, flow)[0] ?? '');
    learnt?.set(set, elements);
  }

  #chain(name: string, flow: Flow): Step[] {
    const rules = this.#table.chains.find((c) => c.name === name)?.rules ?? [];
    let going: Flow[] = [flow];
    const done: Step[] = [];
    for (const rule of rules) {
      const statements = parseRule(rule);
      const results = going.map((current) => this.#rule({ chain: name, rule }, statements, current));
      going = results.flatMap((result) => result.next);
      done.push(...results.flatMap((result) => result.done));
    }
    return [...done, ...going.map((f): Step => [f, goOn])];
  }

  hook(hook: ChainHook, flows: readonly Flow[]): { readonly flows: Flow[]; readonly end?: Step } {
    const bases = this.#table.chains.flatMap((chain) => (chain.hook?.hook === hook ? { ...chain, hook: chain.hook } : [])).sort(byTurn);
    let going = [...flows];
    for (const base of bases) {
      const steps = going.flatMap((flow) => this.#chain(base.name, flow));
      const end = steps.find(([, outcome]) => outcome.kind === 'dropped' || outcome.kind === 'refused');
      if (end) return { flows: [], end };
      going = steps.map(([flow]) => flow);
    }
    return { flows: going };
  }
}

/** The kernel calls all chains of type nat from one place, and only there one after the other by their priorities (nf_nat_inet_fn()). */
function byTurn({ hook: a }: { readonly hook: Hook }, { hook: b }: { readonly hook: Hook }): number {
  const turnOf = ({ type, hook, priority }: Hook): number =>
    type === 'filter' ? priority : hook === 'postrouting' || hook === 'input' ? 100 : -100;
  return turnOf(a) - turnOf(b) || a.priority - b.priority;
}

/** What becomes of the first packet of a connection. */
export function trace(table: Table, packet: Packet, options: TraceOptions): Fate {
  const run = new Trace(table, options);
  const start: Flow = { original: packet, packet, translated: false, masqueraded: false, trail: undefined };
  let flows: Flow[] = [start];
  // What stays on the node never leaves by postrouting, unless the node sent it itself.
  const stays = (flow: Flow): boolean => packet.interface !== undefined && options.nodeIps.includes(flow.packet.to);
  const way: readonly (readonly [ChainHook, (flow: Flow) => boolean])[] = [
    [packet.interface === undefined ? 'output' : 'prerouting', () => true],
    ['input', stays],
    ['postrouting', (flow) => !stays(flow)],
  ];
  for (const [hook, sees] of way) {
    const seeing = flows.filter(sees);
    const result = run.hook(hook, seeing);
    if (result.end) {
      const [{ trail }, outcome] = result.end;
      options.onWay?.(stepsOf(trail));
      return outcome.kind === 'refused' ? { kind: 'refused', with: outcome.with } : { kind: 'dropped' };
    }
    flows = [...flows.filter((flow) => !seeing.includes(flow)), ...result.flows];
  }
  if (options.onWay) for (const { trail } of flows) options.onWay(stepsOf(trail));
  const destinations = flows.map(({ packet: p, translated, masqueraded }) => ({ to: p.to, port: p.port, translated, masqueraded }));
  return { kind: 'passed', destinations };
}
