/** Flags that several parts of a node have: what they say of the cluster and of the node must be the same for all. */
import { hostname } from 'node:os';
import { textFlag } from '../../cli/command.ts';
import { KnownError } from '../../errors/known-error.ts';
import type { Family } from '../../ip/ip.ts';
import type { FlagReader } from '../flag-reader.ts';
import type { PartFlag } from './part.ts';

export const nodeIp: PartFlag = textFlag('IP[,IP]', 'address under which the other nodes reach this one, or one of each family');

export const clusterCidr: PartFlag = textFlag('CIDR[,CIDR]', 'range of the pods, or one of each family', '10.244.0.0/16');

export const serviceCidr: PartFlag = textFlag(
  'CIDR[,CIDR]',
  'range of the Services, or one of each family; an address nobody has is refused',
  '10.96.0.0/16',
);

export const clusterDomain: PartFlag = textFlag('NAME', 'zone of the cluster', 'cluster.local');

export const resolvConf: PartFlag = textFlag('FILE', 'resolvers for names outside the cluster', '/etc/resolv.conf');

/** For every part that speaks to an API server. */
export const kubeconfig: PartFlag = textFlag('FILE', 'how to reach the API server, and as whom (required)');

/** For every part of a node. */
export const nodePartFlags: Readonly<Record<'kubeconfig' | 'hostname-override', PartFlag>> = {
  kubeconfig,
  'hostname-override': { ...textFlag('NAME', 'name of the Node object (default: the host name)'), among: { name: 'node-name' } },
};

/** As upstream's parts name the node. */
export function nodeNameOf(flags: FlagReader<'hostname-override'>): string {
  return flags.optional('hostname-override') ?? hostname().toLowerCase();
}

/**
 * The address of this machine that other machines know and that stays: that of its default route, else any of the family. Undefined where it has none.
 */
export async function ownAddress(family: Family): Promise<string | undefined> {
  const { nodeAddresses } = await import('../../setup/node-address.ts');
  return (await nodeAddresses({}, [family]))[0];
}

/**
 * The address from which this machine speaks to the API server, which is where the other nodes are; on the API server's own machine
 * that of the default route, and without one the first that is not loopback. One that ends within days is not taken while there is another.
 * Throws BAD_CONFIG.
 */
export async function ownNodeIp(apiServer: string): Promise<string> {
  const { nodeAddresses } = await import('../../setup/node-address.ts');
  const [address] = await nodeAddresses({}, [], apiServer);
  if (address !== undefined) return address;
  throw new KnownError('BAD_CONFIG', 'Cannot tell the address of this node', { hint: 'Give it: --node-ip 192.0.2.1' });
}
