/** kube-proxy's names of chains, so that whoever knows its rules finds his way, and one takes over from the other without a change. */
import { createHash } from 'node:crypto';
import type { EndpointAddress, PortPlan, ServicePlan } from '../../plan/service-plan.ts';

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** The first 16 characters of base32(sha256(text)): 80 bits. */
function hash(text: string): string {
  const bytes = createHash('sha256').update(text).digest();
  let name = '';
  for (let bit = 0; bit < 80; bit += 5) {
    const pair = ((bytes[bit >> 3] ?? 0) << 8) | (bytes[(bit >> 3) + 1] ?? 0);
    name += alphabet[(pair >> (11 - (bit & 7))) & 31];
  }
  return name;
}

/** `namespace/name:port`, or without the port where it has no name. */
export function portName({ key }: Pick<ServicePlan, 'key'>, { name }: Pick<PortPlan, 'name'>): string {
  return name === '' ? key : `${key}:${name}`;
}

export interface PortChains {
  /** Spreads over the endpoints of the whole cluster. */
  readonly cluster: string;
  /** Spreads over those of this node. */
  readonly local: string;
  /** For what comes by an address that is reached from outside. */
  readonly external: string;
  /** Lets in who is in the source ranges. */
  readonly firewall: string;
  /** Of one endpoint: `ip:port`. */
  endpoint(address: string): string;
}

export function chainsOf(port: string, protocol: string): PortChains {
  const name = hash(port + protocol);
  return {
    cluster: `KUBE-SVC-${name}`,
    local: `KUBE-SVL-${name}`,
    external: `KUBE-EXT-${name}`,
    firewall: `KUBE-FW-${name}`,
    endpoint: (address) => `KUBE-SEP-${hash(port + protocol + address)}`,
  };
}

/** Chains of Services, those that lead to others first. */
const prefixes = ['KUBE-FW-', 'KUBE-EXT-', 'KUBE-SVC-', 'KUBE-SVL-', 'KUBE-SEP-'];

export function isOfService(chain: string): boolean {
  return prefixes.some((prefix) => chain.startsWith(prefix));
}

/** The chain that has the source ranges of a port of a Service, of which this is a chain; no chain's name for one of an endpoint. */
export function firewallOf(chain: string): string {
  return chain.replace(/^KUBE-(?:EXT|SVC|SVL)-/, 'KUBE-FW-');
}

const rank = (chain: string): number => prefixes.findIndex((prefix) => chain.startsWith(prefix));

/** In an order in which they can be dropped one after the other. */
export function referrersFirst(chains: readonly string[]): string[] {
  return chains.toSorted((a, b) => rank(a) - rank(b));
}

/** As in `--to-destination`. */
export function addressOf({ ip, port }: Pick<EndpointAddress, 'ip' | 'port'>): string {
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`;
}
