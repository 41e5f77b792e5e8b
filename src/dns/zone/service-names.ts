/**
 * The names of one Service: pure. After the DNS specification of Kubernetes 1.1.0 and what CoreDNS adds to it.
 * Names are relative to the zone: `web.default.svc`.
 */
import type { Endpoint, EndpointSlice, Service } from '../../api/schema/types.ts';
import { parseIp } from '../../ip/ip.ts';
import { isName } from '../message/names.ts';

export interface SrvTarget {
  readonly port: number;
  /** Relative to the zone; a name of the same Service, whose addresses go along. */
  readonly target: string;
}

/** What one name answers. */
export interface NameData {
  readonly ips?: readonly string[];
  readonly srv?: readonly SrvTarget[];
  /** An ExternalName's target, absolute. */
  readonly cname?: string;
}

export interface ServiceNames {
  /** The name of the Service itself. */
  readonly base: string;
  readonly names: ReadonlyMap<string, NameData>;
  /** Reverse names by address: the Service's own addresses, and those of its endpoints. */
  readonly pointers: ReadonlyMap<string, string>;
}

interface Growing {
  readonly ips: Set<string>;
  readonly srv: Map<string, SrvTarget>;
}

export function serviceNames(service: Service, slices: readonly EndpointSlice[]): ServiceNames {
  const { name, namespace = '' } = service.metadata;
  const base = `${name}.${namespace}.svc`.toLowerCase();
  if (service.spec?.type === 'ExternalName') {
    const cname = externalTarget(service.spec.externalName ?? '');
    return { base, names: new Map(cname === undefined ? [] : [[base, { cname }]]), pointers: new Map() };
  }
  const names = new Map<string, Growing>();
  const pointers = new Map<string, string>();
  const add = (owner: string, ips: readonly string[], srv?: SrvTarget): void => {
    const data = names.get(owner) ?? { ips: new Set(), srv: new Map() };
    names.set(owner, data);
    for (const ip of ips) data.ips.add(ip);
    if (srv) data.srv.set(`${srv.port} ${srv.target}`, srv);
  };
  const portName = (port: string, protocol: string | undefined): string => `_${port}._${protocol ?? 'TCP'}.${base}`.toLowerCase();

  const isHeadless = service.spec?.clusterIP === 'None';
  if (!isHeadless) {
    const ips = (service.spec?.clusterIPs ?? [service.spec?.clusterIP ?? '']).flatMap((ip) => parseIp(ip) ?? []);
    if (ips.length === 0) return { base, names: new Map(), pointers };
    for (const ip of ips) pointers.set(ip, base);
    add(base, ips);
    for (const { port, name: called, protocol } of service.spec?.ports ?? []) {
      add(base, [], { port, target: base });
      if (called) add(portName(called, protocol), ips, { port, target: base });
    }
  }
  // Endpoints have names of their own, also under a Service with an address.
  for (const slice of slices) {
    for (const endpoint of slice.endpoints ?? []) {
      // A missing condition means ready.
      if (endpoint.conditions?.ready === false) continue;
      for (const address of endpoint.addresses) {
        const ip = parseIp(address);
        if (ip === undefined) continue;
        const target = `${endpointLabel(endpoint, ip)}.${base}`.toLowerCase();
        add(target, [ip]);
        if (isHeadless) add(base, [ip]);
        if (pointers.get(ip) !== base) pointers.set(ip, target);
        for (const { port, name: called, protocol } of slice.ports ?? []) {
          if (!port) continue;
          const srv = { port, target };
          add(target, [], srv);
          if (!isHeadless) continue;
          add(base, [], srv);
          if (called) add(portName(called, protocol), [ip], srv);
        }
      }
    }
  }
  return { base, names: new Map([...names].map(([owner, data]) => [owner, settled(data)])), pointers };
}

function settled({ ips, srv }: Growing): NameData {
  return srv.size > 0 ? { ips: [...ips], srv: [...srv.values()] } : { ips: [...ips] };
}

/** As CoreDNS: the host name, else the address with dashes. */
function endpointLabel(endpoint: Endpoint, ip: string): string {
  if (endpoint.hostname && endpoint.hostname.length < 64) return endpoint.hostname;
  const dashed = ip.replaceAll(/[.:]/g, '-');
  // `fd00::` would end with a dash, which no host name may.
  return dashed.endsWith('-') ? `${dashed}0` : dashed;
}

/** Undefined for what cannot be the target of a CNAME: an address, or text that is no name. */
function externalTarget(text: string): string | undefined {
  const target = text.replace(/\.$/, '').toLowerCase();
  return target === '' || parseIp(target) !== undefined || !isName(target) ? undefined : target;
}
