/**
 * Who may come, where not everybody may: each list of ranges is one chain, and one set where it is long, named by what is in it, for all frontends that have
 * this list. The kernel takes time quadratic in a set of ranges of concatenations (nft_set_pipapo), and but linear in one of plain addresses. A list never changes:
 * another one is another chain, to which the frontend is led once all is there. Pure.
 */
import { createHash } from 'node:crypto';
import type { Chain, SetDeclaration } from '../../../linux/nftables/table.ts';
import type { NodeContext } from '../../plan/node-context.ts';
import type { Frontend } from '../../plan/service-plan.ts';
import { dropVerdict } from './counting.ts';

export interface SourceList {
  /** The chain. */
  readonly name: string;
  /** As nft and the kernel write them: one address without its length. */
  readonly ranges: readonly string[];
}

const chainPrefix = 'sources-';
const setPrefix = 'ranges-';

/** Nobody can seek out another list of the same name. */
const nameLength = 24;

/** A node that may come reaches a load balancer's address from the address itself: that is no part of a list that others have, too. */
export function isOwnSource(frontend: Pick<Frontend, 'ip' | 'sources'>): boolean {
  const { ip, sources = [] } = frontend;
  return ip !== undefined && sources.length > 1 && sources.includes(`${ip}/${ip.includes(':') ? 128 : 32}`);
}

/** By the plan's list, which all ports of an address share, and the address where it is left out. */
const lists = new WeakMap<readonly string[], Map<string, SourceList>>();

/** Undefined when everybody may come, and when nobody may. */
export function sourceListOf(frontend: Pick<Frontend, 'ip' | 'sources'>): SourceList | undefined {
  const { sources = [] } = frontend;
  if (sources.length === 0) return undefined;
  const own = isOwnSource(frontend) ? (frontend.ip ?? '') : '';
  const known = lists.get(sources)?.get(own);
  if (known) return known;
  const ranges = sources.map((range) => range.replace(range.includes(':') ? /\/128$/ : /\/32$/, '')).filter((range) => range !== own);
  const name = `${chainPrefix}${createHash('sha256').update(ranges.join()).digest('hex').slice(0, nameLength)}`;
  const list = { name, ranges };
  lists.set(sources, new Map([...(lists.get(sources) ?? []), [own, list]]));
  return list;
}

/**
 * A list of so few ranges has a rule for each and no set: the kernel finds a set by comparing the names of all (nft_set_lookup()), so that many small ones
 * take it quadratic time. Chains it finds by a hash.
 */
export const mostRules = 8;

/** The set of a list by its chain's name. */
function rangesName(list: string): string {
  return `${setPrefix}${list.slice(chainPrefix.length)}`;
}

function rangesSet(name: string, { family }: Pick<NodeContext, 'family'>): SetDeclaration {
  return { name, key: [family === 'ip' ? 'ipv4_addr' : 'ipv6_addr'], interval: true };
}

/** The declaration of a set of this name; undefined when it is no list's. */
export function asRangesSet(name: string, node: Pick<NodeContext, 'family'>): SetDeclaration | undefined {
  return name.startsWith(setPrefix) ? rangesSet(name, node) : undefined;
}

export function isSourceList(chain: string): boolean {
  return chain.startsWith(chainPrefix);
}

/** The chain of a list, and its set where it has one. */
export function sourceChain(
  { name, ranges }: SourceList,
  node: Pick<NodeContext, 'family' | 'countsConnections'>,
): { chain: Chain; set?: SetDeclaration } {
  const { family } = node;
  const own = `${family} daddr . meta l4proto . th dport . ${family} saddr != @own-sources ${dropVerdict(node)}`;
  if (ranges.length <= mostRules) return { chain: { name, rules: [...ranges.map((range) => `${family} saddr ${range} return`), own] } };
  const set = rangesSet(rangesName(name), node);
  return { chain: { name, rules: [`${family} saddr != @${set.name} ${own}`] }, set };
}

/** Whose a list is, by the names of its set and its chain; undefined for one that several Services have. */
export class ListOwners {
  readonly #owners = new Map<string, string | undefined>();

  constructor(plans: Iterable<{ readonly key: string; readonly ports: readonly { readonly frontends: readonly Frontend[] }[] }>) {
    for (const { key, ports } of plans)
      for (const frontend of ports.flatMap((port) => port.frontends)) {
        const list = sourceListOf(frontend);
        if (!list) continue;
        for (const name of [list.name, rangesName(list.name)]) {
          const isShared = this.#owners.has(name) && this.#owners.get(name) !== key;
          this.#owners.set(name, isShared ? undefined : key);
        }
      }
  }

  of(name: string): string | undefined {
    return this.#owners.get(name);
  }
}
