/** The result of ADD, held in the newest form and written in the version of the request (CNI spec, section 5). Pure. */
import { familyOf } from '../../ip/ip.ts';

export interface CniLink {
  readonly name: string;
  readonly mac?: string;
  readonly sandbox?: string;
  readonly mtu?: number;
  readonly socketPath?: string;
  readonly pciID?: string;
}

/** `address` with its prefix length; `interface` is an index into the links. */
export interface CniAddress {
  readonly address: string;
  readonly gateway?: string;
  readonly interface?: number;
}

export interface CniRoute {
  readonly dst: string;
  readonly gw?: string;
  readonly mtu?: number;
  readonly advmss?: number;
  readonly priority?: number;
  readonly table?: number;
  readonly scope?: number;
}

export interface CniResult {
  readonly interfaces: readonly CniLink[];
  readonly ips: readonly CniAddress[];
  readonly routes: readonly CniRoute[];
  readonly dns: Readonly<Record<string, unknown>>;
}

type Field = 'string' | 'number';
type Fields<T> = Readonly<Record<keyof T, Field>>;

const linkFields: Fields<CniLink> = {
  name: 'string',
  mac: 'string',
  sandbox: 'string',
  mtu: 'number',
  socketPath: 'string',
  pciID: 'string',
};
const addressFields: Fields<CniAddress> = { address: 'string', gateway: 'string', interface: 'number' };
const routeFields: Fields<CniRoute> = {
  dst: 'string',
  gw: 'string',
  mtu: 'number',
  advmss: 'number',
  priority: 'number',
  table: 'number',
  scope: 'number',
};
/** What a reader of 1.0.0 or before does not know. */
const since110: readonly string[] = ['mtu', 'socketPath', 'pciID', 'advmss', 'priority', 'table', 'scope'];

/** The JSON for standard output. Before 1.0.0 an address says its family. */
export function formatResult(result: CniResult, cniVersion: string): string {
  const isOld = cniVersion.startsWith('0.');
  const known = <T extends object>(row: T): object =>
    cniVersion === '1.1.0' ? row : Object.fromEntries(Object.entries(row).filter(([name]) => !since110.includes(name)));
  return JSON.stringify({
    cniVersion,
    interfaces: result.interfaces.map(known),
    ips: result.ips.map((ip) => (isOld ? { version: String(familyOf(ip.address)), ...ip } : ip)),
    routes: result.routes.map(known),
    dns: result.dns,
  });
}

/** What earlier plugins of the chain made stays in front; indexes of addresses move along. */
export function appendResult(before: CniResult | undefined, own: CniResult): CniResult {
  if (!before) return own;
  const shift = before.interfaces.length;
  return {
    interfaces: [...before.interfaces, ...own.interfaces],
    ips: [...before.ips, ...own.ips.map((ip) => (ip.interface === undefined ? ip : { ...ip, interface: ip.interface + shift }))],
    routes: [...before.routes, ...own.routes],
    dns: { ...own.dns, ...before.dns },
  };
}

/** Reads `prevResult` of any supported version; what has the wrong shape is left out. */
export function parseResult(value: Readonly<Record<string, unknown>>): CniResult {
  const { dns } = value;
  return {
    interfaces: rows<CniLink>(value.interfaces, linkFields, { name: '' }),
    ips: rows<CniAddress>(value.ips, addressFields, { address: '' }),
    routes: rows<CniRoute>(value.routes, routeFields, { dst: '' }),
    dns: typeof dns === 'object' && dns !== null ? { ...dns } : {},
  };
}

/** Of each object in a list, the fields that are known and of the right kind, over what must be there. */
function rows<T extends object>(list: unknown, fields: Fields<T>, must: T): T[] {
  if (!Array.isArray(list)) return [];
  return list
    .filter((row): row is Record<string, unknown> => typeof row === 'object' && row !== null)
    .map((row) => {
      // Fields are kept in the order of the list here, whatever the order was.
      const kept = Object.entries<Field>(fields).filter(([name, kind]) => typeof row[name] === kind);
      return { ...must, ...Object.fromEntries(kept.map(([name]) => [name, row[name]])) };
    });
}
