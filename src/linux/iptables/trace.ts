/**
 * Follows the first packet of a connection through the tables, by reading the rules that the kernel gets. Random choices are followed all, so
 * the result names every address the packet may be sent to. Pure.
 */
import { cidrContains, parseCidr } from '../../ip/ip.ts';
import type { Packet } from '../nftables/trace.ts';
import { stepsOf, type Trail } from '../trail.ts';
import { partsOf } from './rule.ts';
import type { Ruleset } from './ruleset.ts';

/** A rule that applied to the packet. */
export interface RuleStep {
  /** `nat KUBE-SERVICES`. */
  readonly place: string;
  readonly rule: string;
}

export interface TraceOptions {
  /** Told of every rule that applies, once for each endpoint that the packet may have been sent to by then. */
  readonly onStep?: (step: RuleStep) => void;
  /** Told of every way through the rules that the packet may take: one, where they choose nothing. */
  readonly onWay?: (steps: readonly RuleStep[]) => void;
  /** Told of a rule that cannot be followed, which is then passed over; without it the trace fails. */
  readonly onUnknown?: (step: RuleStep, why: string) => void;
  /** The node's own addresses, loopback included. */
  readonly nodeIps: readonly string[];
  /** Which clients the lists of the match `recent` have; rules that set add to it. */
  readonly recent?: Map<string, Set<string>>;
  /** Whether a packet is in a set, by what `--match-set` says. */
  readonly isInSet?: (set: string, packet: Packet, sides: string) => boolean;
}

export interface Destination {
  readonly to: string;
  readonly port: number;
  readonly masqueraded: boolean;
}

export type Fate =
  | { readonly kind: 'passed'; readonly destinations: readonly Destination[] }
  | { readonly kind: 'refused'; readonly with: 'tcp reset' | 'icmp' }
  | { readonly kind: 'dropped' };

/** A packet on its way. */
export interface Flow {
  readonly packet: Packet;
  readonly mark: number;
  readonly translated: boolean;
  readonly masqueraded: boolean;
  readonly trail?: Trail<RuleStep>;
}

/** `accept` ends a table, not the way through the others. */
export type Outcome =
  | { readonly kind: 'continue' | 'accept' | 'dropped' }
  | { readonly kind: 'refused'; readonly with: 'tcp reset' | 'icmp' };
export type Step = readonly [Flow, Outcome];
type Parts = ReturnType<typeof partsOf>;
type Part = Parts['matches'][number];

const goOn: Outcome = { kind: 'continue' };

/** `! 10.0.0.0/8`: what is asked, and whether it must not be so. */
function asked(text: string): { readonly not: boolean; readonly value: string } {
  return text.startsWith('! ') ? { not: true, value: text.slice(2) } : { not: false, value: text };
}

function inRange(range: string, ip: string): boolean {
  const cidr = parseCidr(range.includes('/') ? range : `${range}/${range.includes(':') ? 128 : 32}`);
  return cidr !== undefined && cidrContains(cidr, ip);
}

