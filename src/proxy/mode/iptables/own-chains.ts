/** Chains of Services' own as parts of changes, each for one transaction: the nft tool takes time quadratic in the chains that one names. Pure. */
import type { Chains } from '../../../linux/iptables/section.ts';
import { chainEdits, editsAtATime, type IsSame } from './chain-edits.ts';
import { firewallOf, referrersFirst } from './chain-names.ts';
import type { Part } from './changes.ts';
import { manyEndpoints } from './placement.ts';

/** So many chains are filled in one transaction. */
const chainsAtATime = 300;
/** So many rules of one chain lead to other chains in one transaction. */
const rulesAtATime: number = editsAtATime;

/** Chains of one Service that are to be written. */
export interface OwnChains {
  readonly chains: Chains;
  /** All that are wanted of the Service. */
  readonly wanted: Chains;
  /** What a chain has to which something may lead. A chain to which nothing leads is written in parts. */
  held(name: string): readonly string[] | undefined;
  /** Whether a rule that is held says what is wanted. */
  readonly isSame: IsSame;
}

/** What is done to one chain, each part by itself. */
function partsOf(name: string, rules: readonly string[], { held, isSame }: OwnChains): readonly Part[] {
  const before = held(name);
  if (!before) return rules.length > rulesAtATime ? rulesInParts(name, rules) : [{ fill: new Map([[name, rules]]) }];
  const isLong = before.length > manyEndpoints || rules.length > rulesAtATime;
  const edits = isLong ? chainEdits(before, rules, isSame) : undefined;
  // Where much of a chain that is not so long changes, it is read for nothing.
  if (!edits || (rules.length <= rulesAtATime && edits.length > rules.length / 2)) return [{ fill: new Map([[name, rules]]) }];
  return inSlices(edits).map((edit) => ({ edit: new Map([[name, edit]]) }));
}

function inSlices<T>(list: readonly T[]): T[][] {
  const slices: T[][] = [];
  for (let i = 0; i < list.length; i += rulesAtATime) slices.push(list.slice(i, i + rulesAtATime));
  return slices;
}

function rulesInParts(name: string, rules: readonly string[]): Part[] {
  return inSlices(rules).map((some, i) => ({ [i === 0 ? 'fill' : 'append']: new Map([[name, some]]) }));
}

/**
 * Chains that packets meet, of a port whose source ranges are met otherwise from now on: whom the ranges shut out before and after must not meet new chains behind old
 * ranges, or behind none. They change in one transaction.
 */
export function* metAtOnce({ chains, wanted, held }: OwnChains): Generator<string> {
  for (const name of chains.keys()) {
    const firewall = firewallOf(name);
    const isNewlyMet = wanted.has(firewall) && (chains.has(firewall) || !held(firewall));
    if (isNewlyMet && name !== firewall && held(name)) yield* chains.has(firewall) && held(firewall) ? [name, firewall] : [name];
  }
}

/** What is done to each chain, after those to which it leads. `isAll`: no other part is about that chain. */
function* ordered(service: OwnChains, later: ReadonlySet<string>): Generator<{ readonly part: Part; readonly isAll: boolean }> {
  for (const name of referrersFirst([...service.chains.keys()]).reverse()) {
    if (later.has(name)) continue;
    const parts = partsOf(name, service.chains.get(name) ?? [], service);
    for (const part of parts) yield { part, isAll: parts.length === 1 };
  }
}

/** Short chains wait until there are enough for a transaction. */
class Gathered {
  #fill = new Map<string, readonly string[]>();

  *add(part: Part, isAll: boolean): Generator<Part> {
    if (isAll && part.fill) {
      for (const [name, rules] of part.fill) this.#fill.set(name, rules);
      if (this.#fill.size >= chainsAtATime) yield* this.rest();
      return;
    }
    // A few edits go with the chains to which they lead.
    const [fill] = [...this.rest()];
    if (isAll) yield { ...fill, ...part };
    else yield* fill ? [fill, part] : [part];
  }

  *rest(more: Chains = new Map()): Generator<Part> {
    for (const [name, rules] of more) this.#fill.set(name, rules);
    if (this.#fill.size > 0) yield { fill: this.#fill };
    this.#fill = new Map();
  }
}

/** So many for a transaction. What stands behind a part may be done later: packets meet no gap. The last goes with what leads to chains. */
export function* inParts(services: Iterable<OwnChains>): Generator<Part> {
  const gathered = new Gathered();
  const atLast = new Map<string, readonly string[]>();
  for (const service of services) {
    const later = new Set(metAtOnce(service));
    for (const name of later) atLast.set(name, service.chains.get(name) ?? []);
    for (const { part, isAll } of ordered(service, later)) yield* gathered.add(part, isAll);
  }
  yield* gathered.rest(atLast);
}
