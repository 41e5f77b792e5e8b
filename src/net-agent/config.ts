/** flannel's net-conf.json, as far as it is used. Pure. */
import { KnownError } from '../errors/known-error.ts';
import { parseCidr } from '../ip/ip.ts';

export interface VxlanConfig {
  readonly type: 'vxlan';
  /** The VXLAN's number; names the device `flannel.VNI`. Default 1. */
  readonly vni?: number;
  /** UDP port; default 8472, the kernel's own. */
  readonly port?: number;
  /** Of the pods' links; default: the underlay's less 50. */
  readonly mtu?: number;
  /** Nodes on the same link are reached by plain routes. Default false. */
  readonly directRouting?: boolean;
}

export interface NetworkConfig {
  /** The range of all pods: `10.244.0.0/16`. */
  readonly network: string;
  readonly backend: VxlanConfig;
}

/** Throws BAD_CONFIG. */
export function checkConfig(config: NetworkConfig): Required<Omit<VxlanConfig, 'mtu' | 'type'>> & { readonly mtu: number | undefined } {
  const { vni = 1, port = 8472, mtu, directRouting = false } = config.backend;
  const bad = (what: string, hint: string): KnownError =>
    new KnownError('BAD_CONFIG', `Cannot use pod network configuration: ${what}`, { hint });
  const network = parseCidr(config.network);
  if (network?.family !== 4) throw bad(`network "${config.network}" is no IPv4 range`, 'Give a range such as 10.244.0.0/16');
  if (config.backend.type !== 'vxlan') throw bad(`backend type "${String(config.backend.type)}" is not known`, 'Use "vxlan"');
  if (!(Number.isInteger(vni) && vni > 0 && vni < 2 ** 24)) throw bad(`VNI ${vni}`, 'A VNI is 1 to 16777215');
  if (!(Number.isInteger(port) && port > 0 && port < 65536)) throw bad(`port ${port}`, 'A port is 1 to 65535');
  if (mtu !== undefined && !(Number.isInteger(mtu) && mtu >= 576 && mtu <= 65535)) throw bad(`MTU ${mtu}`, 'An MTU is 576 to 65535');
  return { vni, port, mtu, directRouting };
}
