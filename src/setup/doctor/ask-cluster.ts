/** What the API server says to this node: the time, the nodes, and how it sees this one. */
import { existsSync } from 'node:fs';
import { nodes as nodesResource } from '../../api/resource-types.ts';
import type { Node } from '../../api/schema/types.ts';
import { ApiError, ignoreNotFound, isForbidden, isOutOfTime } from '../../client/api-error.ts';
import { Client } from '../../client/client.ts';
import type { ClientConfig } from '../../client/client-config.ts';
import { loadKubeconfig } from '../../client/kubeconfig.ts';
import { messageOf, systemCode } from '../../errors/known-error.ts';
import { knownNode, skewOf } from '../join/cluster-facts.ts';
import type { Facts } from '../preflight/facts.ts';
import type { SetupContext } from '../setup-context.ts';
import type { ClusterFact, NodeFact } from './facts.ts';

export interface Heard extends Pick<Facts, 'nodes' | 'skewMs'> {
  readonly cluster: ClusterFact;
}

type Context = Pick<SetupContext, 'clock' | 'signal' | 'timeoutMs'>;

export async function askCluster(kubeconfig: string, nodeName: string, context: Context): Promise<Heard> {
  let config: ClientConfig;
  try {
    config = await loadKubeconfig(kubeconfig);
  } catch (err) {
    const isThere = existsSync(kubeconfig);
    const kind = isThere && !(err instanceof Error && systemCode(err.cause) === 'EACCES') ? 'unusable' : 'none';
    const why = isThere ? messageOf(err) : `there is no ${kubeconfig}: this machine has not joined`;
    return { cluster: { kind, why }, nodes: [], skewMs: undefined };
  }
  const client = new Client({ ...config, timeoutMs: context.timeoutMs });
  try {
    return await ask(client, nodeName, context);
  } finally {
    client.close();
  }
}

async function ask(client: Client, nodeName: string, context: Context): Promise<Heard> {
  const { server } = client;
  const { signal } = context;
  let skewMs: number | undefined;
  try {
    skewMs = await askTime(client, context);
    const items = await listNodes(client, nodeName, signal);
    const own = items.find(({ metadata }) => metadata.name === nodeName);
    return { cluster: { kind: 'heard', server, node: own && nodeFact(own) }, nodes: items.map(knownNode), skewMs };
  } catch (err) {
    signal.throwIfAborted();
    const kind = err instanceof ApiError && (err.code === 401 || err.code === 403) ? 'refused' : 'silent';
    const outOfTime = isOutOfTime(err);
    // With a clock that is far off no certificate holds. What time it is there is asked all the same, and nothing is told to whoever answers.
    if (outOfTime) skewMs = await askTimeOfAnybody(server, context);
    return { cluster: { kind, server, why: messageOf(err), outOfTime }, nodes: [], skewMs };
  }
}

async function askTime(client: Client, { clock, signal }: Context): Promise<number | undefined> {
  const before = clock.now();
  const response = await client.transport.send({ method: 'GET', path: '/version', signal });
  response.resume();
  return skewOf(response.headers.date, before, clock.now());
}

async function askTimeOfAnybody(server: string, context: Context): Promise<number | undefined> {
  const client = new Client({ server, insecureSkipTlsVerify: true, timeoutMs: context.timeoutMs });
  try {
    return await askTime(client, context);
  } catch {
    context.signal.throwIfAborted();
    return undefined;
  } finally {
    client.close();
  }
}

/** Where the node's parts have credentials of their own, as in a lab, that of its kubelet shows its own Node alone. */
async function listNodes(client: Client, nodeName: string, signal: AbortSignal): Promise<Node[]> {
  try {
    return (await client.list<Node>(nodesResource, { signal })).items;
  } catch (err) {
    if (!isForbidden(err)) throw err;
    const own = await client.get<Node>(nodesResource, nodeName, { signal }).catch(ignoreNotFound);
    return own ? [own] : [];
  }
}

function nodeFact(node: Node): NodeFact {
  const ready = node.status?.conditions?.find(({ type }) => type === 'Ready');
  const { addresses, isReady } = knownNode(node);
  return { isReady, message: ready?.message ?? 'it has not said so yet', addresses };
}
