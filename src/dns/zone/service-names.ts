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

export function serviceNames(service: Service, slices: readonly EndpointSlice[]): ServiceNames {
  const { name, namespace = '' } = service.metadata;
  const { type, externalName = '', clusterIP, clusterIPs = [clusterIP ?? ''], ports = [] } = service.spec ?? {};
  const base = `${name}.${namespace}.svc`.toLowerCase();
  if (type === 'ExternalName') {
    const cname = externalTarget(externalName);
    return { base, names: new Map(cname === undefined ? [] : [[base, { cname }]]), pointers: new Map() };
  }
  const names = new GrowingNames(base);
  const isHeadless = clusterIP === 'None';
  if (!isHeadless) {
    const ips = clusterIPs.flatMap((ip) => parseIp(ip) ?? []);
    // It waits for its address.
    if (ips.length === 0) return { base, names: new Map(), pointers: new Map() };
    names.addService(ips, ports);
  }
  // Endpoints have names of their own, also under a Service with an address.
  // Go writes an empty list as null.
  for (const slice of slices)
    for (const endpoint of (slice.endpoints ?? []).filter(isReady)) names.addEndpoint(endpoint, slice.ports ?? [], isHeadless);
  return names.settled();
}

/** A missing condition means ready. */
function isReady(endpoint: Endpoint): boolean {
  return endpoint.conditions?.ready !== false;
}

interface Port {
  readonly name?: string | undefined;
  readonly port?: number | undefined;
  readonly protocol?: string | undefined;
}

/** The names of one Service while they are gathered. */
class GrowingNames {
  readonly #base: string;
  readonly #names = new Map<string, { readonly ips: Set<string>; readonly srv: Map<string, SrvTarget> }>();
  readonly #pointers = new Map<string, string>();

  constructor(base: string) {
    this.#base = base;
  }

  addService(ips: readonly string[], ports: readonly Port[]): void {
    for (const ip of ips) this.#pointers.set(ip, this.#base);
    this.#add(this.#base, ips);
    for (const port of ports) this.#addPort(port, ips, this.#base);
  }

  /** Of a headless Service each endpoint is an answer for the Service itself, too. */
  addEndpoint(endpoint: Endpoint, ports: readonly Port[], isHeadless: boolean): void {
    for (const ip of endpoint.addresses.flatMap((address) => parseIp(address) ?? [])) {
      const target = `${endpointLabel(endpoint, ip)}.${this.#base}`.toLowerCase();
      this.#add(target, [ip]);
      // An address of the Service leads to the Service.
      if (this.#pointers.get(ip) !== this.#base) this.#pointers.set(ip, target);
      for (const { port } of ports) if (port) this.#add(target, [], { port, target });
      if (!isHeadless) continue;
      this.#add(this.#base, [ip]);
      for (const port of ports) this.#addPort(port, [ip], target);
    }
  }

  /** A port of the Service: its SRV leads to `target`. */
  #addPort({ name, port, protocol = 'TCP' }: Port, ips: readonly string[], target: string): void {
    if (!port) return;
    this.#add(this.#base, [], { port, target });
    if (name) this.#add(`_${name}._${protocol}.${this.#base}`.toLowerCase(), ips, { port, target });
  }

  #add(owner: string, ips: readonly string[], srv?: SrvTarget): void {
    const data = this.#names.get(owner) ?? { ips: new Set(), srv: new Map() };
    this.#names.set(owner, data);
    for (const ip of ips) data.ips.add(ip);
    if (srv) data.srv.set(`${srv.port} ${srv.target}`, srv);
  }

  settled(): ServiceNames {
    const names = new Map<string, NameData>();
    for (const [owner, { ips, srv }] of this.#names)
      names.set(owner, srv.size > 0 ? { ips: [...ips], srv: [...srv.values()] } : { ips: [...ips] });
    return { base: this.#base, names, pointers: this.#pointers };
  }
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
