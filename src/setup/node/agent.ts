/** The node part of init and join: the agent's flags, its start, and the Node that it makes. */
import { existsSync } from 'node:fs';
import { nodes } from '../../api/resource-types.ts';
import type { Node, Taint } from '../../api/schema/types.ts';
import { waitUntil } from '../../cli/wait-until.ts';
import { ignoreNotFound } from '../../client/api-error.ts';
import type { Client } from '../../client/client.ts';
import { knownNode } from '../join/cluster-facts.ts';
import { layout } from '../layout.ts';
import type { RuntimeFacts } from '../preflight/gather.ts';
import { identity } from '../preflight/gather.ts';
import { type Identity, isOfMachine } from '../preflight/identity.ts';
import { ensureService, type ServiceFlags } from '../service/service.ts';
import type { SetupContext } from '../setup-context.ts';
import { setKernel } from './kernel-settings.ts';

export interface AgentWish {
  readonly nodeName: string;
  readonly addresses: readonly string[];
  readonly runtimeEndpoint: string;
  readonly runtime: RuntimeFacts;
  /** With which the kubelet makes the Node; undefined where nobody has said any. */
  readonly taints: readonly Taint[] | undefined;
}

/** Behind systemd-resolved: what /etc/resolv.conf says there is an address of this machine alone, which no pod reaches. */
const resolvedConf = '/run/systemd/resolve/resolv.conf';

/** What every other flag would say comes from the cluster. */
export function agentFlags({ nodeName, addresses, runtimeEndpoint, runtime, taints }: AgentWish, hasResolved: boolean): ServiceFlags {
  return {
    'node-name': nodeName,
    'node-ip': addresses.join(),
    kubeconfig: layout.kubeletConfig,
    'cert-dir': layout.certDir,
    // The API server checks whom it asks for logs; approved for the Node's own addresses.
    'rotate-server-certificates': 'true',
    'cluster-settings': 'true',
    'runtime-endpoint': runtimeEndpoint,
    ...(runtime.cniBinDir === undefined ? {} : { 'cni-bin-dir': runtime.cniBinDir }),
    ...(runtime.cniConfDir === undefined ? {} : { 'cni-conf-dir': runtime.cniConfDir }),
    ...(hasResolved ? { 'resolv-conf': resolvedConf } : {}),
    // Also none, where somebody wanted that: who runs the command again need not say so again.
    ...(taints === undefined
      ? {}
      : { 'register-with-taints': taints.map(({ key, value = '', effect }) => `${key}=${value}:${effect}`).join(',') }),
  };
}

/** Starts it with what it needs of the kernel. True when there was something to do. */
export async function startAgent({ exec, keeper }: SetupContext, wish: AgentWish, more: ServiceFlags = {}): Promise<boolean> {
  const isKernelChanged = await setKernel(exec);
  return (await ensureService(keeper, 'agent', { ...agentFlags(wish, existsSync(resolvedConf)), ...more })) || isKernelChanged;
}

/**
 * Why the Node is not what it will be: not there, of another machine or a former life of this one, not ready, or with a kubelet of another version
 * than the one that is given. `since` is milliseconds since the epoch.
 */
export function nodeProblem(node: Node | undefined, name: string, machine: Identity, since: number, version?: string): string | undefined {
  if (!node?.status?.nodeInfo) return `node "${name}" has not registered`;
  if (!isOfMachine(knownNode(node), machine)) return `node "${name}" is that of another machine so far`;
  const ready = node.status.conditions?.find(({ type }) => type === 'Ready');
  // By this machine's clock, as its kubelet wrote it; in whole seconds.
  if (!(Date.parse(ready?.lastHeartbeatTime ?? '') >= since - 1000)) return `node "${name}" has not reported since its agent was started`;
  const { kubeletVersion } = node.status.nodeInfo;
  if (version !== undefined && kubeletVersion !== version) return `node "${name}" runs ${kubeletVersion} so far`;
  return ready?.status === 'True' ? undefined : `node "${name}" is not ready: ${ready?.message ?? ''}`;
}

/** Gives the Node once it is Ready, and has said so since then. Throws TIMED_OUT with the reason. */
export async function waitForNode(
  { clock, signal, timeoutMs, steps, keeper }: SetupContext,
  client: Client,
  name: string,
  since: number,
  version?: string,
): Promise<Node> {
  const machine = await identity();
  let node: Node | undefined;
  const wait = {
    clock,
    signal,
    timeoutMs,
    everyMs: 200,
    onPatience: (text: string) => steps.note(text),
    hint: `See why: ${keeper.logHint('agent')}`,
  };
  await waitUntil(`node "${name}" to be Ready`, wait, async () => {
    node = await client.get<Node>(nodes, name, { signal }).catch(ignoreNotFound);
    return nodeProblem(node, name, machine, since, version);
  });
  return node as Node;
}
