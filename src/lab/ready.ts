/** Asking a cluster from inside the lab's own network, so that it works whether or not the machine is attached. */
import { decode, encode } from 'dns-packet';
import { nodes as nodeType } from '../api/resource-types.ts';
import type { Node } from '../api/schema/types.ts';
import type { Client } from '../client/client.ts';
import type { ClientConfig } from '../client/client-config.ts';
import { familyOf, parseIp } from '../ip/ip.ts';
import { askOverUdp } from './ask-over-udp.ts';
import { httpGet } from './http-get.ts';

/** Asks `/readyz`. Gives why it is not ready. */
export async function probeReadyz({ server, ca, cert, key }: ClientConfig): Promise<string | undefined> {
  const { code, body } = await httpGet(`${server}/readyz`, { ca, cert, key, timeout: 5000 });
  return code === 200 ? undefined : `it answers ${code} ${body.slice(0, 200)}`;
}

export function nodeIsReady(node: Node): boolean {
  return node.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') ?? false;
}

/**
 * Gives the first of the nodes that is not Ready, and why. `machines` is node → machine-id: a node that was booted again still has the
 * status of its former life until its kubelet reports.
 */
export async function probeNodes(client: Client, machines: ReadonlyMap<string, string>, signal: AbortSignal): Promise<string | undefined> {
  const { items } = await client.list<Node>(nodeType, { signal });
  for (const [name, machine] of machines) {
    const node = items.find((n) => n.metadata?.name === name);
    if (!node) return `node "${name}" has not registered`;
    if (node.status?.nodeInfo?.machineID !== machine) return `node "${name}" has not reported since it was booted`;
    const ready = node.status?.conditions?.find((c) => c.type === 'Ready');
    if (!nodeIsReady(node)) return `node "${name}" is not ready: ${ready?.message ?? 'it has not reported yet'}`;
    const bad = node.status?.conditions?.find((c) => c.type === 'NetworkUnavailable' && c.status === 'True');
    if (bad) return `node "${name}" has no pod network: ${bad.message ?? ''}`;
  }
  return undefined;
}

/** The addresses of a name, of the family of the server's own; `fd` is a bound socket of another namespace. Throws when nothing answers in time. */
export async function queryDns(server: string, name: string, timeoutMs = 2000, fd?: number): Promise<string[]> {
  const question = encode({
    type: 'query',
    id: 1,
    flags: 256,
    questions: [{ type: familyOf(server) === 6 ? 'AAAA' : 'A', class: 'IN', name }],
  });
  const { answers = [] } = decode(await askOverUdp(question, server, timeoutMs, fd));
  return answers.flatMap((a) => (a.type === 'A' || a.type === 'AAAA' ? [parseIp(a.data) ?? a.data] : []));
}