function isInterface(pattern: string, name: string): boolean {
  return pattern.endsWith('+') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

/** VALUE/MASK; no mask is all of it. */
function numbers(text: string): readonly [value: number, mask: number] {
  const [value = '0', mask = '0xffffffff'] = text.split('/');
  return [Number(value), Number(mask)];
}

/** A way through tables, chain by chain. */
export class Trace {
  readonly #rules: Ruleset;
  readonly #options: TraceOptions;

  constructor(rules: Ruleset, options: TraceOptions) {
    this.#rules = rules;
    this.#options = options;
  }

  #isBasic(name: string, value: string, { packet }: Flow): boolean {
    if (name === '-s') return inRange(value, packet.from);
    if (name === '-d') return inRange(value, packet.to);
    if (name === '-p') return value === packet.protocol;
    if (name === '-i') return isInterface(value, packet.interface ?? '');
    throw new SyntaxError(`Cannot follow a rule with "${name} ${value}"`);
  }

  #isLocal(ip: string): boolean {
    return this.#options.nodeIps.includes(ip) || inRange('127.0.0.0/8', ip);
  }

  /** One option of a match. Of a match that asks nothing, such as a comment, every option holds. */
  #holds(match: string, option: string, value: string, flow: Flow): boolean {
    const { packet } = flow;
    switch (`${match} ${option}`) {
      case 'tcp --dport':
      case 'udp --dport':
      case 'sctp --dport':
        return value === String(packet.port);
      case 'addrtype --dst-type':
        return value === 'LOCAL' && this.#isLocal(packet.to);
      case 'addrtype --src-type':
        return value === 'LOCAL' && this.#isLocal(packet.from);
      case 'conntrack --ctstate':
        return value.split(',').some((state) => state === 'NEW' || (state === 'DNAT' && flow.translated));
      case 'mark --mark': {
        const [wanted, mask] = numbers(value);
        return (flow.mark & mask) === wanted;
      }
      case 'set --match-set': {
        const [set = '', sides = ''] = value.split(' ');
        return this.#options.isInSet?.(set, packet, sides) === true;
      }
      case 'comment --comment':
      case 'nfacct --nfacct-name':
        return true;
    }
    throw new SyntaxError(`Cannot follow a rule with "-m ${match} ${option} ${value}"`);
  }

  #matches(part: Part, flow: Flow): boolean {
    // A choice may fall either way: the caller follows both.
    if (part.name === 'statistic' || part.name === 'cluster') return true;
    if (part.name === 'recent') return this.#recent(part, flow);
    return [...part.options].every(([option, text]) => {
      const { not, value } = asked(text);
      return this.#holds(part.name, option, value, flow) !== not;
    });
  }

  #recent({ options }: Part, { packet }: Flow): boolean {
    const list = options.get('--name') ?? 'DEFAULT';
    const known = this.#options.recent?.get(list) ?? new Set<string>();
    if (!options.has('--set')) return known.has(packet.from);
    this.#options.recent?.set(list, known.add(packet.from));
    return true;
  }

  #applies({ basics, matches }: Parts, flow: Flow): boolean {
    for (const [name, text] of basics) {
      const { not, value } = asked(text);
      if (this.#isBasic(name, value, flow) === not) return false;
    }
    return matches.every((part) => this.#matches(part, flow));
  }

  /** What becomes of a flow that a rule applies to: those that leave the chain, and those that meet its next rule. */
  #act(table: string, { target }: Parts, flow: Flow): { done: Step[]; next: Flow[] } {
    const leaves = (after: Flow, outcome: Outcome): { done: Step[]; next: Flow[] } => ({ done: [[after, outcome]], next: [] });
    if (!target) return { done: [], next: [flow] };
    const { name, options } = target;
    switch (name) {
      case 'ACCEPT':
        return leaves(flow, { kind: 'accept' });
      case 'DROP':
        return leaves(flow, { kind: 'dropped' });
      case 'RETURN':
        return leaves(flow, goOn);
      case 'REJECT':
        return leaves(flow, { kind: 'refused', with: options.get('--reject-with') === 'tcp-reset' ? 'tcp reset' : 'icmp' });
      case 'MASQUERADE':
        return leaves({ ...flow, masqueraded: true }, { kind: 'accept' });
      case 'DNAT':
        return leaves(this.#translated(flow, options.get('--to-destination') ?? ''), { kind: 'accept' });
      case 'MARK': {
        const [value, mask] = numbers(options.get('--set-xmark') ?? '');
        return { done: [], next: [{ ...flow, mark: (flow.mark & ~mask) ^ value }] };
      }
      default: {
        const steps = this.chain(table, name, flow);
        return {
          done: steps.filter(([, outcome]) => outcome !== goOn),
          next: steps.filter(([, outcome]) => outcome === goOn).map(([after]) => after),
        };
      }
    }
  }

  #translated(flow: Flow, destination: string): Flow {
    const colon = destination.lastIndexOf(':');
    const to = destination.slice(0, colon).replace(/^\[|\]$/g, '');
    return { ...flow, translated: true, packet: { ...flow.packet, to, port: Number(destination.slice(colon + 1)) } };
  }

  /** What becomes of a flow at a rule; undefined where the rule does not apply. */
  #meet(table: string, name: string, rule: string, parts: Parts, flow: Flow): { done: Step[]; next: Flow[] } | undefined {
    const { onStep, onUnknown } = this.#options;
    const step: RuleStep = { place: `${table} ${name}`, rule };
    try {
      if (!this.#applies(parts, flow)) return undefined;
      onStep?.(step);
      return this.#act(table, parts, { ...flow, trail: { step, before: flow.trail } });
    } catch (err) {
      if (!(err instanceof SyntaxError) || !onUnknown) throw err;
      onUnknown(step, err.message);
      return undefined;
    }
  }

  chain(table: string, name: string, flow: Flow): Step[] {
    const rules = this.#rules.get(table)?.get(name);
    if (!rules) throw new SyntaxError(`There is no chain ${name} in table ${table}`);
    const done: Step[] = [];
    let going = [flow];
    for (const rule of rules) {
      const parts = partsOf(rule);
      const isChoice = parts.matches.some(({ name }) => name === 'statistic' || name === 'cluster');
      going = going.flatMap((one) => {
        const result = this.#meet(table, name, rule, parts, one);
        if (!result) return [one];
        done.push(...result.done);
        return isChoice ? [...result.next, one] : result.next;
      });
    }
    return [...done, ...going.map((one): Step => [one, goOn])];
  }

  /** Takes flows through the built-in chain of a table. */
  hook(table: string, name: string, flows: readonly Flow[]): { readonly flows: readonly Flow[]; readonly end?: Step } {
    if (!this.#rules.get(table)?.has(name)) return { flows };
    const steps = flows.flatMap((flow) => this.chain(table, name, flow));
    const end = steps.find(([, { kind }]) => kind === 'dropped' || kind === 'refused');
    return end ? { flows: [], end } : { flows: steps.map(([flow]) => flow) };
  }
}

