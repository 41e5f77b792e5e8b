/** The steps by which a machine that joins becomes one more control plane, before it becomes a node. */
import { parse } from 'yaml';
import { configMaps } from '../../api/resource-types.ts';
import type { ConfigMap } from '../../api/schema/types.ts';
import { readIfThere } from '../../bootstrap/secret-file.ts';
import { isUnauthorized } from '../../client/api-error.ts';
import type { Client } from '../../client/client.ts';
import { loadKubeconfig } from '../../client/kubeconfig.ts';
import { KnownError } from '../../errors/known-error.ts';
import { joinHostPort } from '../../ip/ip.ts';
import { type ClusterPlan, masksOfCluster, planCluster } from '../config/cluster-plan.ts';
import type { ClusterConfiguration } from '../config/documents.ts';
import { etcdUrl, storeKind, withOptions } from '../config/shared-store.ts';
import { localClient, makeCertificates, startServer, waitForServer } from '../control-plane/control-plane.ts';
import { reachStore } from '../control-plane/reach-store.ts';
import { takeKeys } from '../control-plane/take-keys.ts';
import { moveHint } from '../control-plane/upload.ts';
import type { ClusterInfo } from '../discovery/cluster-info.ts';
import { bootstrapClient, refusedToken } from '../discovery/discovery.ts';
import { shareKey } from '../discovery/public-key-hash.ts';
import { layout } from '../layout.ts';
import type { StoreFact } from '../preflight/facts.ts';
import { envFile, readEnv } from '../service/service.ts';
import { settingsKeys, settingsNames, settingsNamespace, storeAnnotation, storeOptionsAnnotation } from '../settings/settings.ts';
import type { SetupContext } from '../setup-context.ts';
import type { Token } from '../token/token.ts';

export interface ControlPlaneWish {
  readonly certificateKey: string | undefined;
  /** For who copies the files by hand; otherwise it comes with the keys, or is in kubeadm-config. */
  readonly store: string | undefined;
  readonly bindPort: number | undefined;
}

export interface Newcomer {
  readonly nodeName: string;
  readonly addresses: readonly string[];
  readonly token: Token;
  /** Undefined when an earlier run has got the machine its certificate. */
  readonly info: ClusterInfo | undefined;
}

/** What the cluster says of itself. */
export interface ClusterSettings {
  readonly cluster: ClusterConfiguration;
  /** As far as anybody may know it. */
  readonly store: string | undefined;
  /** Of what kind it is. */
  readonly kind: string;
}

/** Gives an administrator's client of the API server that runs here then. Throws CHECK_FAILED with what stands in the way. */
export async function becomeControlPlane(context: SetupContext, own: Client, wish: ControlPlaneWish, newcomer: Newcomer): Promise<Client> {
  const { keeper, steps } = context;
  const { nodeName, addresses } = newcomer;
  const settings = await readSettings(own);
  let plan = planFor(settings, wish, addresses);
  await steps.run('keys', `Keys of the cluster in ${layout.pkiDir}`, async () => {
    const { store, changed } = await shareKeys(settings.store, wish, newcomer);
    plan = { ...plan, store: requireStore(store, settings) };
    return changed;
  });
  const isNew = await steps.run('certificates', `Certificates and kubeconfigs in ${layout.kubernetesDir}`, () =>
    makeCertificates(context, plan, nodeName),
  );
  await steps.run('server', `Control plane started at ${joinHostPort(plan.advertiseAddress, plan.bindPort)}`, async () => {
    if (!(await keeper.isRunning('server'))) refuseStore(await reachStore(context, plan.store ?? ''), await readIfThere(layout.caFile));
    return await startServer(context, plan, isNew);
  });
  const client = await localClient(plan);
  try {
    const why = `See why: ${keeper.logHint('server')}`;
    await steps.run('ready', 'Control plane answers', () => waitForServer(context, client, 'the control plane on this machine', why));
    return client;
  } catch (err) {
    client.close();
    throw err;
  }
}

