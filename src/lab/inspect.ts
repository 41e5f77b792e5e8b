/** Asks the parts of a running lab whether they answer: that a process lives says little. */
import { connect } from 'node:net';
import { nodes as nodeType } from '../api/resource-types.ts';
import type { Node } from '../api/schema/types.ts';
import { Client } from '../client/client.ts';
import type { ClientConfig } from '../client/client-config.ts';
import { loadKubeconfig } from '../client/kubeconfig.ts';
import { familyOf, joinHostPort } from '../ip/ip.ts';
import { listenInNetns } from '../linux/listen-in-netns.ts';
import { enterNetns, netnsExists } from '../linux/netns.ts';
import { withoutAgentParts } from './lab-options.ts';
import type { LabPlan } from './plan.ts';
import type { ProcessId } from './process-id.ts';
import { nodeIsReady, probeReadyz, queryDns } from './ready.ts';
import { relayPort } from './relay/login.ts';

const answerWithinMs = 2000;

/** The nodes whose own DNS server answers, and on which the Service of all of them does: what a pod there would see. */
export async function askDns(
  plan: LabPlan,
  inits: ReadonlyMap<string, ProcessId>,
  timeoutMs: number = answerWithinMs,
): Promise<ReadonlySet<string>> {
  const name = `kubernetes.default.svc.${plan.options.clusterDomain}`;
  const ask = async (server: string, { pid }: ProcessId): Promise<void> => {
    const socket = listenInNetns(`/proc/${pid}/ns/net`, 'udp', familyOf(server) === 6 ? '::' : '0.0.0.0', 0);
    const answer = await queryDns(server, name, timeoutMs, socket);
    if (!answer.includes(plan.kubernetesAddress)) throw new Error(`${server} does not know ${name}`);
  };
  const answering = await Promise.all(
    plan.nodes.map(async (node) => {
      const init = inits.get(node.name);
      if (!init) return [];
      const servers = [plan.dnsAddress, ...(withoutAgentParts(node).includes('dns') ? [] : [node.address])];
      return await Promise.all(servers.map((server) => ask(server, init))).then(
        () => [node.name],
        () => [],
      );
    }),
  );
  return new Set(answering.flat());
}

export interface ApiView {
  readonly answers: boolean;
  /** The nodes that it calls Ready. */
  readonly ready: ReadonlySet<string>;
  /** The control planes whose own server answers. */
  readonly serving: ReadonlySet<string>;
}

const noApi: ApiView = { answers: false, ready: new Set(), serving: new Set() };

/** The control planes whose own server is ready. */
async function askEach(plan: LabPlan, config: ClientConfig): Promise<ReadonlySet<string>> {
  const asked = plan.controlPlanes.map(async ({ name, address }) => {
    const why = await probeReadyz({ ...config, server: `https://${joinHostPort(address, 6443)}` }).catch(String);
    return why === undefined ? [name] : [];
  });
  return new Set((await Promise.all(asked)).flat());
}

async function askApi(plan: LabPlan): Promise<ApiView> {
  const config = await loadKubeconfig(plan.kubeconfig).catch(() => undefined);
  if (!config) return noApi;
  const client = new Client(config);
  try {
    const [serving, why, { items }] = await Promise.all([
      askEach(plan, config),
      probeReadyz(config),
      client.list<Node>(nodeType, { signal: AbortSignal.timeout(answerWithinMs) }),
    ]);
    return { answers: why === undefined, serving, ready: new Set(items.filter(nodeIsReady).map((node) => node.metadata?.name ?? '')) };
  } catch {
    return noApi;
  } finally {
    client.close();
  }
}

/** The relay answers, if only that it does not serve this one. */
export function askRelay(plan: LabPlan): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: plan.relayAddress, port: relayPort, timeout: answerWithinMs });
    const finish = (answers: boolean): void => {
      resolve(answers);
      socket.destroy();
    };
    socket.on('data', () => finish(true)).on('close', () => finish(false));
    socket.on('error', () => finish(false)).on('timeout', () => finish(false));
    socket.write('CONNECT none:443 HTTP/1.1\r\nHost: none:443\r\n\r\n');
  });
}

/** Asks from the network between the nodes, so that it works whether or not this machine is attached. */
export async function askServers(plan: LabPlan): Promise<{ readonly api: ApiView; readonly relay: boolean }> {
  if (!netnsExists(plan.underlayNetns)) return { api: noApi, relay: false };
  using _inside = enterNetns(plan.underlayNetns);
  const [api, relay] = await Promise.all([askApi(plan), plan.options.relay && askRelay(plan)]);
  return { api, relay };
}