/** The chains that a flow meets after DNAT: what stays on the node, what passes through it, what it sends itself. */
function* wayOf({ packet }: Flow, nodeIps: readonly string[]): Generator<readonly [table: string, chain: string]> {
  const stays = nodeIps.includes(packet.to) || inRange('127.0.0.0/8', packet.to);
  if (packet.interface === undefined) yield ['filter', 'OUTPUT'];
  else yield ['filter', stays ? 'INPUT' : 'FORWARD'];
  if (packet.interface === undefined || !stays) yield ['nat', 'POSTROUTING'];
  // What the node sends itself goes out by loopback, and comes in.
  if (packet.interface === undefined && stays) yield ['filter', 'INPUT'];
}

export function fateOf(end: Outcome): Fate {
  return end.kind === 'refused' ? { kind: 'refused', with: end.with } : { kind: 'dropped' };
}

/** What becomes of the first packet of a connection. */
export function trace(rules: Ruleset, packet: Packet, options: TraceOptions): Fate {
  const run = new Trace(rules, options);
  const start: Flow = { packet, mark: packet.mark ?? 0, translated: false, masqueraded: false };
  const first = run.hook('nat', packet.interface === undefined ? 'OUTPUT' : 'PREROUTING', [start]);
  const ended = ([{ trail }, outcome]: Step): Fate => {
    options.onWay?.(stepsOf(trail));
    return fateOf(outcome);
  };
  if (first.end) return ended(first.end);
  const destinations: Destination[] = [];
  for (const flow of first.flows) {
    let going: readonly Flow[] = [flow];
    for (const [table, chain] of wayOf(flow, options.nodeIps)) {
      const result = run.hook(table, chain, going);
      if (result.end) return ended(result.end);
      going = result.flows;
    }
    if (options.onWay) for (const { trail } of going) options.onWay(stepsOf(trail));
    destinations.push(...going.map(({ packet: { to, port }, masqueraded }) => ({ to, port, masqueraded })));
  }
  return { kind: 'passed', destinations };
}
