/** What somebody beside the machines sees of the cluster: kubectl's side, curl and dig. */
import assert from 'node:assert/strict';
import { deployments, nodes, pods, services } from '../../src/api/resource-types.ts';
import type { Deployment, Node, Pod, Service } from '../../src/api/schema/types.ts';
import { Client } from '../../src/client/client.ts';
import { loadKubeconfig } from '../../src/client/kubeconfig.ts';
import { eventually, type Patience } from '../../src/clock/testing/eventually.ts';
import { mustRun, systemExec } from '../../src/linux/exec.ts';

/** For hangs: a loaded machine takes ten times as long as a quiet one. */
export const patience: Patience = { timeoutMs: 240_000, pauseMs: 250 };
export const nodePort = { http: 30080, echo: 30007 };
export const clusterIp = '10.96.0.80';
const namespace = 'default';
const labels = { app: 'box' };

/** A request to a machine that has lost its power is never refused. */
const soon = (): { signal: AbortSignal } => ({ signal: AbortSignal.timeout(20_000) });

export function conditionOf({ status }: Node | Pod, type: string): string | undefined {
  return (status?.conditions as readonly { type: string; status: string }[] | undefined)?.find((one) => one.type === type)?.status;
}

export async function curl(url: string, ...flags: readonly string[]): Promise<string> {
  return (await mustRun(systemExec, 'curl', ['--silent', '--show-error', '--fail', '--max-time', '10', ...flags, url])).trim();
}

export async function answers(url: string, times: number): Promise<string[]> {
  const all: string[] = [];
  for (let i = 0; i < times; i++) all.push(await curl(url));
  return all;
}

export async function dig(name: string): Promise<string> {
  return (await mustRun(systemExec, 'dig', ['+short', '+time=5', '@10.96.0.10', name])).trim();
}

/** Answers come from all pods, one after the other. */
export async function roundRobin(url: string, count: number): Promise<void> {
  await eventually(
    `${count} pods take turns at ${url}`,
    async () => {
      const all = await answers(url, 2 * count);
      assert.deepEqual(all.slice(0, count), all.slice(count));
      assert.equal(new Set(all).size, count, all.join(' | '));
    },
    patience,
  );
}

export class Cluster {
  readonly #client: Client;

  private constructor(client: Client) {
    this.#client = client;
  }

  static async open(kubeconfig: string): Promise<Cluster> {
    return new Cluster(await loadKubeconfig(kubeconfig).then((config) => new Client(config)));
  }

  async node(name: string): Promise<Node> {
    return await this.#client.get<Node>(nodes, name, soon());
  }

  async pods(): Promise<readonly Pod[]> {
    return (await this.#client.list<Pod>(pods, { namespace, ...soon() })).items;
  }

  /** Until it says this of itself; an answer of the past does not count where `since` tells another boot or machine. */
  async nodeIs(name: string, type: string, status: string, accept: (node: Node) => boolean = () => true): Promise<Node> {
    let node: Node | undefined;
    await eventually(
      `node ${name} says ${type} ${status}`,
      async () => {
        node = await this.node(name);
        assert.equal(conditionOf(node, type), status);
        assert.ok(accept(node), 'it has not told anew');
      },
      patience,
    );
    return node as Node;
  }

  /** `count` pods of the box are Ready. */
  async boxesReady(count: number): Promise<void> {
    await eventually(
      `${count} pods are ready`,
      async () => assert.equal((await this.pods()).filter((pod) => conditionOf(pod, 'Ready') === 'True').length, count),
      patience,
    );
  }

  async deployBox(replicas: number): Promise<void> {
    const env = [{ name: 'NODE_NAME', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } }];
    const containers = [{ name: 'box', image: 'fairlead.local/box:1', imagePullPolicy: 'Never', env }];
    const template = { metadata: { labels }, spec: { terminationGracePeriodSeconds: 0, containers } };
    const deployment: Deployment = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'box', namespace },
      spec: { replicas, selector: { matchLabels: labels }, template },
    };
    await this.#client.create(deployments, deployment, soon());
    await this.expose('box', clusterIp, nodePort);
  }

  /** The pods of the box by one more Service. */
  async expose(name: string, ip: string, ports?: typeof nodePort): Promise<void> {
    const service: Service = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace },
      spec: {
        type: ports ? 'NodePort' : 'ClusterIP',
        clusterIP: ip,
        selector: labels,
        ports: [
          { name: 'http', port: 80, targetPort: 8080, ...(ports && { nodePort: ports.http }) },
          { name: 'echo', port: 7, targetPort: 7, ...(ports && { nodePort: ports.echo }) },
        ],
      },
    };
    await this.#client.create(services, service, soon());
  }

  /** The pods of the box behind a load balancer; gives its address. */
  async balance(name: string): Promise<string> {
    const spec: Service['spec'] = { type: 'LoadBalancer', selector: labels, ports: [{ port: 80, targetPort: 8080 }] };
    await this.#client.create<Service>(services, { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace }, spec }, soon());
    let address = '';
    await eventually(
      `an address for "${name}"`,
      async () => {
        const { status } = await this.#client.get<Service>(services, name, { namespace, ...soon() });
        address = status?.loadBalancer?.ingress?.[0]?.ip ?? '';
        assert.notEqual(address, '');
      },
      patience,
    );
    return address;
  }

  async changeService(name: string, spec: Partial<Service['spec']>): Promise<void> {
    await this.#client.patch(services, name, { spec }, { namespace, ...soon() });
  }

  close(): void {
    this.#client.close();
  }
}
