/** The sets of the mode, under kube-proxy's names. Which rules ask them is in glue.ts. */
import type { IpsetDeclaration, IpsetType } from '../../../linux/ipset/ipset.ts';
import type { TableFamily } from '../../../linux/nftables/table.ts';

export type SetName =
  | 'LOOP-BACK'
  | 'CLUSTER-IP'
  | 'EXTERNAL-IP'
  | 'EXTERNAL-IP-LOCAL'
  | 'LOAD-BALANCER'
  | 'LOAD-BALANCER-LOCAL'
  | 'LOAD-BALANCER-FW'
  | 'LOAD-BALANCER-SOURCE-IP'
  | 'LOAD-BALANCER-SOURCE-CIDR'
  | `NODE-PORT-${'' | 'LOCAL-'}${'TCP' | 'UDP' | 'SCTP-HASH'}`
  | 'HEALTH-CHECK-NODE-PORT'
  | 'IPVS-IPS'
  | 'NO-LOCAL'
  | 'NO-LOCAL-OUTSIDE';

const types: Readonly<Record<SetName, IpsetType>> = {
  'LOOP-BACK': 'hash:ip,port,ip',
  'CLUSTER-IP': 'hash:ip,port',
  'EXTERNAL-IP': 'hash:ip,port',
  'EXTERNAL-IP-LOCAL': 'hash:ip,port',
  'LOAD-BALANCER': 'hash:ip,port',
  'LOAD-BALANCER-LOCAL': 'hash:ip,port',
  'LOAD-BALANCER-FW': 'hash:ip,port',
  'LOAD-BALANCER-SOURCE-IP': 'hash:ip,port,ip',
  'LOAD-BALANCER-SOURCE-CIDR': 'hash:ip,port,net',
  'NODE-PORT-TCP': 'bitmap:port',
  'NODE-PORT-LOCAL-TCP': 'bitmap:port',
  'NODE-PORT-UDP': 'bitmap:port',
  'NODE-PORT-LOCAL-UDP': 'bitmap:port',
  'NODE-PORT-SCTP-HASH': 'hash:ip,port',
  'NODE-PORT-LOCAL-SCTP-HASH': 'hash:ip,port',
  'HEALTH-CHECK-NODE-PORT': 'bitmap:port',
  'IPVS-IPS': 'hash:ip',
  // Not kube-proxy's, which refuses or goes to another node where these drop: nobody serves on this node, for anybody or for those outside.
  'NO-LOCAL': 'hash:ip,port',
  'NO-LOCAL-OUTSIDE': 'hash:ip,port',
};

export const setNames: readonly SetName[] = Object.keys(types) as SetName[];

const longestName = 31;

/** The kernel's name: kube-proxy's sets of IPv6 begin with `KUBE-6-`, and end where the kernel has no more room. */
export function kernelName(name: SetName, family: TableFamily): string {
  return `${family === 'ip6' ? 'KUBE-6-' : 'KUBE-'}${name}`.slice(0, longestName);
}

export function declarationOf(name: SetName, family: TableFamily): IpsetDeclaration {
  const type = types[name];
  const declared = { name: kernelName(name, family), type };
  return type === 'bitmap:port' ? declared : { ...declared, family: family === 'ip6' ? 6 : 4 };
}

export function familyOfSet(name: string): TableFamily {
  return name.startsWith('KUBE-6-') ? 'ip6' : 'ip';
}

/** Whether a set of the kernel is kube-proxy's or ours. */
export function isOurs(name: string): boolean {
  return name.startsWith('KUBE-');
}
