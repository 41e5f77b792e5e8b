/** The result of ADD, held in the newest form and written in the version of the request (CNI spec, section 5). Pure. */
import { familyOf } from '../../ip/ip.ts';

export interface CniResult {
  readonly interfaces: readonly { readonly name: string; readonly mac: string; readonly mtu?: number; readonly sandbox?: string }[];
  /** `address` with its prefix length; `interface` is an index into `interfaces`. */
  readonly ips: readonly { readonly address: string; readonly gateway?: string; readonly interface?: number }[];
  readonly routes: readonly { readonly dst: string; readonly gw?: string }[];
  readonly dns: Readonly<Record<string, unknown>>;
}

/** The JSON for standard output. Before 1.0.0 an address says its family; a link's MTU came with 1.1.0. */
export function formatResult(result: CniResult, cniVersion: string): string {
  const old = cniVersion.startsWith('0.');
  return JSON.stringify({
    cniVersion,
    interfaces: result.interfaces.map(({ mtu, ...link }) => (mtu !== undefined && cniVersion === '1.1.0' ? { ...link, mtu } : link)),
    ips: result.ips.map((ip) => (old ? { version: String(familyOf(ip.address)), ...ip } : ip)),
    routes: result.routes,
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
  const rows = (field: string): Record<string, unknown>[] => {
    const list = value[field];
    return Array.isArray(list) ? list.filter((e): e is Record<string, unknown> => typeof e === 'object' && e !== null) : [];
  };
  const dns = value.dns;
  return {
    interfaces: rows('interfaces').map((i) => ({
      name: String(i.name ?? ''),
      mac: String(i.mac ?? ''),
      ...(typeof i.mtu === 'number' ? { mtu: i.mtu } : {}),
      ...(typeof i.sandbox === 'string' ? { sandbox: i.sandbox } : {}),
    })),
    ips: rows('ips').map((i) => ({
      address: String(i.address ?? ''),
      ...(typeof i.gateway === 'string' ? { gateway: i.gateway } : {}),
      ...(typeof i.interface === 'number' ? { interface: i.interface } : {}),
    })),
    routes: rows('routes').map((r) => ({ dst: String(r.dst ?? ''), ...(typeof r.gw === 'string' ? { gw: r.gw } : {}) })),
    dns: typeof dns === 'object' && dns !== null ? { ...dns } : {},
  };
}
