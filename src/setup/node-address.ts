/** The addresses under which the other nodes reach this machine, one of each family: by its routes or its networks, never by the name of a link. */
import { networkInterfaces } from 'node:os';
import { readIfThere } from '../bootstrap/secret-file.ts';
import { KnownError } from '../errors/known-error.ts';
import { type Cidr, cidrContains, type Family, familyOf, mustCidr, parseCidr, parseIp } from '../ip/ip.ts';
import { addressForOthers, defaultSource, sourceAddressTo } from '../linux/source-address.ts';
import { addressTable, parseTemporary } from '../linux/temporary-addresses.ts';

/** Each is one, or one of each family with a comma between them. */
export interface AddressWish {
  /** The very addresses. */
  readonly address?: string | undefined;
  /** The networks that they are in. */
  readonly cidr?: string | undefined;
  /** By which it is known already; each is taken where nothing is asked for, as long as the machine has it. */
  readonly before?: string | undefined;
}

/** Those that other machines know, by link; of IPv4 first. */
function addressesByLink(): string[][] {
  return Object.values(networkInterfaces()).map((all = []) => {
    const known = all.filter(({ internal, scopeid }) => !internal && !scopeid).map(({ address }) => address);
    return known.toSorted((one, other) => familyOf(one) - familyOf(other));
  });
}

function inOrder(links: MachineAddresses['links']): string[] {
  return links.flat().toSorted((one, other) => familyOf(one) - familyOf(other));
}

export function ownAddresses(): string[] {
  return inOrder(addressesByLink());
}

/** The networks, with their prefixes, on the links that have these addresses of this machine. */
export function networksOf(addresses: readonly string[], interfaces: Interfaces = networkInterfaces()): string[] {
  return Object.values(interfaces).flatMap((link = []) => {
    const ranges = link.flatMap(({ cidr }) => (cidr ? [mustCidr(cidr)] : []));
    return link.flatMap(({ address, cidr }) =>
      cidr && addresses.includes(address) ? [networkAround(address, mustCidr(cidr), ranges).text] : [],
    );
  });
}

type Interfaces = Readonly<Record<string, readonly { readonly address: string; readonly cidr: string | null }[] | undefined>>;

/** An address of IPv6 comes from DHCPv6 as a /128: whatever network the link has, another of its addresses may tell. */
function networkAround(address: string, own: Cidr, ofLink: readonly Cidr[]): Cidr {
  return isLone(own) ? (ofLink.find((range) => !isLone(range) && cidrContains(range, address)) ?? own) : own;
}

function isLone({ family, prefix }: Cidr): boolean {
  return family === 6 && prefix === 128;
}

/** Those of a family that tell what else is on the link. Pure. */
export function networksOfLink(networks: readonly string[], family: Family): Cidr[] {
  return networks.map(mustCidr).filter((range) => range.family === family && !isLone(range));
}

/** Whether an address is in none of the networks, some of which are of its family: it is on another link then. Pure. */
export function isFar(ip: string, networks: readonly string[]): boolean {
  const own = networksOfLink(networks, familyOf(ip));
  return own.length > 0 && !own.some((range) => cidrContains(range, ip));
}

/**
 * Which of `own` were asked for; a network counts where no address of its family was named, and of its addresses only `lasting` ones. Pure.
 * Throws BAD_CONFIG.
 */
export function wishedAddresses({ address, cidr }: AddressWish, own: readonly string[], lasting: readonly string[] = own): string[] {
  const named = listOf(address, 'the address of this node').map((text) => {
    const ip = parseIp(text) ?? text;
    if (own.includes(ip)) return ip;
    throw new KnownError('BAD_CONFIG', `Cannot use "${text}" as the address of this node: this machine does not have it`, {
      hint: hintOf(own),
    });
  });
  const isNamed = (text: string): boolean => named.some((ip) => familyOf(ip) === familyOf(text));
  const networks = listOf(cidr, '--node-cidr').filter((text) => !isNamed(text));
  return [...named, ...networks.map((text) => addressIn(networkOf(text), lasting))];
}

function hintOf(own: readonly string[]): string {
  return own.length > 0 ? `It has ${own.join(', ')}` : 'It has none but loopback';
}

function listOf(text: string | undefined, what: string): string[] {
  const words = text?.split(',').map((word) => word.trim()) ?? [];
  if (new Set(words.map(familyOf)).size === words.length) return words;
  throw new KnownError('BAD_CONFIG', `Cannot use "${text}" as ${what}: it is not one, or one of each family`, {
    hint: 'Write it as IPV4,IPV6',
  });
}

function networkOf(text: string): Cidr {
  const range = parseCidr(text);
  if (range && text.includes('/')) return range;
  throw new KnownError('USAGE', `Cannot use --node-cidr="${text}": it is no range of addresses`, { hint: '--node-cidr 192.168.56.0/24' });
}

