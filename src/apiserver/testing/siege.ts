/** An API server under attack: what its nodes see before and meanwhile. For the test that it holds, and the bench that says how well. */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { Attack, AttackCounts, AttackKind } from './attack.ts';
import type { Renewed, Renewer } from './renewer.ts';
import { TestServer } from './test-server.ts';

export interface Measured extends Renewed {
  /** The most processor time that this thread spent between two looks at its connections, in milliseconds: what others did to it does not count. */
  readonly longestBlock: number;
}

export interface SiegeOptions {
  readonly kinds: readonly AttackKind[];
  readonly idleConnections: number;
  readonly watches: number;
  /** How long at least: it goes on until the server has felt every kind. */
  readonly ms: number;
}

export class Siege {
  readonly server: TestServer;
  readonly #renewer: Worker;
  readonly #token: string;

  private constructor(server: TestServer, renewer: Worker, token: string) {
    this.server = server;
    this.#renewer = renewer;
    this.#token = token;
  }

  static async prepare(): Promise<Siege> {
    const server = await TestServer.start();
    const node = await server.pki.client('system:node:n1', 'system:nodes');
    const agent = server.agent(node);
    await server.call('POST', '/api/v1/nodes', { metadata: { name: 'n1' } }, { agent });
    const leases = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases';
    await server.call('POST', leases, { metadata: { name: 'n1' }, spec: { holderIdentity: 'n1' } }, { agent });
    const token = await weakUser(server);
    const data: Renewer = { url: server.url, ca: server.pki.ca, ...node };
    const renewer = new Worker(new URL('./renewer.ts', import.meta.url), { workerData: data });
    return new Siege(server, renewer, token);
  }

  /** The same server at rest, for so long at least: on a busy machine the first renewal takes its time. */
  async idle(ms: number): Promise<Measured> {
    for (;;) {
      const idle = await this.measure(ms);
      if (idle.renewals.length > 0 && idle.probes.length > 0) return idle;
    }
  }

  /** The server as its nodes see it, until something has come to pass. */
  async measure(ms: number, until: Promise<unknown> = sleep(ms)): Promise<Measured> {
    await this.#told();
    let longest = 0;
    let before = process.threadCpuUsage();
    const timer = setInterval(() => {
      const now = process.threadCpuUsage();
      longest = Math.max(longest, now.user + now.system - before.user - before.system);
      before = now;
    }, 1);
    await until.finally(() => clearInterval(timer));
    return { ...(await this.#told()), longestBlock: longest / 1000 };
  }

  /** The same while it is attacked. */
  async attacked(options: SiegeOptions): Promise<Measured & { readonly answers: AttackCounts }> {
    const { kinds, idleConnections, watches, ms } = options;
    const { url, pki } = this.server;
    const data: Attack = { url, ca: pki.ca, token: this.#token, kinds, idleConnections, watches };
    const attacker = new Worker(new URL('./attacker.ts', import.meta.url), { workerData: data });
    try {
      const felt = once(attacker, 'message', { signal: AbortSignal.timeout(180_000) });
      const measured = await this.measure(ms, Promise.all([felt, sleep(ms)]));
      const told = once(attacker, 'message') as Promise<[AttackCounts]>;
      attacker.postMessage('stop');
      return { ...measured, answers: (await told)[0] };
    } finally {
      await attacker.terminate();
    }
  }

  async end(): Promise<void> {
    await this.#renewer.terminate();
    await this.server.stop();
  }

  async #told(): Promise<Renewed> {
    const told = once(this.#renewer, 'message') as Promise<[Renewed]>;
    this.#renewer.postMessage('tell');
    return (await told)[0];
  }
}

/** The token of a ServiceAccount that may read, watch and make ConfigMaps of its own namespace. */
async function weakUser(server: TestServer): Promise<string> {
  const rbac = '/apis/rbac.authorization.k8s.io/v1/namespaces/weak';
  await server.call('POST', '/api/v1/namespaces', { metadata: { name: 'weak' } });
  await server.call('POST', '/api/v1/namespaces/weak/serviceaccounts', { metadata: { name: 'weak' } });
  const rules = [{ apiGroups: [''], resources: ['configmaps'], verbs: ['get', 'list', 'watch', 'create'] }];
  await server.call('POST', `${rbac}/roles`, { metadata: { name: 'weak' }, rules });
  const subjects = [{ kind: 'ServiceAccount', name: 'weak', namespace: 'weak' }];
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'weak' };
  await server.call('POST', `${rbac}/rolebindings`, { metadata: { name: 'weak' }, subjects, roleRef });
  const { body } = await server.call('POST', '/api/v1/namespaces/weak/serviceaccounts/weak/token', {});
  return body.status.token;
}

/** The time within which this part of the answers came. */
export function quantile(took: readonly number[], part: number): number {
  return took.toSorted((a, b) => a - b)[Math.min(took.length - 1, Math.floor(took.length * part))] ?? Number.NaN;
}