async function readSettings(client: Pick<Client, 'get'>): Promise<ClusterSettings> {
  const { data, metadata } = await client.get<ConfigMap>(configMaps, settingsNames.cluster, { namespace: settingsNamespace });
  const cluster = (parse(data?.[settingsKeys.cluster] ?? '') ?? {}) as ClusterConfiguration;
  const external = cluster.etcd?.external;
  const store = external ? withOptions(etcdUrl(external), metadata.annotations?.[storeOptionsAnnotation] ?? '') : undefined;
  return { cluster, store, kind: external ? 'etcd' : (metadata.annotations?.[storeAnnotation] ?? storeKind(undefined)) };
}

/** Throws CHECK_FAILED where the cluster can have one control plane only. */
export function planFor(
  { cluster, kind }: ClusterSettings,
  wish: ControlPlaneWish,
  [address = '', ...more]: readonly string[],
): ClusterPlan {
  if (kind !== 'etcd' && kind !== 'redis' && wish.store === undefined)
    throw new KnownError('CHECK_FAILED', "Cannot become a control plane: this cluster's store is on one machine", {
      hint: moveHint(`sqlite://${layout.serverDir}/state.db`),
    });
  if (cluster.controlPlaneEndpoint === undefined)
    throw new KnownError(
      'CHECK_FAILED',
      'Cannot become a control plane: the cluster has no address that stays when one of its machines goes (controlPlaneEndpoint)',
      {
        hint: 'Lead one to all of them, then on the first: fairlead init --control-plane-endpoint HOST:PORT --upload-certs',
      },
    );
  const { controllerManager: _others, ...others } = cluster;
  return planCluster({ bindPort: wish.bindPort, nodeMasks: masksOfCluster(cluster) }, { cluster: others }, [address, ...more]);
}

/** By the token also where the machine is a node already: nodes may not read Secrets that are none of their pods'. */
async function shareKeys(knownStore: string | undefined, wish: ControlPlaneWish, { token, info }: Newcomer): ReturnType<typeof takeKeys> {
  const { FAIRLEAD_STORE: before } = readEnv((await readIfThere(envFile('server'))) ?? '');
  const trusted = info ?? (await knownCluster());
  const client = bootstrapClient(trusted, token);
  try {
    const { certificateKey, store: chosenStore = before } = wish;
    return await takeKeys({ client, certificateKey, chosenStore, knownStore, caPem: trusted.caPem });
  } catch (err) {
    throw isUnauthorized(err) ? refusedToken(trusted.server, token, err) : err;
  } finally {
    client.close();
  }
}

async function knownCluster(): Promise<ClusterInfo> {
  const { server, ca = '' } = await loadKubeconfig(layout.kubeletConfig);
  return { server, caPem: ca };
}

function requireStore(store: string | undefined, { kind }: ClusterSettings): string {
  if (store !== undefined) return store;
  throw new KnownError('CHECK_FAILED', `Cannot become a control plane: it is not said where the cluster's ${kind} is`, {
    hint: 'Give --certificate-key KEY, which brings its URL, or --store URL as the other control planes have it in /etc/fairlead/server.env',
  });
}

/** Throws CHECK_FAILED where the server would wait in vain, begin a cluster of its own, or serve another one. `ca` is the cluster's authority, PEM. */
export function refuseStore(answer: StoreFact | undefined, ca: string | undefined): void {
  if (answer !== undefined && 'refusal' in answer)
    throw new KnownError('CHECK_FAILED', answer.refusal.cause, { hint: answer.refusal.cure });
  const isOfAnother = answer?.authority !== undefined && ca !== undefined && !shareKey(answer.authority, ca);
  if (answer?.isEmpty === false && !isOfAnother) return;
  const why = isOfAnother ? 'holds another cluster, with another authority' : 'is empty, so it is not that of this cluster';
  throw new KnownError('CHECK_FAILED', `Cannot become a control plane: the store ${why}`, {
    hint: 'Give --store URL as the other control planes have it in /etc/fairlead/server.env',
  });
}
