/** What an earlier "fairlead init" has settled on this machine, and what of it may be another now. */
import { join } from 'node:path';
import { parse } from 'yaml';
import { clusterKubeconfigs } from '../../bootstrap/pki.ts';
import { readIfThere, readUnlessEmpty } from '../../bootstrap/secret-file.ts';
import { environmentName } from '../../cli/command.ts';
import type { ClientConfig } from '../../client/client-config.ts';
import { loadKubeconfig } from '../../client/kubeconfig.ts';
import { KnownError } from '../../errors/known-error.ts';
import { withoutPassword } from '../../errors/without-password.ts';
import { joinHostPort, parseCidr } from '../../ip/ip.ts';
import { certificateOfKey } from '../../x509/chain.ts';
import { type ClusterPlan, type ClusterWish, maskFlags, planCluster, rangeWish } from '../config/cluster-plan.ts';
import type { Documents } from '../config/documents.ts';
import type { RangeWish } from '../config/ranges.ts';
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
  /** As the kubeconfigs of the control plane have it. */
  readonly clusterName: string | undefined;
}

export async function readEarlier(): Promise<Earlier> {
  const server = await readIfThere(envFile('server'));
  // One that a power cut has emptied is made anew.
  const config = await readUnlessEmpty(layout.adminConfig);
  // Of this machine's own node where it is.
  const client = config === undefined ? await ownNode(server) : await loadKubeconfig(layout.adminConfig);
  const endpoint = client && new URL(client.server).host;
  const { FAIRLEAD_STORE: store, FAIRLEAD_ADVERTISE_ADDRESS: address } = readEnv(server ?? '');
  return { server, store, address, endpoint, clusterName: await readClusterName() };
}

/** Of the first kubeconfig that has it: any of them may be lost. That of the node is not asked, as the kubelet of one that joined calls its cluster by a preset. */
export async function readClusterName(dir: string = layout.kubernetesDir): Promise<string | undefined> {
  const texts = await Promise.all(Object.keys(clusterKubeconfigs).map((name) => readUnlessEmpty(join(dir, name))));
  return texts.flatMap((text) => clusterNameIn(text ?? '') ?? [])[0];
}

async function ownNode(server: string | undefined): Promise<ClientConfig | undefined> {
  return server === undefined ? undefined : await readNodeConfig().catch(() => undefined);
}

/** Of the context that a kubeconfig has, as "kubernetes-admin@kubernetes" is one of "kubernetes". Pure. */
export function clusterNameIn(kubeconfig: string): string | undefined {
  const { clusters } = (parse(kubeconfig) ?? {}) as { readonly clusters?: readonly { readonly name?: string }[] };
  return clusters?.[0]?.name;
}

