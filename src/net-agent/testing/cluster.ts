/** A cluster for tests whose nodes are network namespaces, each with a net-agent in a process of its own. */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Node } from '../../api/schema/types.ts';
import type { Namespaces } from '../../linux/testing/namespaces.ts';
import type { BackendConfig } from '../backend/backend.ts';

/** A line of an agent (agent.ts). */
interface Said {
  readonly ready?: true;
  readonly network?: { readonly mtu: number };
  readonly patch?: Partial<Node>;
  readonly subresource?: string;
  readonly warning?: string;
}

/** The API server's part beside agents that run in namespaces: keeps Nodes, takes patches, tells every agent. */
export class NetCluster {
  readonly nodes: Map<string, Node> = new Map();
  readonly ready: Set<string> = new Set();
  readonly networks: { readonly node: string; readonly mtu: number }[] = [];
  /** What agents have warned of. */
  readonly warnings: string[] = [];
  readonly #agents = new Map<string, ChildProcess>();
  readonly #backend: string;

  constructor(names: readonly string[], backend = 'vxlan') {
    this.#backend = backend;
    names.forEach((name, i) => {
      const metadata = { name, creationTimestamp: '2026-01-01T00:00:00Z' };
      this.nodes.set(name, { apiVersion: 'v1', kind: 'Node', metadata, spec: { podCIDR: `10.244.${i + 1}.0/24` } });
    });
  }

  /** Starts the agent of a node in the namespace of its name. */
  start(net: Namespaces, name: string, publicIp: string, runDir: string): void {
    const script = fileURLToPath(new URL('./agent.ts', import.meta.url));
    this.#join(name, net.start(name, process.execPath, [script, name, publicIp, runDir, JSON.stringify({ Type: this.#backend })]));
  }

  #join(name: string, agent: ChildProcess): void {
    this.#agents.set(name, agent);
    agent.once('close', () => this.#agents.delete(name));
    if (agent.stdout) {
      createInterface({ input: agent.stdout }).on('line', (line) => {
        const said = JSON.parse(line) as Said;
        if (said.ready) this.ready.add(name);
        if (said.warning !== undefined) this.warnings.push(said.warning);
        if (said.network) this.networks.push({ node: name, mtu: said.network.mtu });
        if (said.patch) {
          assert.equal(said.subresource, 'status');
          this.#patch(name, said.patch);
        }
      });
    }
    this.tell();
  }

  /** Tells one agent to change over to another backend. */
  use(name: string, backend: BackendConfig): void {
    this.#agents.get(name)?.stdin?.write(`${JSON.stringify(backend)}\n`);
  }

  /** What a node tells of itself, by flannel's name for it. */
  told(name: string, what: string): string | undefined {
    return this.nodes.get(name)?.metadata.annotations?.[`flannel.alpha.coreos.com/${what}`];
  }

  signal(name: string, signal: 'SIGSTOP' | 'SIGCONT'): void {
    assert.ok(this.#agents.get(name)?.kill(signal), `the agent of ${name} has ended`);
  }

  runs(name: string): boolean {
    return this.#agents.has(name);
  }

  async kill(name: string): Promise<void> {
    const agent = this.#agents.get(name);
    if (!agent) return;
    const closed = once(agent, 'close');
    agent.kill('SIGKILL');
    await closed;
  }

  /** A Node that tells a lease, whoever is behind it. */
  claim(name: string, podCIDR: string, publicIp: string, data: object | null): void {
    const prefix = 'flannel.alpha.coreos.com/';
    const annotations = {
      [`${prefix}kube-subnet-manager`]: 'true',
      [`${prefix}backend-type`]: this.#backend,
      [`${prefix}backend-data`]: JSON.stringify(data),
      [`${prefix}public-ip`]: publicIp,
    };
    const metadata = { name, annotations, creationTimestamp: '2026-02-02T00:00:00Z' };
    this.nodes.set(name, { apiVersion: 'v1', kind: 'Node', metadata, spec: { podCIDR } });
  }

  /** As "kubectl annotate node --overwrite" does. */
  annotate(name: string, annotations: Readonly<Record<string, string>>): void {
    this.#patch(name, { metadata: { name, annotations } });
  }

  remove(name: string): void {
    this.nodes.delete(name);
    this.tell();
  }

  tell(): void {
    const line = `${JSON.stringify([...this.nodes.values()])}\n`;
    for (const agent of this.#agents.values()) agent.stdin?.write(line);
  }

  #patch(name: string, patch: Partial<Node>): void {
    const node = this.nodes.get(name);
    if (!node) return;
    const annotations = { ...node.metadata.annotations, ...patch.metadata?.annotations };
    this.nodes.set(name, { ...node, metadata: { ...node.metadata, annotations }, status: { ...node.status, ...patch.status } });
    this.tell();
  }
}
