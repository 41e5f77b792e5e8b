/**
 * Pools of addresses, read from the configuration that MetalLB had before its custom resources (`address-pools`), with the choices of its
 * IPAddressPool added: who may use a pool, and in which order. Pure.
 */

import type { LabelSelector } from '../../api/schema/types.ts';
import { labelSelectorOf, type Selector } from '../../api/selector/label.ts';
import { KnownError, messageOf } from '../../errors/known-error.ts';
import { type Family, familyOf, ipToBigInt, parseCidr, parseIp } from '../../ip/ip.ts';

export interface AddressRange {
  readonly family: Family;
  readonly first: bigint;
  readonly last: bigint;
  /** As it was written. */
  readonly text: string;
}

/** What somebody has written. */
export type Fields = Readonly<Record<string, unknown>>;

/** `layer2`: one node answers ARP or NDP for an address. `routed`: routers have routes to the nodes, and nobody announces anything. */
export type Protocol = 'layer2' | 'routed';

export interface Pool {
  readonly name: string;
  readonly ranges: readonly AddressRange[];
  readonly protocol: Protocol;
  /** Whether a Service that asks for nothing may get an address of it. */
  readonly autoAssign: boolean;
  /** Leaves out .0 and .255, which some old routers and firmware take for broadcast. */
  readonly avoidBuggyIps: boolean;
  /** The lowest first, as of MetalLB's pools; 0 comes last. */
  readonly priority: number;
  /** Who may use it, each a choice of several; undefined for everybody. */
  readonly namespaces: readonly string[] | undefined;
  readonly namespaceSelectors: readonly Selector[] | undefined;
  readonly serviceSelectors: readonly Selector[] | undefined;
  /** Which nodes may answer for its addresses, a choice of several; undefined for all. */
  readonly nodeSelectors: readonly Selector[] | undefined;
  /** Names of the links on which they do; undefined for all. */
  readonly interfaces: readonly string[] | undefined;
}

const example = 'address-pools: [{name: default, protocol: layer2, addresses: [192.0.2.200-192.0.2.220]}]';

export function wrongPools(why: string): KnownError {
  return new KnownError('BAD_CONFIG', `Cannot use the address pools: ${why}`, { hint: `Write them as ${example}` });
}

/** `192.0.2.10-192.0.2.20`, a CIDR or an address; undefined for anything else. */
export function parseRange(text: string): AddressRange | undefined {
  const [from = '', to, ...rest] = text.split('-').map((word) => word.trim());
  if (rest.length > 0) return undefined;
  if (to === undefined) {
    const cidr = parseCidr(from);
    return cidr && { family: cidr.family, first: cidr.first, last: cidr.last, text };
  }
  const [first, last] = [parseIp(from), parseIp(to)];
  if (first === undefined || last === undefined || familyOf(first) !== familyOf(last)) return undefined;
  const range = { family: familyOf(first), first: ipToBigInt(first), last: ipToBigInt(last), text };
  return range.first <= range.last ? range : undefined;
}

export function rangeHas({ family, first, last }: AddressRange, ip: string): boolean {
  if (familyOf(ip) !== family) return false;
  const value = ipToBigInt(ip);
  return first <= value && value <= last;
}

/** Whether an address is one that `avoid-buggy-ips` leaves out. */
export function isBuggy(ip: string): boolean {
  return /^[\d.]+\.(0|255)$/.test(ip);
}

export function poolHas(pool: Pool, ip: string): boolean {
  return !(pool.avoidBuggyIps && isBuggy(ip)) && pool.ranges.some((range) => rangeHas(range, ip));
}

/** One pool, called `default`, of ranges as a flag has them. Throws BAD_CONFIG. */
export function poolOfRanges(ranges: readonly string[]): Pool[] {
  return ranges.length === 0 ? [] : readPools({ 'address-pools': [{ name: 'default', protocol: 'layer2', addresses: ranges }] });
}

/** Pools of a parsed file. Throws BAD_CONFIG for what it does not know, as a pool that is half understood gives out the wrong addresses. */
export function readPools(file: unknown): Pool[] {
  const { 'address-pools': list = [], ...others } = fieldsOf(file ?? {}, 'the file');
  refuseOthers(others, 'the file');
  if (!Array.isArray(list)) throw wrongPools('"address-pools" is no list');
  const pools = list.map((one, at) => readPool(one, `pool ${at + 1}`));
  for (const [at, pool] of pools.entries()) {
    for (const earlier of pools.slice(0, at)) {
      if (earlier.name === pool.name) throw wrongPools(`there are two pools "${pool.name}"`);
      refuseOverlap(pool, earlier);
    }
  }
  return pools;
}