function addressIn(range: Cidr, own: readonly string[]): string {
  const [found, second] = own.filter((one) => cidrContains(range, one));
  if (found === undefined)
    throw new KnownError('BAD_CONFIG', `Cannot find the address of this node: it has none in --node-cidr ${range.text}`, {
      hint: hintOf(own),
    });
  if (second !== undefined)
    throw new KnownError(
      'BAD_CONFIG',
      `Cannot tell the address of this node: ${found} and ${second} are both in --node-cidr ${range.text}`,
      {
        hint: `Say which: --node-ip ${found}`,
      },
    );
  return found;
}

/** Those of a family on the link that has `first`, where the nodes meet; without any there those of other links. Pure. */
export function addressesBeside(first: string | undefined, family: Family, links: readonly (readonly string[])[]): string[] {
  const near = links.find((all) => first !== undefined && all.includes(first)) ?? [];
  const isOf = (ip: string): boolean => familyOf(ip) === family;
  return near.some(isOf) ? near.filter(isOf) : links.flat().filter(isOf);
}

/** What is asked of a machine. */
export interface MachineAddresses {
  /** Of each link. */
  readonly links: readonly (readonly string[])[];
  /** Those that end by themselves, from which the kernel likes best to speak: the day after nobody would find the node there. */
  readonly temporary: ReadonlySet<string>;
  readonly sourceTo: typeof sourceAddressTo;
}

/**
 * The address of the control plane goes to another machine when this one dies, and the kernel likes to speak from it, as it does from whichever address of
 * IPv6 came last. Undefined where this machine has no other in its network. Pure.
 */
function movingAddress(endpoint: string | undefined, { links, temporary }: MachineAddresses): string | undefined {
  const ip = parseIp(endpoint ?? '');
  if (ip === undefined || familyOf(ip) === 4) return undefined;
  const others = links.flat().filter((other) => other !== ip && !temporary.has(other));
  return besideIn64(ip, others) === undefined ? undefined : ip;
}

/** One of the same network. */
function besideIn64(ip: string, others: readonly string[]): string | undefined {
  const network = mustCidr(`${ip}/64`);
  return others.find((other) => cidrContains(network, other));
}

/** In place of one that goes: of those that stay on its link one of the same network, else any. Pure. */
function lastingFor(ip: string, lasting: readonly string[]): string | undefined {
  return besideIn64(ip, lasting) ?? lasting[0];
}

/**
 * `families`: of the cluster, as far as they are known; one that this machine has no address of is left out. Addresses that were asked for stay first,
 * others come in the order of the families. `host`: of the control plane, to which the route is asked; without, the default route counts, and then
 * the first address there is. `endpoint`: the address or name of the control plane where that may go to another machine, which init and join know alone.
 */
export async function nodeAddresses(wish: AddressWish, families: readonly Family[], host?: string, endpoint?: string): Promise<string[]> {
  const temporary = parseTemporary((await readIfThere(addressTable)) ?? '');
  return await chooseAddresses({ links: addressesByLink(), temporary, sourceTo: sourceAddressTo }, wish, families, host, endpoint);
}

/** Of each family the first that the machine still has. */
function knownBefore(text: string | undefined, own: readonly string[]): string[] {
  const there = (text ?? '').split(',').flatMap((word) => own.find((ip) => ip === parseIp(word.trim())) ?? []);
  return there.filter((ip, i) => there.findIndex((other) => familyOf(other) === familyOf(ip)) === i);
}

export async function chooseAddresses(
  machine: MachineAddresses,
  wish: AddressWish,
  families: readonly Family[],
  host?: string,
  endpoint?: string,
): Promise<string[]> {
  const { links } = machine;
  const moving = movingAddress(endpoint, machine);
  const goes = (ip: string): boolean => ip === moving || machine.temporary.has(ip);
  const lasting = (all: readonly string[]): string[] => all.filter((ip) => !goes(ip));
  const sourceTo = async (to: string): Promise<string | undefined> => {
    const ip = await machine.sourceTo(to);
    return ip !== undefined && goes(ip) ? (lastingFor(ip, lasting(addressesBeside(ip, 6, links))) ?? ip) : ip;
  };
  const own = inOrder(links);
  const wished = wishedAddresses(wish, own, lasting(own));
  const named = wished.length > 0 ? wished : knownBefore(wish.before, own);
  const [first = await addressForOthers(host === undefined ? [] : [host], lasting(own), sourceTo), second] = named;
  const has = new Map([first, second].flatMap((ip) => (ip === undefined ? [] : [[familyOf(ip), ip] as const])));
  for (const family of families) {
    if (has.has(family)) continue;
    const [beside, byRoute] = [lasting(addressesBeside(first, family, links)), await defaultSource(family, sourceTo)];
    const found = beside.find((ip) => ip === byRoute) ?? beside[0];
    if (found !== undefined) has.set(family, found);
  }
  return named.length > 0 || families.length === 0 ? [...has.values()] : families.flatMap((family) => has.get(family) ?? []);
}
