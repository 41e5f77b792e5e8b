/** The configuration of the pod network: flannel's net-conf.json, as far as it is used. Pure. */
import { type Cidr, parseCidr } from '../ip/ip.ts';
import type { Backend, BackendConfig } from './backend/backend.ts';
import { backends } from './backend/backends.ts';
import { badConfig } from './backend/options.ts';

/** Flannel's names: `{"Network": "10.244.0.0/16", "Backend": {"Type": "vxlan"}}`. */
export interface NetConf {
  /** The range of all pods. */
  readonly Network: string;
  readonly Backend: BackendConfig;
}

/** Throws BAD_CONFIG. */
export function openNetConf(config: NetConf): { readonly network: Cidr; readonly backend: Backend } {
  const network = parseCidr(config.Network);
  if (network?.family !== 4) throw badConfig(`network "${config.Network}" is no IPv4 range`, 'Give a range such as 10.244.0.0/16');
  const open = Object.hasOwn(backends, config.Backend.Type) ? backends[config.Backend.Type] : undefined;
  if (!open) {
    const names = Object.keys(backends).map((name) => `"${name}"`);
    throw badConfig(`backend type "${config.Backend.Type}" is not known`, `Use ${names.join(' or ')}`);
  }
  return { network, backend: open(config.Backend) };
}
