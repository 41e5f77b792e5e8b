/** `fairlead init`: makes this machine the control plane of a new cluster, and its first node. Every step finds what an earlier run has done. */
import { type KubeObject, nodes } from '../../api/resource-types.ts';
import type { Node, Taint } from '../../api/schema/types.ts';
import { ensureClusterPki, ensureNodeCredential } from '../../bootstrap/pki.ts';
import { readIfThere } from '../../bootstrap/secret-file.ts';
import { waitUntil } from '../../cli/wait-until.ts';
import { Client } from '../../client/client.ts';
import { loadKubeconfig } from '../../client/kubeconfig.ts';
import { KnownError } from '../../errors/known-error.ts';
import { isIp } from '../../ip/ip.ts';
import { type ClusterPlan, type ClusterWish, planCluster } from '../config/cluster-plan.ts';
import { type Documents, nodeIpArgument } from '../config/documents.ts';
import { clusterInfoObject } from '../discovery/cluster-info.ts';
import { publicKeyHash } from '../discovery/public-key-hash.ts';
import { layout } from '../layout.ts';
import { startAgent, waitForNode } from '../node/agent.ts';
import { type AddressWish, nodeAddress } from '../node-address.ts';
import { gatherFacts, type RuntimeFacts } from '../preflight/gather.ts';
import { refuseObstacles } from '../preflight/preflight.ts';
import { changedFlags, ensureService, envFile, type ServiceFlags } from '../service/service.ts';
import { addressPoolsObject, settingsObjects } from '../settings/settings.ts';
import type { SetupContext } from '../setup-context.ts';
import type { StepRecord } from '../steps.ts';
import { newToken, type Token, tokenText } from '../token/token.ts';
import { ensureObjects } from './ensure-objects.ts';
import { changeProxySettings } from './proxy-settings.ts';
import { joinRoles } from './roles.ts';
import { ensureTokens } from './tokens.ts';

export interface InitRequest {
  readonly nodeName: string;
  readonly address: AddressWish;
  readonly wish: ClusterWish;
  readonly documents: Documents;
  /** One that was agreed upon before. */
  readonly token: string | undefined;
  /** Milliseconds; 0 for a token that stays. */
  readonly tokenTtlMs: number;
  /** Undefined for kubeadm's own. */
  readonly taints: readonly Taint[] | undefined;
  readonly ignored: readonly string[];
  readonly runtimeEndpoint: string;
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
  readonly steps: readonly StepRecord[];
}

const controlPlaneLabel = 'node-role.kubernetes.io/control-plane';
const controlPlaneTaint: Taint = { key: controlPlaneLabel, effect: 'NoSchedule' };

export async function runInit(context: SetupContext, request: InitRequest): Promise<InitResult> {
  const { steps } = context;
  const runtime = await context.readRuntime(request.runtimeEndpoint);
  const plan = await preflight(context, request, runtime);
  await steps.run('certificates', `Certificates and kubeconfigs in ${layout.kubernetesDir}`, () =>
    makeCertificates(context, plan, request.nodeName),
  );
  await steps.run('server', `Control plane started at ${plan.endpoint}`, () => ensureService(context.keeper, 'server', serverFlags(plan)));
  const client = new Client(await loadKubeconfig(layout.adminConfig));
  try {
    await steps.run('ready', 'Control plane answers', () => waitForServer(context, client));
    await steps.run('settings', 'Settings and roles of the cluster', async () => {
      const pools = request.addressPools.length > 0 ? [addressPoolsObject(request.addressPools)] : [];
      const isNew = await ensureObjects(client, [...settingsObjects(plan), ...pools, ...joinRoles(), ...request.nodeRoles]);
      return (await changeProxySettings(client, request.wish)) || isNew;
    });
    let token: Token | undefined;
    await steps.run('token', 'Token and address for those who join', async () => {
      const ensured = await ensureTokens(client, request, context.clock.now());
      token = ensured.token;
      return (await publishClusterInfo(client, plan)) || ensured.changed;
    });
    const before = context.clock.now();
    const isStarted = await steps.run('node', `Agent of node "${request.nodeName}" started`, () =>
      startNode(context, plan, request, runtime),
    );
    await steps.run('node-ready', `Node "${request.nodeName}" is Ready at ${plan.advertiseAddress}`, () =>
      finishNode(context, client, request, isStarted ? before : 0),
    );
    return {
      nodeName: request.nodeName,
      address: plan.advertiseAddress,
      server: `https://${plan.endpoint}`,
      kubeconfig: layout.adminConfig,
      joinCommand: await joinCommand(plan, token ?? newToken()),
      steps: steps.records,
    };
  } finally {
    client.close();
  }
}

