/** Waiting for a cluster from inside the lab's own network, so that it works whether or not the machine is attached. */
import { createSocket } from 'node:dgram';
import { request } from 'node:https';
import { decode, encode } from 'dns-packet';
import { nodes as nodeType } from '../api/resource-types.ts';
import type { Node } from '../api/schema/types.ts';
import type { Client } from '../client/client.ts';
import type { ClientConfig } from '../client/client-config.ts';
import type { Clock } from '../clock/clock.ts';
import { KnownError, messageOf } from '../errors/known-error.ts';

export interface WaitOptions {
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Told after ten seconds, twenty, forty … why it is still waiting: a slow machine must not look like a dead one. */
  readonly onPatience?: (text: string) => void;
}

const patienceMs = 10_000;

/** Calls `probe` until it gives nothing; throws TIMED_OUT with the last reason. */
export async function waitUntil(
  what: string,
  options: WaitOptions & { readonly hint: string },
  probe: () => Promise<string | undefined>,
): Promise<void> {
  const { clock, signal } = options;
  const deadline = clock.monotonic() + options.timeoutMs;
  const began = clock.monotonic();
  let patience = patienceMs;
  for (;;) {
    signal.throwIfAborted();
    const reason = await probe().catch((err: unknown) => messageOf(err));
    if (reason === undefined) return;
    if (clock.monotonic() - began > patience) {
      options.onPatience?.(`Waiting for ${what}: ${reason}`);
      patience *= 2;
    }
    if (clock.monotonic() > deadline)
      throw new KnownError('TIMED_OUT', `Cannot wait longer for ${what}: ${reason}`, { hint: options.hint });
    await clock.sleep(50, signal);
  }
}

/** Asks `/readyz`. Gives why it is not ready. */
export function probeReadyz(config: ClientConfig): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const { ca, cert, key } = config;
    const call = request(`${config.server}/readyz`, { ca, cert, key, agent: false, timeout: 5000 }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      response.on('end', () =>
        resolve(response.statusCode === 200 ? undefined : `it answers ${response.statusCode} ${body.slice(0, 200)}`),
      );
    });
    call.on('timeout', () => call.destroy(new Error('no answer within 5 s')));
    call.on('error', reject);
    call.end();
  });
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

/**
 * Asks a DNS server for one name over UDP, by a bound socket (`fd`) of another namespace if need be. Gives the addresses. Throws when
 * nothing answers in time.
 */
export function queryDns(server: string, name: string, timeoutMs = 2000, fd?: number): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    const timer = setTimeout(() => finish(new Error(`${server} does not answer within ${timeoutMs} ms`)), timeoutMs);
    const finish = (result: Error | string[]): void => {
      clearTimeout(timer);
      socket.close();
      if (result instanceof Error) reject(result);
      else resolve(result);
    };
    socket.on('error', finish);
    if (fd !== undefined) socket.bind({ fd });
    socket.on('message', (bytes) => {
      const answer = decode(bytes);
      finish((answer.answers ?? []).flatMap((a) => (a.type === 'A' ? [a.data] : [])));
    });
    socket.send(encode({ type: 'query', id: 1, flags: 256, questions: [{ type: 'A', class: 'IN', name }] }), 53, server);
  });
}
