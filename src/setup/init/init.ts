/** `fairlead init`: makes this machine the control plane of a new cluster, and its first node. Every step finds what an earlier run has done. */
import type { KubeObject } from '../../api/resource-types.ts';
import { ensureNodeCredential } from '../../bootstrap/pki.ts';
import { readIfThere } from '../../bootstrap/secret-file.ts';
import { Client } from '../../client/client.ts';
import { loadKubeconfig } from '../../client/kubeconfig.ts';
import { joinHostPort } from '../../ip/ip.ts';
import { type ClusterPlan, type ClusterWish, endpointOf, hostOf, rangeWish } from '../config/cluster-plan.ts';
import { addressIn, type Documents } from '../config/documents.ts';
import { familiesOf, wishedFamilies } from '../config/ranges.ts';
import { storeKind } from '../config/shared-store.ts';
import { localClient, makeCertificates, markControlPlane, startServer, waitForServer } from '../control-plane/control-plane.ts';
import { requireMany, uploadKeys } from '../control-plane/upload.ts';
import { clusterInfoObject } from '../discovery/cluster-info.ts';
import { publicKeyHash } from '../discovery/public-key-hash.ts';
import { layout } from '../layout.ts';
import { startAgent, waitForNode } from '../node/agent.ts';
import type { NodeTaints } from '../node/earlier-node.ts';
import { type AddressWish, networksOf, nodeAddresses } from '../node-address.ts';
import { gatherFacts, type RuntimeFacts } from '../preflight/gather.ts';
import { refuseObstacles } from '../preflight/preflight.ts';
import { runningServices } from '../service/service.ts';
import { addressPoolsObject, settingsObjects } from '../settings/settings.ts';
import type { SetupContext } from '../setup-context.ts';
import type { StepRecord } from '../steps.ts';
import { controlPlaneJoin } from '../token/cluster-tokens.ts';
import { newToken, type Token, tokenText } from '../token/token.ts';
import {
  changeAddressPools,
  changeClusterInfo,
  changeClusterSettings,
  changeNetworkBackend,
  changeProxySettings,
} from './cluster-settings.ts';
import { askStore, planAgain, readEarlier, readOtherCluster, refuseChanges, settledWish } from './earlier.ts';
import { ensureObjects } from './ensure-objects.ts';
import { joinRoles } from './roles.ts';
import { ensureTokens, plannedTokens } from './tokens.ts';

export interface InitRequest {
  readonly nodeName: string;
  readonly address: AddressWish;
  readonly wish: ClusterWish;
  readonly documents: Documents;
  /** One that was agreed upon before. */
  readonly token: string | undefined;
  /** Milliseconds; 0 for a token that stays. */
  readonly tokenTtlMs: number;
  readonly taints: NodeTaints;
  readonly ignored: readonly string[];
  readonly runtimeEndpoint: string;
  /** With which the keys for further control planes are laid into the cluster; undefined where they are not. */
  readonly certificateKey: string | undefined;
  /** For load balancers: none when it is empty. */
  readonly addressPools: readonly string[];
  /** What proxy, pod network and DNS need, granted to all nodes. */
  readonly nodeRoles: readonly KubeObject[];
}

export interface InitResult {
  readonly nodeName: string;
  readonly address: string;
  readonly server: string;
  readonly kubeconfig: string;
  readonly joinCommand: string;
  readonly controlPlaneJoinCommand?: string;
  readonly certificateKey?: string;
  readonly steps: readonly StepRecord[];
}

export async function runInit(context: SetupContext, request: InitRequest): Promise<InitResult> {
  const { steps } = context;
  const planned = plannedTokens(request, context.clock.now());
  const runtime = await context.readRuntime(request.runtimeEndpoint);
  const plan = await preflight(context, request, runtime);
  const isNew = await steps.run('certificates', `Certificates and kubeconfigs in ${layout.kubernetesDir}`, () =>
    makeCertificates(context, plan, request.nodeName),
  );
  await steps.run('server', `Control plane started at ${plan.endpoint}`, () => startServer(context, plan, isNew));
  const client = await localClient(plan);
  try {
    await waitForControlPlane(context, plan, client);
    await steps.run('settings', 'Settings and roles of the cluster', () => ensureSettings(client, plan, request));
    await upload(context, plan, client, request.certificateKey);
    let token: Token | undefined;
    await steps.run('token', 'Token and address for those who join', async () => {
      const ensured = await ensureTokens(client, { planned, tokenTtlMs: request.tokenTtlMs }, context.clock.now());
      token = ensured.token;
      return (await publishClusterInfo(client, plan)) || ensured.changed;
    });
    const before = context.clock.now();
    const isStarted = await steps.run('node', `Agent of node "${request.nodeName}" started`, () =>
      startNode(context, plan, request, runtime),
    );
    await steps.run('node-ready', `Node "${request.nodeName}" is Ready at ${plan.addresses.join(' and ')}`, () =>
      finishNode(context, client, request, isStarted ? before : 0),
    );
    const command = await joinCommand(plan, token ?? newToken());
    const { certificateKey } = request;
    return {
      nodeName: request.nodeName,
      address: plan.advertiseAddress,
      server: `https://${plan.endpoint}`,
      kubeconfig: layout.adminConfig,
      joinCommand: command,
      ...(certificateKey === undefined ? {} : { certificateKey, controlPlaneJoinCommand: controlPlaneJoin(command, certificateKey) }),
      steps: steps.records,
    };
  } finally {
    client.close();
  }
}

/** Before anybody is told where the cluster is: who joins as a control plane finds the keys there. */
async function upload({ clock, steps }: SetupContext, { store }: ClusterPlan, client: Client, key: string | undefined): Promise<void> {
  if (key === undefined || store === undefined) return;
  const label = 'Keys for further control planes in the Secret kube-system/kubeadm-certs, encrypted, for two hours';
  await steps.run('upload-certs', label, () => uploadKeys(client, store, key, clock.now()));
}

