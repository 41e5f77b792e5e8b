/** A node with an API server, on which programs run. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { endpointSlices, nodes, serviceCidrs, services } from '../../../src/api/resource-types.ts';
import { FakeApiServer } from '../../../src/client/testing/fake-api-server.ts';
import { type ExecResult, start } from '../../../src/linux/exec.ts';
import { inNetns } from '../../../src/linux/netns.ts';
import { KernelNftables } from '../../../src/linux/nftables/kernel-nftables.ts';
import type { TableFamily } from '../../../src/linux/nftables/table.ts';
import { Namespaces } from '../../../src/linux/testing/namespaces.ts';

const port = 8001;
const kubeconfigText = JSON.stringify({
  apiVersion: 'v1',
  kind: 'Config',
  clusters: [{ name: 'c', cluster: { server: `http://127.0.0.1:${port}` } }],
  contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
  users: [{ name: 'u', user: {} }],
  'current-context': 'c',
});

export class ProxyNode implements AsyncDisposable {
  readonly dir: string;
  readonly net: Namespaces;
  readonly #api: FakeApiServer;
  /** Not before it is wanted: a kernel may have none. */
  #nft: KernelNftables | undefined;
  #program: ReturnType<typeof start> | undefined;
  said = '';

  private constructor(net: Namespaces, dir: string) {
    this.net = net;
    this.dir = dir;
    // Without a host, since looking one up takes until this thread is out of the namespace again.
    this.#api = new FakeApiServer([nodes, services, endpointSlices, serviceCidrs], (server) =>
      inNetns(net.path('node'), () => server.listen(port)),
    );
  }

  /** With a Service `web` that has a node port and no endpoints. */
  static async create(): Promise<ProxyNode> {
    const net = new Namespaces();
    await net.add('node');
    const node = new ProxyNode(net, await mkdtemp(join(tmpdir(), 'fairlead-proxy-')));
    const addresses = ['192.0.2.1', 'fd00::1'].map((address) => ({ type: 'InternalIP', address }));
    node.#api.replace(nodes, [{ metadata: { name: 'node1' }, status: { addresses } }]);
    node.#api.replace(serviceCidrs, [{ metadata: { name: 'kubernetes' }, spec: { cidrs: ['10.96.0.0/16', 'fd00:10:96::/112'] } }]);
    const clusterIPs = ['10.96.0.10', 'fd00:10:96::10'];
    const ports = [{ name: 'http', port: 80, nodePort: 30080, protocol: 'TCP' }];
    const spec = { type: 'NodePort', clusterIP: clusterIPs[0], clusterIPs, ports };
    node.#api.replace(services, [{ metadata: { name: 'web', namespace: 'default' }, spec }]);
    node.#api.replace(endpointSlices, []);
    await writeFile(join(node.dir, 'kubeconfig.conf'), kubeconfigText);
    return node;
  }

  /** A pod of the node that tells its name by HTTP at port 8080, and Service `web` with it alone as its endpoint. */
  async servePod(): Promise<void> {
    await this.net.add('pod');
    await this.net.ip('node', 'link add veth0 type veth peer name eth0 netns @pod');
    await this.net.ip('node', 'addr add 10.244.1.1/24 dev veth0');
    await this.net.ip('node', 'link set veth0 up');
    await this.net.ip('pod', 'addr add 10.244.1.2/24 dev eth0');
    await this.net.ip('pod', 'link set eth0 up');
    await this.net.ip('pod', 'route add default via 10.244.1.1');
    await writeFile(join(this.dir, 'index.html'), 'the pod\n');
    this.net.start('pod', 'busybox', ['httpd', '-f', '-p', '8080', '-h', this.dir]);
    this.endpoints(['10.244.1.2']);
  }

  endpoints(ips: readonly string[]): void {
    const labels = { 'kubernetes.io/service-name': 'web' };
    const slice = {
      metadata: { name: 'web-1', namespace: 'default', labels },
      addressType: 'IPv4',
      ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    };
    this.#api.replace(endpointSlices, [{ ...slice, endpoints: ips.map((ip) => ({ addresses: [ip] })) }]);
  }

  run(...flags: string[]): void {
    const command = [process.execPath, 'src/main/fairlead.ts', 'proxy', ...flags];
    const name = this.net.path('node').slice('/run/netns/'.length);
    this.#program = start('ip', ['netns', 'exec', name, ...command], { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.#program.stdout, this.#program.stderr])
      stream?.on('data', (part) => {
        this.said = (this.said + String(part)).slice(-4000);
      });
  }

  /** What another `fairlead` command on the node answers. */
  fairlead(...words: string[]): Promise<ExecResult> {
    return this.net.run('node', process.execPath, ['src/main/fairlead.ts', ...words]);
  }

  get pid(): number | undefined {
    return this.#program?.pid;
  }

  async until(isSo: () => Promise<boolean>): Promise<void> {
    const deadline = Date.now() + 60_000;
    while (!(await isSo())) {
      assert.ok(Date.now() < deadline && this.#program?.exitCode === null, this.said);
      await sleep(20);
    }
  }

  /** Whether the kernel's set has the element. */
  async has(family: TableFamily, set: string, key: string): Promise<boolean> {
    this.#nft ??= inNetns(this.net.path('node'), () => new KernelNftables());
    return (await this.#nft.read(family, 'kube-proxy'))?.sets.get(set)?.elements.has(key) === true;
  }

  /** What is there, asked from the node or from its pod; empty when nothing is. */
  async page(address: string, from: 'node' | 'pod' = 'node'): Promise<string> {
    return (await this.net.run(from, 'busybox', ['wget', '-q', '-O', '-', `http://${address}`])).stdout;
  }

  async stop(): Promise<void> {
    const program = this.#program;
    if (!program || program.exitCode !== null) return;
    const closed = new Promise((resolve) => program.once('close', resolve));
    program.kill('SIGTERM');
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.#api.close();
    this.#nft?.close();
    await this.net[Symbol.asyncDispose]();
    await rm(this.dir, { recursive: true });
  }
}
