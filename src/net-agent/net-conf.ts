/** The configuration of the pod network: flannel's net-conf.json, as far as it is used. Pure. */
import { messageOf } from '../errors/known-error.ts';
import { type Cidr, type Family, parseCidr } from '../ip/ip.ts';
import type { Backend, BackendConfig } from './backend/backend.ts';
import { backends } from './backend/backends.ts';
import { badConfig } from './backend/options.ts';

/** Flannel's names: `{"Network": "10.244.0.0/16", "Backend": {"Type": "vxlan"}}`. A range that is there is used; at least one is. */
export interface NetConf {
  /** The range of all pods, of IPv4. */
  readonly Network?: string;
  /** That of IPv6. */
  readonly IPv6Network?: string;
  readonly Backend: BackendConfig;
}

/** Of ranges of either family. */
export function netConfOf(cidrs: readonly string[], backend: BackendConfig): NetConf {
  return Object.assign({ Backend: backend }, ...cidrs.map((cidr) => (cidr.includes(':') ? { IPv6Network: cidr } : { Network: cidr })));
}

/** `Backend` of a text of net-conf.json; vxlan where it names none. Throws BAD_CONFIG. */
export function backendConfigOf(text: string): BackendConfig {
  const hint = 'Write it as {"Backend": {"Type": "vxlan"}}';
  let config: unknown;
  try {
    config = JSON.parse(text);
  } catch (err) {
    throw badConfig(`net-conf.json: ${messageOf(err)}`, hint);
  }
  // YAML that is left empty is null.
  const { Backend } = (config ?? {}) as { readonly Backend?: object | null };
  const { Type = 'vxlan', ...options } = (Backend ?? {}) as Partial<BackendConfig>;
  if (typeof Type !== 'string') throw badConfig(`net-conf.json: Backend.Type ${JSON.stringify(Type)}`, hint);
  return { Type, ...options };
}

/** Throws BAD_CONFIG. */
export function openNetConf({ Network, IPv6Network, Backend }: NetConf): { readonly networks: readonly Cidr[]; readonly backend: Backend } {
  const networks = [...rangeOf(Network, 4, '10.244.0.0/16'), ...rangeOf(IPv6Network, 6, 'fd00:10:244::/56')];
  if (networks.length === 0) throw badConfig('there is no network', 'Give a range such as 10.244.0.0/16');
  const open = Object.hasOwn(backends, Backend.Type) ? backends[Backend.Type] : undefined;
  if (!open) {
    const names = Object.keys(backends).map((name) => `"${name}"`);
    throw badConfig(`backend type "${Backend.Type}" is not known`, `Use ${names.join(' or ')}`);
  }
  return { networks, backend: open(Backend) };
}

function rangeOf(text: string | undefined, family: Family, example: string): Cidr[] {
  if (text === undefined) return [];
  const cidr = parseCidr(text);
  if (cidr?.family !== family) throw badConfig(`network "${text}" is no IPv${family} range`, `Give a range such as ${example}`);
  return [cidr];
}
