/** The result of ADD, held in the newest form and written in the version of the request (CNI spec, section 5). Pure. */
import { familyOf } from '../../ip/ip.ts';

const linkFields = { name: 'string', mac: 'string', sandbox: 'string', mtu: 'number', socketPath: 'string', pciID: 'string' } as const;
/** `address` has its prefix length; `interface` is an index into the links. */
const addressFields = { address: 'string', gateway: 'string', interface: 'number' } as const;
const routeFields = {
  dst: 'string',
  gw: 'string',
  mtu: 'number',
  advmss: 'number',
  priority: 'number',
  table: 'number',
  scope: 'number',
} as const;

type Field = 'string' | 'number';
type Fields = Readonly<Record<string, Field>>;
type Value<F extends Field> = F extends 'number' ? number : string;
/** A row with these fields, of which the one named `Must` is always there. */
type Row<F extends Fields, Must extends keyof F> = { readonly [K in Must]: Value<F[K]> } & {
  readonly [K in Exclude<keyof F, Must>]?: Value<F[K]>;
};

export type CniLink = Row<typeof linkFields, 'name'>;
export type CniAddress = Row<typeof addressFields, 'address'>;
export type CniRoute = Row<typeof routeFields, 'dst'>;

export interface CniResult {
  readonly interfaces: readonly CniLink[];
  readonly ips: readonly CniAddress[];
  readonly routes: readonly CniRoute[];
  readonly dns: Readonly<Record<string, unknown>>;
}

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
function rows<T extends object>(list: unknown, fields: Fields, must: T): T[] {
  if (!Array.isArray(list)) return [];
  return list
    .filter((row): row is Record<string, unknown> => typeof row === 'object' && row !== null)
    .map((row) => {
      // Fields are kept in the order of the list here, whatever the order was.
      const kept = Object.entries(fields).filter(([name, kind]) => typeof row[name] === kind);
      return { ...must, ...Object.fromEntries(kept.map(([name]) => [name, row[name]])) };
    });
}
