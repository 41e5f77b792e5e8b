import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { nodes as nodeType } from '../api/resource-types.ts';
import type { Node } from '../api/schema/types.ts';
import { labelNodeRoleControlPlane } from '../api/well-known.ts';
import { type WaitOptions, waitUntil } from '../cli/wait-until.ts';
import { Client } from '../client/client.ts';
import type { ClientConfig } from '../client/client-config.ts';
import { loadKubeconfig } from '../client/kubeconfig.ts';
import { joinHostPort } from '../ip/ip.ts';
import { enterNetns } from '../linux/netns.ts';
import type { LabContext } from './down.ts';
import { askDns, askRelay } from './inspect.ts';
import { withoutAgentParts, withoutServerParts } from './lab-options.ts';
import { isBalanced, type LabPlan, type NodePlan } from './plan.ts';
import type { ProcessId } from './process-id.ts';
import { probeNodes, probeReadyz, queryDns } from './ready.ts';

type Patience = Pick<WaitOptions, 'timeoutMs' | 'signal'>;

/** The nodes that depend on nothing which somebody else brings. A node needs a podCIDR from the controllers to be ready. */
export function ownNodes(plan: LabPlan): NodePlan[] {
  return withoutServerParts(plan.controlPlane).includes('controller-manager')
    ? []
    : plan.nodes.filter((node) => withoutAgentParts(node).length === 0);
}

/** A question may be lost while rules are being laid, so the first ones are not waited for long; a slow machine needs longer. */
const firstPatienceMs = 250;

/**
 * Waits for the API server, for every node and for DNS; not for what needs parts that somebody else brings. Labels the control planes,
 * which their own kubelets may not do (NodeRestriction).
 */
export async function waitForCluster(context: LabContext, plan: LabPlan, options: Patience): Promise<void> {
  const { clock, progress } = context;
  const wait = { clock, ...options, onPatience: (text: string) => progress.note(text) };
  const logs = (node: string, file: string): string => `See ${join(plan.dir, 'nodes', node, 'log', file)}`;
  const config = await loadKubeconfig(plan.kubeconfig);
  const machines = new Map<string, string>();
  const own = ownNodes(plan);
  for (const node of own) machines.set(node.name, (await readFile(join(node.dir, 'etc', 'machine-id'), 'utf8')).trim());
  using _inside = enterNetns(plan.underlayNetns);
  await waitForServers(plan, config, { ...wait, progress, hint: logs('control-plane', 'server.log') });
  const client = new Client(config);
  if (own.length < plan.nodes.length)
    progress.note(
      `Not waiting for ${plan.nodes.filter((node) => !own.includes(node)).map((node) => node.name)}: without ${plan.options.without}`,
    );
  if (!own.includes(plan.controlPlane)) return;
  await progress.step(`${own.length === 1 ? '1 node' : `${own.length} nodes`} Ready`, () =>
    waitUntil('the nodes', { ...wait, hint: logs('NODE', 'agent.log') }, () => probeNodes(client, machines, options.signal)),
  );
  for (const { name } of plan.controlPlanes)
    await client.patch<Node>(nodeType, name, { metadata: { labels: { [labelNodeRoleControlPlane]: '' } } });
  await removeForeignNodes(client, plan);
  let patienceMs = firstPatienceMs;
  await progress.step(`DNS answers at ${plan.dnsAddress}`, () =>
    waitUntil('DNS', { ...wait, hint: logs('control-plane', 'agent.log') }, async () => {
      const name = `kubernetes.default.svc.${plan.options.clusterDomain}`;
      patienceMs += firstPatienceMs;
      const answer = await queryDns(plan.dnsAddress, name, patienceMs);
      return answer.includes(plan.kubernetesAddress) ? undefined : `it does not know ${name}`;
    }),
  );
}

/** Waits until the cluster is reached where everybody asks for it, and until each of several servers answers. */
async function waitForServers(
  plan: LabPlan,
  config: ClientConfig,
  { progress, ...wait }: WaitOptions & { readonly hint: string; readonly progress: LabContext['progress'] },
): Promise<void> {
  const each = isBalanced(plan) ? plan.controlPlanes.map(({ address }) => `https://${joinHostPort(address, 6443)}`) : [];
  const label = each.length === 0 ? 'API server' : `${each.length} API servers`;
  await progress.step(`${label} ready at ${plan.server}`, async () => {
    for (const server of [...each, plan.server])
      await waitUntil(`the API server at ${server}`, wait, () => probeReadyz({ ...config, server }));
  });
}

/** Waits until what `lab status` asks for answers too: each node's own DNS, and the relay. */
export async function waitForParts(
  context: LabContext,
  plan: LabPlan,
  inits: ReadonlyMap<string, ProcessId>,
  options: Patience,
): Promise<void> {
  const { clock, progress } = context;
  const own = ownNodes(plan);
  const waited = own.includes(plan.controlPlane) ? own : [];
  let patienceMs = firstPatienceMs;
  const wait = { clock, ...options, hint: `See ${join(plan.dir, 'nodes')}`, onPatience: (text: string) => progress.note(text) };
  await waitUntil('every part to answer', wait, async () => {
    const answering = await askDns(plan, inits, patienceMs);
    patienceMs += firstPatienceMs;
    const silent = waited.filter((node) => !answering.has(node.name)).map((node) => node.name);
    if (silent.length > 0) return `no DNS on ${silent.join(', ')}`;
    if (!plan.options.relay) return undefined;
    using _inside = enterNetns(plan.underlayNetns);
    return (await askRelay(plan)) ? undefined : 'no relay';
  });
}

/** Nodes that the lab no longer has: it was started with fewer workers this time. */
async function removeForeignNodes(client: Client, plan: LabPlan): Promise<void> {
  const { items } = await client.list<Node>(nodeType);
  for (const node of items) {
    const name = node.metadata?.name ?? '';
    if (/^worker-\d+$/.test(name) && !plan.nodes.some((n) => n.name === name)) await client.delete(nodeType, name);
  }
}