/** The server of the cluster that this machine is a node of, where that is not the one that is, or is to be, here. */
export async function readOtherCluster(): Promise<string | undefined> {
  const node = await readNodeConfig();
  if (node === undefined) return undefined;
  const { ca = '', server } = node;
  const [own, key, apiserver] = await Promise.all(
    [layout.caFile, join(layout.pkiDir, 'ca.key'), join(layout.pkiDir, 'apiserver.crt')].map(readUnlessEmpty),
  );
  // Its certificate is made anew where a power cut has emptied it; the key is what counts.
  const kept = own ?? (key === undefined ? undefined : certificateOfKey(ca, key));
  return isOwnAuthority(ca, kept, key ?? apiserver) ? undefined : server;
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

/** Before one that is said meets the other that is kept: that the two do not go together would be told of ranges that nobody has named. Throws BAD_CONFIG. */
function refuseOtherRanges({ podSubnet, serviceSubnet }: RangeWish, { server = '' }: Earlier): void {
  const before = readEnv(partsOf(server).written ?? '');
  for (const [flag, text] of Object.entries({ 'cluster-cidr': podSubnet, 'service-cluster-ip-range': serviceSubnet })) {
    const has = before[environmentName(flag)];
    if (text !== undefined && has !== undefined && plainRanges(text) !== plainRanges(has))
      throw refusedChange(saidBy[flag] ?? flag, text, has);
  }
}

/** As the server's file has them: a range may be written in several ways. */
function plainRanges(text: string): string {
  const plain = (one: string): string => (one.includes('/') ? parseCidr(one)?.text : undefined) ?? one;
  return text
    .split(',')
    .map((one) => plain(one.trim()))
    .join();
}

const issuerStart = 'https://kubernetes.default.svc.';

/**
 * With what an earlier run has made of the cluster, where neither flags nor the file say it. What somebody has written into the server's file below
 * holds by itself. Pure.
 */
export function settledWish(wish: ClusterWish, { init = {}, cluster = {} }: Documents, { server = '', clusterName }: Earlier): ClusterWish {
  const before: Readonly<Partial<Record<string, string>>> = readEnv(partsOf(server).written ?? '');
  const ranges = rangeWish(wish, cluster);
  const issuer = before.FAIRLEAD_SERVICE_ACCOUNT_ISSUER ?? '';
  const domain = issuer.startsWith(issuerStart) ? issuer.slice(issuerStart.length) : undefined;
  return {
    ...wish,
    podSubnet: ranges.podSubnet ?? before.FAIRLEAD_CLUSTER_CIDR,
    serviceSubnet: ranges.serviceSubnet ?? before.FAIRLEAD_SERVICE_CLUSTER_IP_RANGE,
    dnsDomain: wish.dnsDomain ?? (cluster.networking?.dnsDomain || domain),
    bindPort: wish.bindPort ?? (init.localAPIEndpoint?.bindPort || Number(before.FAIRLEAD_SECURE_PORT) || undefined),
    nodeMasks: masksBefore(before),
    clusterName,
  };
}

function masksBefore(before: Readonly<Partial<Record<string, string>>>): ClusterPlan['nodeMasks'] {
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
  refuseOtherRanges(rangeWish(wish, documents.cluster), earlier);
  const known = settledWish(wish, documents, earlier);
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
  if (earlier.server === '' && earlier.endpoint !== undefined) throw emptied();
  const changed = changedFlags(earlier.server, serverFlags(plan));
  const isCopied = store !== undefined && 'isEmpty' in store && !store.isEmpty;
  if (plan.store !== earlier.store && !isCopied)
    throw notCopied(plan.store ?? '', earlier.store ?? `sqlite://${layout.serverDir}/state.db`);
  if (earlier.clusterName !== undefined && plan.clusterName !== earlier.clusterName)
    throw refusedChange('clusterName', plan.clusterName, earlier.clusterName);
  const named = Object.keys(saidBy).find((flag) => changed.includes(flag));
  if (named !== undefined) throw refusedFlag(named, plan, earlier.server);
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

/** By what "fairlead init" is told of what the server's flags say. The address of Services' DNS follows their range. */
const saidBy: Readonly<Record<string, string>> = {
  'cluster-cidr': '--pod-network-cidr (networking.podSubnet)',
  'service-cluster-ip-range': '--service-cidr (networking.serviceSubnet)',
  'service-account-issuer': '--service-dns-domain (networking.dnsDomain)',
  'secure-port': '--apiserver-bind-port (localAPIEndpoint.bindPort)',
  'advertise-address': '--node-ip (localAPIEndpoint.advertiseAddress)',
  ...Object.fromEntries(maskFlags.map((flag) => [flag, `controllerManager.extraArgs.${flag}`])),
};

function refusedFlag(flag: string, plan: ClusterPlan, server: string): KnownError {
  const before = readEnv(partsOf(server).written ?? '')[environmentName(flag)] ?? '';
  const short = (text: string): string => (text.startsWith(issuerStart) ? text.slice(issuerStart.length) : text);
  return refusedChange(saidBy[flag] ?? flag, short(serverFlags(plan)[flag] ?? ''), short(before), flag === 'advertise-address');
}

function refusedChange(said: string, value: string, before: string, isAddress = false): KnownError {
  const has = before === '' ? 'has none such' : `has ${before}`;
  const keep = isAddress ? `Give the machine ${before} again, and leave --node-ip out` : 'Leave it out: the cluster keeps what it has';
  return new KnownError('BAD_CONFIG', `Cannot use ${value} as ${said}: the cluster of this control plane ${has}`, {
    hint: `${keep}. To make another cluster, take this one away first: fairlead reset`,
  });
}

/** As a power cut left it where an older version had written it. */
function emptied(): KnownError {
  const path = envFile('server');
  return new KnownError('BAD_CONFIG', `Cannot tell how the control plane on this machine was made: ${path} is empty`, {
    hint: `Take it away, and run the command with all the flags of the first time: rm ${path}`,
  });
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
