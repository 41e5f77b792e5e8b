/** Flags that several parts of a node have: what they say of the cluster and of the node must be the same for all. */
import { hostname, networkInterfaces } from 'node:os';
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

/** The first address of this machine that is not loopback, and that others know, too. */
export function firstAddress(family: Family): string | undefined {
  return Object.values(networkInterfaces())
    .flat()
    .find((a) => a && !a.internal && a.family === `IPv${family}` && !a.scopeid)?.address;
}

/**
 * The address from which this machine speaks to the API server, which is where the other nodes are; on the API server's own machine
 * that of the default route, and without one the first that is not loopback. Throws BAD_CONFIG.
 */
export async function ownNodeIp(apiServer: string): Promise<string> {
  const { addressForOthers } = await import('../../linux/source-address.ts');
  const own = ([4, 6] as const).flatMap((family) => firstAddress(family) ?? []);
  const address = await addressForOthers([apiServer], own);
  if (address !== undefined) return address;
  throw new KnownError('BAD_CONFIG', 'Cannot tell the address of this node', { hint: 'Give it: --node-ip 192.0.2.1' });
}