async function preflight(context: SetupContext, request: InitRequest, runtime: RuntimeFacts): Promise<ClusterPlan> {
  const { exec, keeper, steps } = context;
  const { documents, nodeName, wish, runtimeEndpoint } = request;
  const { init = {} } = documents;
  const address = await nodeAddress({
    cidr: request.address.cidr,
    address: request.address.address ?? init.localAPIEndpoint?.advertiseAddress ?? nodeIpArgument(init.nodeRegistration ?? {}),
  });
  const running = (
    await Promise.all((['server', 'agent'] as const).map(async (name) => ((await keeper.isRunning(name)) ? [name] : [])))
  ).flat();
  // Without an address the plan cannot be made, and the finding says so first.
  const plan = planCluster(wish, documents, address ?? '0.0.0.0');
  const facts = await gatherFacts({
    role: 'control-plane',
    nodeName,
    address,
    apiPort: plan.bindPort,
    proxyMode: String(plan.proxy.mode),
    running,
    runtimeSocket: runtimeEndpoint.replace(/^unix:\/\//, ''),
    runtime,
    skewMs: undefined,
    nodes: [],
    exec,
  });
  await steps.run('preflight', 'Preflight checks', async () => {
    refuseObstacles(facts, request.ignored, steps, new Set());
    await refuseChanges(plan);
    return true;
  });
  if (plan.kubernetesVersion !== undefined) steps.note(`kubernetesVersion ${plan.kubernetesVersion} is noted, and chooses nothing here`);
  return plan;
}

function serverFlags(plan: ClusterPlan): ServiceFlags {
  return {
    'data-dir': layout.serverDir,
    'pki-dir': layout.pkiDir,
    'kubeconfig-dir': layout.kubernetesDir,
    'advertise-address': plan.advertiseAddress,
    'secure-port': String(plan.bindPort),
    'cluster-cidr': plan.podSubnet,
    'service-cluster-ip-range': plan.serviceSubnet,
    'cluster-dns': plan.dnsAddress,
    'service-account-issuer': `https://kubernetes.default.svc.${plan.dnsDomain}`,
  };
}

/** Certificates and stored objects depend on these: another cluster is another "fairlead init". Throws BAD_CONFIG. */
async function refuseChanges(plan: ClusterPlan): Promise<void> {
  const changed = changedFlags(await readIfThere(envFile('server')), serverFlags(plan));
  if (changed.length === 0) return;
  throw new KnownError(
    'BAD_CONFIG',
    `Cannot make this cluster: the machine is the control plane of one with another ${changed.join(', ')}`,
    { hint: 'Say the same as before, or take the other away first: fairlead reset' },
  );
}

async function makeCertificates({ clock }: SetupContext, plan: ClusterPlan, nodeName: string): Promise<boolean> {
  const isThere = (await readIfThere(layout.adminConfig)) !== undefined;
  const [host = ''] = /^\[?([^\]]*?)\]?:\d+$/.exec(plan.endpoint)?.slice(1) ?? [];
  const extra = [host, ...plan.certSans];
  await ensureClusterPki({
    dir: layout.pkiDir,
    kubeconfigDir: layout.kubernetesDir,
    cluster: plan.clusterName,
    server: `https://${plan.endpoint}`,
    addresses: [plan.advertiseAddress, ...extra.filter(isIp)],
    names: [...new Set([nodeName, ...extra.filter((name) => !isIp(name))])],
    serviceAddress: plan.kubernetesAddress,
    clusterDomain: plan.dnsDomain,
    now: clock.now(),
  });
  return !isThere;
}

async function waitForServer({ clock, signal, timeoutMs, steps, keeper }: SetupContext, client: Client): Promise<boolean> {
  let looks = 0;
  const wait = { clock, signal, timeoutMs, onPatience: (text: string) => steps.note(text), hint: `See why: ${keeper.logHint('server')}` };
  await waitUntil('the control plane', wait, async () => {
    looks++;
    await client.raw('GET', '/readyz', { signal });
    return undefined;
  });
  return looks > 1;
}

async function publishClusterInfo(client: Client, plan: ClusterPlan): Promise<boolean> {
  const caPem = (await readIfThere(layout.caFile)) ?? '';
  return await ensureObjects(client, [clusterInfoObject({ server: `https://${plan.endpoint}`, caPem })]);
}

async function startNode(context: SetupContext, plan: ClusterPlan, request: InitRequest, runtime: RuntimeFacts): Promise<boolean> {
  const { nodeName, runtimeEndpoint, documents } = request;
  await ensureNodeCredential({
    pkiDir: layout.pkiDir,
    kubeconfig: layout.kubeletConfig,
    certDir: layout.certDir,
    cluster: plan.clusterName,
    server: `https://${plan.endpoint}`,
    node: nodeName,
    now: context.clock.now(),
  });
  const taints = request.taints ?? documents.init?.nodeRegistration?.taints ?? [controlPlaneTaint];
  return await startAgent(context, { nodeName, address: plan.advertiseAddress, runtimeEndpoint, runtime, taints });
}

/** Waits for the Node, and marks it, which its own kubelet may not do (NodeRestriction). */
async function finishNode(context: SetupContext, client: Client, { nodeName }: InitRequest, since: number): Promise<boolean> {
  const { metadata } = await waitForNode(context, client, nodeName, since);
  if (metadata.labels?.[controlPlaneLabel] === '') return false;
  const labels = { [controlPlaneLabel]: '', 'node.kubernetes.io/exclude-from-external-load-balancers': '' };
  await client.patch<Node>(nodes, nodeName, { metadata: { labels } });
  return true;
}

async function joinCommand({ endpoint }: ClusterPlan, token: Token): Promise<string> {
  const hash = publicKeyHash((await readIfThere(layout.caFile)) ?? '');
  return `fairlead join ${endpoint} --token ${tokenText(token)} --discovery-token-ca-cert-hash ${hash}`;
}
