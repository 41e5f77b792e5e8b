/** Which addresses a Service gets: pure. */
import { bigIntToIp, type Family, familyOf } from '../../ip/ip.ts';
import type { AddressBook, Claim } from './address-book.ts';
import { type AddressRange, isBuggy, type Pool, poolHas } from './pools.ts';

/** What a Service asks for. */
export interface AddressRequest {
  /** `namespace/name`. */
  readonly service: string;
  readonly families: readonly Family[];
  /** Whether an address of the first family alone will do. */
  readonly mayLackSecond: boolean;
  /** Addresses asked for by name. */
  readonly wanted: readonly string[];
  /** The pool asked for by name. */
  readonly pool: string | undefined;
  readonly namespaceLabels: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly claim: Claim;
}

export type Allocation =
  | { readonly kind: 'assigned'; readonly addresses: readonly string[]; readonly pool: Pool }
  | { readonly kind: 'refused'; readonly why: string };

/** What the Service holds already stays when it may: an address that moves breaks whoever has it in a configuration. */
export function allocate(request: AddressRequest, pools: readonly Pool[], book: AddressBook): Allocation {
  const { wanted, pool: named } = request;
  const kept = keep(request, pools, book);
  if (kept) return kept;
  if (wanted.length > 0) return byAddress(request, pools, book);
  if (named !== undefined) {
    const pool = pools.find(({ name }) => name === named);
    if (!pool) return refused(`unknown pool "${named}"`);
    if (!isFor(pool, request)) return refused(`pool "${named}" is not for this Service`);
    return fromPools(request, [pool], book) ?? refused(`no available IPs in pool "${named}"`);
  }
  const open = inOrder(pools.filter((pool) => pool.autoAssign && isFor(pool, request)));
  // What it has may be too little, and is still worth more than what another pool would give.
  const home = homeOf(request, pools, book);
  const atHome = request.mayLackSecond ? fromPools(request, home, book) : undefined;
  return atHome ?? fromPools(request, [...home, ...open], book) ?? refused('no available IPs');
}

/** The pool of what it holds. */
function homeOf(request: AddressRequest, pools: readonly Pool[], book: AddressBook): Pool[] {
  const held = book.addressesOf(request.service);
  const pool = held.length > 0 ? poolOf(request, pools, held) : undefined;
  return pool ? [pool] : [];
}

function refused(why: string): Allocation {
  return { kind: 'refused', why };
}

/** In the order of the Service's families: by the first one of them a node is chosen to tell of all. */
function assigned({ families }: AddressRequest, addresses: readonly string[], pool: Pool): Allocation {
  const place = (ip: string): number => families.indexOf(familyOf(ip));
  return { kind: 'assigned', addresses: addresses.toSorted((a, b) => place(a) - place(b)), pool };
}

/** Those that it holds, when nothing speaks against them. */
function keep(request: AddressRequest, pools: readonly Pool[], book: AddressBook): Allocation | undefined {
  const { service, wanted, claim } = request;
  const held = book.addressesOf(service);
  const isWhole = request.families.length === held.length && request.families.every((family) => held.some((ip) => familyOf(ip) === family));
  if (!isWhole || (wanted.length > 0 && wanted.toSorted().join() !== held.toSorted().join())) return undefined;
  const pool = poolOf(request, pools, held);
  return pool && held.every((ip) => book.refusal(ip, service, claim) === undefined) ? assigned(request, held, pool) : undefined;
}

/** The pool that has all of them and is for this Service. */
function poolOf(request: AddressRequest, pools: readonly Pool[], addresses: readonly string[]): Pool | undefined {
  const open = pools.filter((pool) => isFor(pool, request) && (request.pool === undefined || pool.name === request.pool));
  return open.find((pool) => addresses.every((ip) => poolHas(pool, ip)));
}

function byAddress(request: AddressRequest, pools: readonly Pool[], book: AddressBook): Allocation {
  const { service, families, wanted, claim } = request;
  const given = wanted.map(familyOf);
  const fits = given.length <= families.length && new Set(given).size === given.length && given.every((one) => families.includes(one));
  if (!fits || (given.length < families.length && !request.mayLackSecond))
    return refused(`requested address ${quoted(wanted)} does not match the ipFamilies of the Service`);
  const pool = poolOf(request, pools, wanted);
  if (!pool) return refused(`${quoted(wanted)} is not allowed in config`);
  const why = wanted.map((ip) => book.refusal(ip, service, claim)).find((one) => one !== undefined);
  return why === undefined ? assigned(request, wanted, pool) : refused(why);
}

function quoted(addresses: readonly string[]): string {
  return JSON.stringify(addresses.length === 1 ? addresses[0] : addresses);
}

/** Addresses of both families come from one pool: routers and firewalls are told of pools. */
function fromPools(request: AddressRequest, pools: readonly Pool[], book: AddressBook): Allocation | undefined {
  const [first] = request.families;
  const wishes = request.mayLackSecond && first !== undefined ? [request.families, [first]] : [request.families];
  for (const families of wishes)
    for (const pool of pools) {
      const found = families.map((family) => firstFree(request, pool, family, book));
      if (found.every((ip) => ip !== undefined)) return assigned(request, found, pool);
    }
  return undefined;
}

function firstFree(request: AddressRequest, pool: Pool, family: Family, book: AddressBook): string | undefined {
  const { service, claim } = request;
  const mayHave = (ip: string): boolean => familyOf(ip) === family && poolHas(pool, ip) && book.refusal(ip, service, claim) === undefined;
  // What it had, then what others of its key have: both save addresses. Only then a free one.
  const known = [...book.addressesOf(service), ...(claim.sharingKey === '' ? [] : book.sharedBy(claim.sharingKey))];
  return known.find(mayHave) ?? unused(pool, family, book);
}

function unused(pool: Pool, family: Family, book: AddressBook): string | undefined {
  for (const range of pool.ranges) {
    if (range.family !== family) continue;
    for (const ip of addressesIn(range)) if (!book.isTaken(ip) && !(pool.avoidBuggyIps && isBuggy(ip))) return ip;
  }
  return undefined;
}

function* addressesIn({ family, first, last }: AddressRange): Generator<string> {
  for (let value = first; value <= last; value++) yield bigIntToIp(value, family);
}

/** Whether the pool is for a Service of this kind; of several conditions each must hold, as in MetalLB. */
function isFor({ namespaces, namespaceSelectors, serviceSelectors }: Pool, { service, namespaceLabels, labels }: AddressRequest): boolean {
  const [namespace = ''] = service.split('/');
  const isOurs =
    (namespaces === undefined && namespaceSelectors === undefined) ||
    (namespaces?.includes(namespace) ?? false) ||
    (namespaceSelectors?.some((selector) => selector.matches(namespaceLabels)) ?? false);
  return isOurs && (serviceSelectors?.some((selector) => selector.matches(labels)) ?? true);
}

/** Pools that are for some come before those for all, then the lowest priority, 0 last. */
function inOrder(pools: readonly Pool[]): Pool[] {
  const isOpen = ({ namespaces, namespaceSelectors, serviceSelectors }: Pool): boolean =>
    namespaces === undefined && namespaceSelectors === undefined && serviceSelectors === undefined;
  const rank = ({ priority }: Pool): number => (priority === 0 ? Number.POSITIVE_INFINITY : priority);
  return pools.toSorted((a, b) => Number(isOpen(a)) - Number(isOpen(b)) || (rank(a) === rank(b) ? 0 : rank(a) - rank(b)));
}