async function preflight(context: SetupContext, request: InitRequest, runtime: RuntimeFacts): Promise<ClusterPlan> {
  const { exec, keeper, steps } = context;
  const { documents, nodeName, wish, runtimeEndpoint } = request;
  const { init = {} } = documents;
  const inFile = addressIn(init.nodeRegistration, init.localAPIEndpoint);
  const earlier = await readEarlier();
  const families = wishedFamilies(rangeWish(settledWish(wish, documents, earlier)));
  const { cidr, address = inFile, before } = request.address;
  // First that of the API server, which certificates name.
  const addressWish = { cidr, address, before: [earlier.address, before].filter(Boolean).join() };
  const endpoint = wish.controlPlaneEndpoint ?? documents.cluster?.controlPlaneEndpoint;
  const addresses = await nodeAddresses(addressWish, families, undefined, endpoint && hostOf(endpointOf(endpoint, 6443)));
  const running = await runningServices(keeper);
  // Without an address the plan cannot be made, and the finding says so first.
  const [ownHost = families[0] === 6 ? '::' : '0.0.0.0', ...more] = addresses;
  const plan = planAgain(wish, documents, [ownHost, ...more], earlier);
  const store = await askStore(context, plan, earlier, running.includes('server'));
  const facts = await gatherFacts({
    role: 'control-plane',
    nodeName,
    addresses,
    families: familiesOf(plan.podSubnet),
    apiPort: plan.bindPort,
    proxyMode: String(plan.proxy.mode),
    running,
    runtimeSocket: runtimeEndpoint.replace(/^unix:\/\//, ''),
    runtime,
    skewMs: undefined,
    nodes: [],
    otherCluster: await readOtherCluster(),
    // Whose cluster is in it is the question of the first run alone.
    store: earlier.server !== undefined && store && 'isEmpty' in store ? undefined : store,
    ownsEtcd: storeKind(plan.store) === 'etcd',
    exec,
  });
  await steps.run('preflight', 'Preflight checks', async () => {
    refuseObstacles(facts, request.ignored, steps, new Set());
    refuseChanges(plan, earlier, store);
    if (request.certificateKey !== undefined) requireMany(plan);
    return true;
  });
  if (plan.kubernetesVersion !== undefined) steps.note(`kubernetesVersion ${plan.kubernetesVersion} is noted, and chooses nothing here`);
  return plan;
}

/** On this machine, and then where the others will look for it. */
async function waitForControlPlane(context: SetupContext, plan: ClusterPlan, client: Client): Promise<void> {
  const { advertiseAddress, bindPort, endpoint, hasEndpoint } = plan;
  const { keeper, steps } = context;
  const why = `See why: ${keeper.logHint('server')}`;
  await steps.run('ready', 'Control plane answers', () => waitForServer(context, client, 'the control plane', why));
  if (!hasEndpoint) return;
  const everywhere = new Client(await loadKubeconfig(layout.adminConfig));
  const own = joinHostPort(advertiseAddress, bindPort);
  try {
    await steps.run('endpoint', `Control plane answers at ${endpoint}`, () =>
      waitForServer(context, everywhere, endpoint, `Lead ${endpoint} to ${own}: by a load balancer, a virtual address or a name`),
    );
  } finally {
    everywhere.close();
  }
}

async function ensureSettings(client: Client, plan: ClusterPlan, request: InitRequest): Promise<boolean> {
  const pools = request.addressPools.length > 0 ? [addressPoolsObject(request.addressPools)] : [];
  const isNew = await ensureObjects(client, [...settingsObjects(plan), ...pools, ...joinRoles(), ...request.nodeRoles]);
  const changes = [
    // It may be refused: before anything else is another.
    await changeNetworkBackend(client, request.wish.networkBackend, networksOf(plan.addresses)),
    await changeClusterSettings(client, plan),
    await changeProxySettings(client, request.wish, request.documents.proxy),
    await changeAddressPools(client, request.addressPools),
  ];
  return isNew || changes.includes(true);
}

async function publishClusterInfo(client: Client, plan: ClusterPlan): Promise<boolean> {
  const info = { server: `https://${plan.endpoint}`, caPem: (await readIfThere(layout.caFile)) ?? '' };
  return (await ensureObjects(client, [clusterInfoObject(info)])) || (await changeClusterInfo(client, info));
}

async function startNode(context: SetupContext, plan: ClusterPlan, request: InitRequest, runtime: RuntimeFacts): Promise<boolean> {
  const { nodeName, runtimeEndpoint, taints } = request;
  await ensureNodeCredential({
    pkiDir: layout.pkiDir,
    kubeconfig: layout.kubeletConfig,
    certDir: layout.certDir,
    cluster: plan.clusterName,
    server: `https://${plan.endpoint}`,
    node: nodeName,
    now: context.clock.now(),
  });
  return await startAgent(context, { nodeName, addresses: plan.addresses, runtimeEndpoint, runtime, taints: taints.registered });
}

/** Waits for the Node, and marks it. */
async function finishNode(context: SetupContext, client: Client, request: InitRequest, since: number): Promise<boolean> {
  const node = await waitForNode(context, client, request.nodeName, since);
  return await markControlPlane(context, client, node, request.taints.marked);
}

async function joinCommand({ endpoint }: ClusterPlan, token: Token): Promise<string> {
  const hash = publicKeyHash((await readIfThere(layout.caFile)) ?? '');
  return `fairlead join ${endpoint} --token ${tokenText(token)} --discovery-token-ca-cert-hash ${hash}`;
}
