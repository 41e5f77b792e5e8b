/** What the tour shows of a cluster: the tables and waits that kubectl would give. */

import { deployments, nodes, pods, services } from '../../api/resource-types.ts';
import type { Deployment, Node, Pod, Service } from '../../api/schema/types.ts';
import { renderTable } from '../../cli/output.ts';
import { waitUntil } from '../../cli/wait-until.ts';
import type { Client } from '../../client/client.ts';
import type { Clock } from '../../clock/clock.ts';
import { nodeIsReady } from '../ready.ts';

export const namespace = 'default';
const selector = { namespace, labelSelector: 'app=web' };

export async function nodeTable(client: Client): Promise<string> {
  const { items } = await client.list<Node>(nodes);
  const rows = items.map((node) => {
    const roles = Object.keys(node.metadata.labels ?? {}).flatMap((label) => label.match(/^node-role\.kubernetes\.io\/(.+)$/)?.[1] ?? []);
    const address = node.status?.addresses?.find((a) => a.type === 'InternalIP')?.address ?? '<none>';
    const version = node.status?.nodeInfo?.kubeletVersion ?? '';
    return [node.metadata.name ?? '', nodeIsReady(node) ? 'Ready' : 'NotReady', roles.join(',') || '<none>', version, address];
  });
  if (!items.every(nodeIsReady)) throw new Error(`a node is not Ready:\n${renderTable(['NAME', 'STATUS'], rows)}`);
  return renderTable(['NAME', 'STATUS', 'ROLES', 'VERSION', 'INTERNAL-IP'], rows);
}

function podIsReady(pod: Pod): boolean {
  return !pod.metadata.deletionTimestamp && (pod.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') ?? false);
}

/** The ready pods of the tour, by name. */
export async function readyPods(client: Client): Promise<Pod[]> {
  const { items } = await client.list<Pod>(pods, selector);
  return items.filter(podIsReady).toSorted((a, b) => ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1));
}

export async function podTable(client: Client): Promise<string> {
  const rows = (await readyPods(client)).map((pod) => [
    pod.metadata.name ?? '',
    '1/1',
    pod.status?.phase ?? '',
    pod.status?.podIP ?? '',
    pod.spec?.nodeName ?? '',
  ]);
  return renderTable(['NAME', 'READY', 'STATUS', 'IP', 'NODE'], rows);
}

/** Waits for exactly so many ready pods that the Deployment knows of. */
export async function rollout(client: Client, clock: Clock, count: number, signal: AbortSignal, without?: string): Promise<string> {
  await waitUntil(`${count} ready pods`, { clock, timeoutMs: 30_000, signal, hint: 'kubectl describe pods' }, async () => {
    const ready = await readyPods(client);
    if (without !== undefined && ready.some((pod) => pod.metadata.name === without)) return `${without} is still there`;
    const deployment = await client.get<Deployment>(deployments, 'web', { namespace });
    const counted = deployment.status?.readyReplicas ?? 0;
    return ready.length === count && counted === count ? undefined : `${ready.length} are ready, the Deployment counts ${counted}`;
  });
  return 'deployment "web" successfully rolled out';
}

export async function serviceAddress(client: Client, name: string): Promise<string> {
  const service = await client.get<Service>(services, name, { namespace });
  const address = service.spec?.clusterIP;
  if (!address) throw new Error(`Service "${name}" has no address`);
  return address;
}
