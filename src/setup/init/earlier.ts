/** What an earlier "fairlead init" has settled on this machine, and what of it may be another now. */
import { join } from 'node:path';
import { readIfThere } from '../../bootstrap/secret-file.ts';
import { environmentName } from '../../cli/command.ts';
import { loadKubeconfig } from '../../client/kubeconfig.ts';
import { KnownError } from '../../errors/known-error.ts';
import { withoutPassword } from '../../errors/without-password.ts';
import { joinHostPort } from '../../ip/ip.ts';
import { type ClusterPlan, type ClusterWish, maskFlags, planCluster } from '../config/cluster-plan.ts';
import type { Documents } from '../config/documents.ts';
import { serverFlags } from '../control-plane/control-plane.ts';
import { reachStore } from '../control-plane/reach-store.ts';
import { shareKey } from '../discovery/public-key-hash.ts';
import { layout } from '../layout.ts';
import { readNodeConfig } from '../node/node-config.ts';
import type { StoreFact } from '../preflight/facts.ts';
import { changedFlags, envFile, partsOf, readEnv } from '../service/service.ts';

export interface Earlier {
  /** The flags of "fairlead server", as they stand in their file; undefined where nobody was here. */
  readonly server: string | undefined;
  readonly store: string | undefined;
  /** Of this machine. */
  readonly address: string | undefined;
  /** `HOST:PORT` at which the control plane is reached. */
  readonly endpoint: string | undefined;
}

export async function readEarlier(): Promise<Earlier> {
  const server = await readIfThere(envFile('server'));
  const hasConfig = (await readIfThere(layout.adminConfig)) !== undefined;
  const endpoint = hasConfig ? new URL((await loadKubeconfig(layout.adminConfig)).server).host : undefined;
  const { FAIRLEAD_STORE: store, FAIRLEAD_ADVERTISE_ADDRESS: address } = readEnv(server ?? '');
  return { server, store, address, endpoint };
}

/** The server of the cluster that this machine is a node of, where that is not the one that is, or is to be, here. */
export async function readOtherCluster(): Promise<string | undefined> {
  const node = await readNodeConfig();
  if (node === undefined) return undefined;
  const { ca = '', server } = node;
  const [own, key, apiserver] = await Promise.all(
    [layout.caFile, join(layout.pkiDir, 'ca.key'), join(layout.pkiDir, 'apiserver.crt')].map(readIfThere),
  );
  return isOwnAuthority(ca, own, key ?? apiserver) ? undefined : server;
}

/**
 * Whether the authority of kubelet.conf is that of a control plane here. A node that has joined has the certificate of its cluster's authority, too; what only
 * a control plane has are the key of it, or, where that is kept elsewhere, what was signed with it. Pure.
 */
export function isOwnAuthority(kubeletCa: string, ca: string | undefined, mark: string | undefined): boolean {
  return ca !== undefined && mark !== undefined && shareKey(kubeletCa, ca);
}

/** What is not said again stays. */
export function withEarlier(
  wish: ClusterWish,
  { cluster = {} }: Documents,
  earlier: Earlier,
  { advertiseAddress, bindPort }: Pick<ClusterPlan, 'advertiseAddress' | 'bindPort'>,
): ClusterWish {
  const isOwn = earlier.endpoint === joinHostPort(advertiseAddress, bindPort);
  return {
    ...wish,
    store: wish.store ?? (cluster.etcd?.external ? undefined : earlier.store),
    controlPlaneEndpoint:
      wish.controlPlaneEndpoint ?? (cluster.controlPlaneEndpoint || undefined) ?? (isOwn ? undefined : earlier.endpoint),
  };
}

/** How large nodes' parts are, as far as an earlier run was told; what somebody has written into the file holds by itself. */
function masksBefore({ server = '' }: Earlier): ClusterPlan['nodeMasks'] {
  const before = readEnv(partsOf(server).written ?? '');
  return Object.fromEntries(
    maskFlags.flatMap((flag) => {
      const mask = before[environmentName(flag)];
      return mask === undefined ? [] : [[flag, mask]];
    }),
  );
}

/** The plan of a run that may be a second one. Throws BAD_CONFIG. */
export function planAgain(
  wish: ClusterWish,
  documents: Documents,
  addresses: readonly [string, ...string[]],
  earlier: Earlier,
): ClusterPlan {
  const known = { ...wish, nodeMasks: masksBefore(earlier) };
  return planCluster(withEarlier(known, documents, earlier, planCluster(known, documents, addresses)), documents, addresses);
}

/** What the store answers; undefined for one that is on this machine alone, unless its URL is none, or that the server uses already. */
export async function askStore(
  context: Parameters<typeof reachStore>[0],
  { store }: Pick<ClusterPlan, 'store'>,
  earlier: Pick<Earlier, 'store'>,
  isServerRunning: boolean,
): Promise<StoreFact | undefined> {
  if (store === undefined || (isServerRunning && earlier.store === store)) return undefined;
  return await reachStore(context, store);
}

/** Certificates and stored objects depend on these: another cluster is another "fairlead init". Throws BAD_CONFIG. */
export function refuseChanges(plan: ClusterPlan, earlier: Earlier, store: StoreFact | undefined): void {
  if (earlier.server === undefined) return;
  const changed = changedFlags(earlier.server, serverFlags(plan));
  const isCopied = store !== undefined && 'isEmpty' in store && !store.isEmpty;
  if (plan.store !== earlier.store && !isCopied)
    throw notCopied(plan.store ?? '', earlier.store ?? `sqlite://${layout.serverDir}/state.db`);
  const others = changed.filter((flag) => flag !== 'store');
  if (others.length === 0) return;
  throw new KnownError(
    'BAD_CONFIG',
    `Cannot make this cluster: the machine is the control plane of one with another ${others.join(', ')}`,
    {
      hint: 'Say the same as before, or take the other away first: fairlead reset',
    },
  );
}

function notCopied(to: string, from: string): KnownError {
  return new KnownError('BAD_CONFIG', "Cannot change the store: the cluster's objects are in the one that it has so far", {
    hint: `${copyCommands(from, to)}; then this command again`,
  });
}

/** How the objects of a cluster come to another store. */
export function copyCommands(from: string, to: string): string {
  return `systemctl stop fairlead-server; fairlead store copy '${withoutPassword(from)}' '${withoutPassword(to)}'`;
}