function refuseOverlap(pool: Pool, earlier: Pool): void {
  for (const range of pool.ranges)
    for (const other of earlier.ranges)
      if (range.family === other.family && range.first <= other.last && other.first <= range.last)
        throw wrongPools(`"${range.text}" of pool "${pool.name}" overlaps "${other.text}" of pool "${earlier.name}"`);
}

function readPool(value: unknown, place: string): Pool {
  const fields = fieldsOf(value, place);
  const {
    name,
    protocol = 'layer2',
    addresses,
    'auto-assign': autoAssign = true,
    'avoid-buggy-ips': avoidBuggyIps = false,
    'service-allocation': allocation = {},
    'node-selectors': nodeSelectors,
    interfaces,
    ...others
  } = fields;
  if (typeof name !== 'string' || name === '') throw wrongPools(`${place} has no name`);
  const called = `pool "${name}"`;
  refuseOthers(others, called);
  if (protocol === 'bgp')
    throw wrongPools(`${called} has protocol "bgp", which nobody speaks here; with routes of your own it is "routed"`);
  if (protocol !== 'layer2' && protocol !== 'routed')
    throw wrongPools(`${called} has protocol ${JSON.stringify(protocol)}, not layer2 or routed`);
  if (typeof autoAssign !== 'boolean' || typeof avoidBuggyIps !== 'boolean')
    throw wrongPools(`a choice of ${called} is neither true nor false`);
  const announcing = {
    nodeSelectors: listOf(nodeSelectors, `node-selectors of ${called}`)?.map((one) => selectorIn(one, called)),
    interfaces: listOf(interfaces, `interfaces of ${called}`)?.map(String),
  };
  const ranges = readRanges(addresses, called);
  return { name, ranges, protocol, autoAssign, avoidBuggyIps, ...readAllocation(allocation, called), ...announcing };
}

function readRanges(addresses: unknown, called: string): AddressRange[] {
  if (!Array.isArray(addresses) || addresses.length === 0) throw wrongPools(`${called} has no addresses`);
  return addresses.map((text) => {
    const range = parseRange(String(text));
    if (range === undefined) throw wrongPools(`"${text}" of ${called} is neither a range nor a CIDR`);
    return range;
  });
}

function readAllocation(value: unknown, called: string): Pick<Pool, 'priority' | 'namespaces' | 'namespaceSelectors' | 'serviceSelectors'> {
  const allocation = fieldsOf(value, `service-allocation of ${called}`);
  const { priority = 0, namespaces, 'namespace-selectors': inNamespaces, 'service-selectors': ofServices, ...others } = allocation;
  refuseOthers(others, `service-allocation of ${called}`);
  if (!Number.isInteger(priority) || (priority as number) < 0) throw wrongPools(`the priority of ${called} is no whole number`);
  return {
    priority: priority as number,
    namespaces: listOf(namespaces, `namespaces of ${called}`)?.map(String),
    namespaceSelectors: listOf(inNamespaces, `namespace-selectors of ${called}`)?.map((one) => selectorIn(one, called)),
    serviceSelectors: listOf(ofServices, `service-selectors of ${called}`)?.map((one) => selectorIn(one, called)),
  };
}

export function listOf(value: unknown, what: string): readonly unknown[] | undefined {
  if (value === undefined) return undefined;
  if (!Array.isArray(value)) throw wrongPools(`${what} are no list`);
  return value;
}

/** As a LabelSelector, in the file's spelling. */
export function selectorIn(value: unknown, called: string): Selector {
  const what = `a selector of ${called}`;
  const { 'match-labels': labels = {}, 'match-expressions': expressions, ...others } = fieldsOf(value, what);
  refuseOthers(others, what);
  const matchLabels = Object.fromEntries(
    Object.entries(fieldsOf(labels, `match-labels of ${called}`)).map(([key, text]) => [key, String(text)]),
  );
  const matchExpressions = listOf(expressions, `match-expressions of ${called}`) as LabelSelector['matchExpressions'];
  try {
    return labelSelectorOf({ matchLabels, ...(matchExpressions ? { matchExpressions } : {}) });
  } catch (err) {
    throw wrongPools(`${what}: ${messageOf(err)}`);
  }
}

export function fieldsOf(value: unknown, what: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrongPools(`${what} has no fields`);
  return value as Fields;
}

export function refuseOthers(others: object, what: string): void {
  const [name] = Object.keys(others);
  if (name !== undefined) throw wrongPools(`${what} has a field "${name}", which means nothing here`);
}
