/** `fairlead join`: makes this machine a node of a cluster that it can trust. Every step finds what an earlier run has done. */
import { X509Certificate } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type KubeObject, nodes } from '../../api/resource-types.ts';
import type { Node } from '../../api/schema/types.ts';
import { kubeconfigText } from '../../bootstrap/kubeconfig-text.ts';
import { writeSecret } from '../../bootstrap/secret-file.ts';
import { Client } from '../../client/client.ts';
import type { ClientConfig } from '../../client/client-config.ts';
import { loadKubeconfig } from '../../client/kubeconfig.ts';
import { KnownError } from '../../errors/known-error.ts';
import { makeFolder } from '../../linux/put-file.ts';
import { endpointOf, hostOf } from '../config/cluster-plan.ts';
import { markControlPlane } from '../control-plane/control-plane.ts';
import type { ClusterInfo } from '../discovery/cluster-info.ts';
import { bootstrapClient, discover } from '../discovery/discovery.ts';
import { layout } from '../layout.ts';
import { startAgent, waitForNode } from '../node/agent.ts';
import type { NodeTaints } from '../node/earlier-node.ts';
import { readNodeConfig } from '../node/node-config.ts';
import { type AddressWish, nodeAddresses } from '../node-address.ts';
import type { Facts } from '../preflight/facts.ts';
import { gatherFacts, type RuntimeFacts } from '../preflight/gather.ts';
import { refuseObstacles } from '../preflight/preflight.ts';
import { runningServices } from '../service/service.ts';
import type { SetupContext } from '../setup-context.ts';
import type { StepRecord } from '../steps.ts';
import { type Token, tokenText } from '../token/token.ts';
import { knownNode } from './cluster-facts.ts';
import { becomeControlPlane, type ControlPlaneWish } from './control-plane.ts';
import { type FitRequest, fitCluster } from './fit-cluster.ts';
import { waitForRights } from './node-rights.ts';
import { requireSameCluster } from './same-cluster.ts';

export interface JoinRequest {
  readonly nodeName: string;
  readonly address: AddressWish;
  /** `HOST:PORT` of the control plane. */
  readonly endpoint: string;
  readonly token: Token;
  /** Pins of the authority's key; empty only where somebody has said that any will do. */
  readonly hashes: readonly string[];
  readonly taints: NodeTaints;
  readonly ignored: readonly string[];
  readonly runtimeEndpoint: string;
  /** The machine becomes one more control plane, and a node. */
  readonly controlPlane: ControlPlaneWish | undefined;
  /** What the parts of a node cannot be without. */
  readonly nodeRoles: readonly KubeObject[];
}

export interface JoinResult {
  readonly nodeName: string;
  readonly address: string;
  readonly server: string;
  /** An administrator's, on a control plane. */
  readonly kubeconfig?: string;
  readonly steps: readonly StepRecord[];
}

export async function runJoin(context: SetupContext, request: JoinRequest): Promise<JoinResult> {
  const { steps } = context;
  const endpoint = endpointOf(request.endpoint, 6443);
  const told = new Set<string>();
  const runtime = await context.readRuntime(request.runtimeEndpoint);
  const facts = await lookAround(context, request, endpoint, runtime);
  await steps.run('preflight', 'Preflight checks', async () => {
    refuseObstacles(facts, request.ignored, steps, told);
    return true;
  });
  const info = await trust(context, request, endpoint);
  const { addresses, admin } = await fitIn(context, request, info, { facts, told, endpoint });
  try {
    await steps.run('credential', `Certificate of node "${request.nodeName}"`, () => makeCredential(context, request, info));
    return await startNode(context, { ...request, addresses, runtime }, admin);
  } finally {
    admin?.close();
  }
}

interface Place {
  readonly addresses: readonly string[];
  /** An administrator's, of the API server that runs here then: of a further control plane. */
  readonly admin: Client | undefined;
}

async function fitIn(
  context: SetupContext,
  request: JoinRequest,
  info: ClusterInfo | undefined,
  { endpoint, ...seen }: Pick<FitRequest, 'facts' | 'told'> & { readonly endpoint: string },
): Promise<Place> {
  const { controlPlane, nodeName, token, ignored } = request;
  const own = info === undefined ? new Client(await loadKubeconfig(layout.kubeletConfig)) : bootstrapClient(info, token);
  const shown = info === undefined ? undefined : token;
  const addressesFor: FitRequest['addressesFor'] = (families) =>
    nodeAddresses(request.address, families, hostOf(endpoint), hostOf(endpoint));
  let { addresses } = seen.facts;
  try {
    await context.steps.run('cluster', 'Name, address and clock fit the cluster', async () => {
      ({ addresses } = await fitCluster(context, own, { ...seen, addressesFor, ignored, token: shown }));
      return true;
    });
    const admin = controlPlane && (await becomeControlPlane(context, own, controlPlane, { nodeName, addresses, token, info }));
    return { addresses, admin };
  } finally {
    own.close();
  }
}

type NodeRequest = JoinRequest & Pick<Place, 'addresses'> & { readonly runtime: RuntimeFacts };

