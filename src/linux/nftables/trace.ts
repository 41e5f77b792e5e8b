/**
 * Follows the first packet of a connection through a table, by reading the same rules that the kernel gets. Random
 * choices are followed all, so the result names every address the packet may be sent to. Pure.
 */
import { cidrContains, parseCidr } from '../../ip/ip.ts';
import { parseRule, parseVerdict, type Statement, type Term, type Verdict } from './rule.ts';
import type { ChainHook, Table } from './table.ts';

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

export interface TraceOptions {
  /** The node's own addresses, loopback included. */
  readonly nodeIps: readonly string[];
  /** What rules have put into dynamic maps so far; rules that learn add to it. */
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
}

type Outcome = { readonly kind: 'continue' | 'accept' | 'dropped' } | { readonly kind: 'refused'; readonly with: 'tcp reset' | 'icmp' };
type Step = readonly [Flow, Outcome];

const goOn: Outcome = { kind: 'continue' };

class Trace {
  readonly #table: Table;
  readonly #options: TraceOptions;

  constructor(table: Table, options: TraceOptions) {
    this.#table = table;
    this.#options = options;
  }

  #value(term: Term, flow: Flow, random: number): string {
    const { packet, original } = flow;
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
      case 'random':
        return String(random + term.offset);
      case 'tuple': {
        const [from, to] = term.direction === 'original' ? [original, original] : [{ from: packet.to, sourcePort: packet.port }, packet];
        if (term.field === 'proto-dst') return String(to.port);
        if (term.field === 'proto-src') return String(from.sourcePort);
        return term.field.endsWith('daddr') ? to.to : from.from;
      }
    }
  }

  /** The keys that an expression can take: one, or one for each random number. */
  #keys(terms: readonly Term[], flow: Flow): string[] {
    const random = terms.find((term) => term.kind === 'random');
    return Array.from({ length: random?.kind === 'random' ? random.modulus : 1 }, (_, n) =>
      terms.map((t) => this.#value(t, flow, n)).join(' . '),
    );
  }

  #element(set: string, key: string): string | undefined {
    const known = this.#options.learnt?.get(set)?.get(key) ?? this.#table.elements.get(set)?.get(key);
    if (known !== undefined || !this.#table.sets.find((s) => s.name === set)?.interval) return known;
    const cut = key.lastIndexOf(' . ');
    for (const [range, data] of this.#table.elements.get(set) ?? []) {
      const at = range.lastIndexOf(' . ');
      if (range.slice(0, at) !== key.slice(0, cut)) continue;
      const cidr = parseCidr(range.slice(at + 3));
      if (cidr && cidrContains(cidr, key.slice(cut + 3))) return data;
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

  #verdict(verdict: Verdict, flow: Flow): { readonly steps: Step[]; readonly leave: boolean } {
    switch (verdict.kind) {
      case 'accept':
        return { steps: [[flow, { kind: 'accept' }]], leave: true };
      case 'drop':
        return { steps: [[flow, { kind: 'dropped' }]], leave: true };
      case 'return':
        return { steps: [[flow, goOn]], leave: true };
      case 'jump':
        return { steps: this.#chain(verdict.chain, flow), leave: false };
      case 'goto':
        return { steps: this.#chain(verdict.chain, flow), leave: true };
    }
  }

  /** Runs the statements of one rule. `undefined` when one does not match: the next rule follows. */
  #rule(statements: readonly Statement[], flow: Flow): { readonly steps: Step[]; readonly leave: boolean } | undefined {
    for (const statement of statements) {
      switch (statement.kind) {
        case 'match':
          if (this.#matches(statement.term, statement.value, flow) === statement.not) return undefined;
          break;
        case 'lookup':
          if (this.#keys(statement.key, flow).some((key) => this.#element(statement.set, key) !== undefined) === statement.not)
            return undefined;
          break;
        case 'vmap': {
          const data = this.#element(statement.map, this.#keys(statement.key, flow)[0] ?? '');
          if (data === undefined) return undefined;
          return this.#verdict(parseVerdict(data), flow);
        }
        case 'dnat': {
          const steps: Step[] = [];
          for (const key of this.#keys(statement.key, flow)) {
            const data = this.#element(statement.map, key);
            if (data === undefined) continue;
            const [to = '', port = ''] = data.split(' . ');
            steps.push([{ ...flow, packet: { ...flow.packet, to, port: Number(port) }, translated: true }, { kind: 'accept' }]);
          }
          if (steps.length === 0) return undefined;
          return { steps, leave: true };
        }
        case 'update': {
          const key = this.#keys(statement.key, flow)[0] ?? '';
          const learnt = this.#options.learnt;
          const map = learnt?.get(statement.map) ?? new Map<string, string>();
          // The kernel's `update` renews an element's time and leaves its value.
          if (!map.has(key)) map.set(key, this.#keys(statement.data, flow)[0] ?? '');
          learnt?.set(statement.map, map);
          break;
        }
        case 'mark':
          if (((flow.packet.mark ?? 0) & statement.mask) !== statement.value) return undefined;
          break;
        case 'notrack':
          break;
        case 'masquerade':
          return { steps: [[{ ...flow, masqueraded: true }, { kind: 'accept' }]], leave: true };
        case 'reject':
          return { steps: [[flow, { kind: 'refused', with: statement.with }]], leave: true };
        case 'verdict':
          return this.#verdict(statement.verdict, flow);
      }
    }
    return { steps: [[flow, goOn]], leave: false };
  }

  #chain(name: string, flow: Flow): Step[] {
    const chain = this.#table.chains.find((c) => c.name === name);
    let going: Flow[] = [flow];
    const done: Step[] = [];
    for (const text of chain?.rules ?? []) {
      const next: Flow[] = [];
      for (const current of going) {
        const result = this.#rule(parseRule(text), current);
        if (!result) {
          next.push(current);
          continue;
        }
        for (const [after, outcome] of result.steps) {
          if (outcome.kind === 'continue' && !result.leave) next.push(after);
          else done.push([after, outcome]);
        }
      }
      going = next;
    }
    return [...done, ...going.map((f): Step => [f, goOn])];
  }

  hook(hook: ChainHook, flows: readonly Flow[]): { readonly flows: Flow[]; readonly end?: Outcome } {
    const bases = this.#table.chains.filter((c) => c.hook?.hook === hook).sort((a, b) => (a.hook?.priority ?? 0) - (b.hook?.priority ?? 0));
    let going = [...flows];
    for (const base of bases) {
      const steps = going.flatMap((flow) => this.#chain(base.name, flow));
      const end = steps.find(([, outcome]) => outcome.kind === 'dropped' || outcome.kind === 'refused');
      if (end) return { flows: [], end: end[1] };
      going = steps.map(([flow]) => flow);
    }
    return { flows: going };
  }
}

/** What becomes of the first packet of a connection. */
export function trace(table: Table, packet: Packet, options: TraceOptions): Fate {
  const run = new Trace(table, options);
  const start: Flow = { original: packet, packet, translated: false, masqueraded: false };
  let flows: Flow[] = [start];
  for (const hook of [packet.interface === undefined ? ('output' as const) : ('prerouting' as const), 'postrouting' as const]) {
    // What stays on the node never leaves by postrouting, unless the node sent it itself.
    const stays = hook === 'postrouting' && packet.interface !== undefined;
    const leaving = flows.filter((flow) => !stays || !options.nodeIps.includes(flow.packet.to));
    const result = run.hook(hook, leaving);
    if (result.end?.kind === 'refused') return { kind: 'refused', with: result.end.with };
    if (result.end) return { kind: 'dropped' };
    flows = [...flows.filter((flow) => !leaving.includes(flow)), ...result.flows];
  }
  const destinations = flows.map(({ packet: p, translated, masqueraded }) => ({ to: p.to, port: p.port, translated, masqueraded }));
  return { kind: 'passed', destinations };
}