async function startNode(context: SetupContext, request: NodeRequest, admin: Client | undefined): Promise<JoinResult> {
  const { steps } = context;
  const { nodeName, addresses, taints } = request;
  const client = new Client(await loadKubeconfig(layout.kubeletConfig));
  try {
    await waitForRights(context, client, request.nodeRoles);
    const before = context.clock.now();
    const isStarted = await steps.run('node', `Agent of node "${nodeName}" started`, () =>
      startAgent(context, { ...request, taints: taints.registered }),
    );
    await steps.run('node-ready', `Node "${nodeName}" is Ready at ${addresses.join(' and ')}`, async () => {
      const node = await waitUntilAlone(context, client, request, isStarted ? before : 0);
      return admin === undefined || (await markControlPlane(context, admin, node, taints.marked));
    });
    const kubeconfig = admin === undefined ? {} : { kubeconfig: layout.adminConfig };
    return { nodeName, address: addresses[0] ?? '', server: client.server, ...kubeconfig, steps: steps.records };
  } finally {
    client.close();
  }
}

/** What can be told before anybody is asked. */
async function lookAround(context: SetupContext, request: JoinRequest, endpoint: string, runtime: RuntimeFacts): Promise<Facts> {
  const { nodeName, runtimeEndpoint, controlPlane } = request;
  return await gatherFacts({
    role: controlPlane ? 'control-plane' : 'worker',
    nodeName,
    addresses: await nodeAddresses(request.address, [], hostOf(endpoint), hostOf(endpoint)),
    families: [],
    apiPort: controlPlane?.bindPort ?? 6443,
    proxyMode: '',
    running: await runningServices(context.keeper),
    runtimeSocket: runtimeEndpoint.replace(/^unix:\/\//, ''),
    runtime,
    skewMs: undefined,
    nodes: [],
    // A control plane may have a member of the cluster's own.
    ownsEtcd: controlPlane !== undefined,
    exec: context.exec,
  });
}

/** Whom to trust; undefined when an earlier run has found out, and got the machine its certificate, which has not ended since. */
async function trust(context: SetupContext, request: JoinRequest, endpoint: string): Promise<ClusterInfo | undefined> {
  const { clock, signal, steps, timeoutMs } = context;
  const { token, hashes } = request;
  const known = await readNodeConfig();
  if (known !== undefined) {
    await steps.run('discovery', `Authority of ${endpoint}`, async () => {
      await requireSameCluster(context, known, endpoint, hashes);
      return false;
    });
    if (!hasEnded(known, clock.now())) return undefined;
  }
  let info: ClusterInfo | undefined;
  await steps.run('discovery', `Authority of ${endpoint} checked by ${hashes.length > 0 ? 'its hash and ' : ''}the token`, async () => {
    info = await discover({ address: endpoint, token, hashes, clock, signal, timeoutMs, onWait: (why) => steps.note(`Waiting: ${why}`) });
    return true;
  });
  return info;
}

/** Nobody knows the machine by it any more, or a power cut has emptied it: it gets another as at first, and its pods live on. */
export function hasEnded({ cert }: Pick<ClientConfig, 'cert'>, now: number): boolean {
  if (cert === '') return true;
  return cert !== undefined && new X509Certificate(cert).validToDate.getTime() <= now;
}

async function makeCredential(context: SetupContext, request: JoinRequest, info: ClusterInfo | undefined): Promise<boolean> {
  if (info === undefined) return false;
  const { signal, steps, timeoutMs } = context;
  const { nodeName } = request;
  const { bootstrapConfig: bootstrapKubeconfig, kubeletConfig: kubeconfig, certDir } = layout;
  makeFolder(dirname(layout.caFile), 0o755);
  await writeSecret(layout.caFile, info.caPem);
  const credential = { token: tokenText(request.token) };
  await writeSecret(bootstrapKubeconfig, kubeconfigText({ cluster: 'kubernetes', user: 'tls-bootstrap-token-user', ...info, credential }));
  let last = 'nobody answers';
  const onWait = (why: string): void => {
    last = why;
    steps.note(why);
  };
  const patience = AbortSignal.timeout(timeoutMs);
  try {
    const both = AbortSignal.any([signal, patience]);
    await context.getCredential({ nodeName, bootstrapKubeconfig, kubeconfig, certDir, onWait, signal: both });
  } catch (err) {
    if (!patience.aborted || signal.aborted) throw err;
    throw new KnownError('TIMED_OUT', `Cannot wait longer for the certificate of node "${nodeName}": ${last}`, {
      hint: 'On the control plane: kubectl get csr',
    });
  }
  // It holds the token.
  await rm(bootstrapKubeconfig, { force: true });
  return true;
}

/** Two machines that join at the same moment do not see each other before: of those with one address the older stays. */
async function waitUntilAlone(
  context: SetupContext,
  client: Client,
  { nodeName: name, addresses }: NodeRequest,
  since: number,
): Promise<Node> {
  const own = await waitForNode(context, client, name, since);
  const { items } = await client.list<Node>(nodes, { signal: context.signal });
  const created = (node: Node): number => Date.parse(node.metadata.creationTimestamp ?? '');
  const taken = items
    .filter((node) => node.metadata.name !== name && created(node) <= created(own))
    .map(knownNode)
    .flatMap((older) => addresses.filter((ip) => older.addresses.includes(ip)).map((address) => ({ older, address })))[0];
  if (!taken) return own;
  await context.keeper.stop('agent');
  throw new KnownError('CHECK_FAILED', `Cannot stay in the cluster: node "${taken.older.name}" has the address ${taken.address} already`, {
    hint: `Give this machine another, or name its network with --node-cidr; then: kubectl delete node ${name}`,
  });
}
