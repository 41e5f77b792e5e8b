/** A node with an API server, on which programs run. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { endpointSlices, services } from '../../../src/api/resource-types.ts';
import { eventually } from '../../../src/clock/testing/eventually.ts';
import type { ExecResult } from '../../../src/linux/exec.ts';
import { inNetns } from '../../../src/linux/netns.ts';
import { KernelNftables } from '../../../src/linux/nftables/kernel-nftables.ts';
import type { TableFamily } from '../../../src/linux/nftables/table.ts';
import { Namespaces } from '../../../src/linux/testing/namespaces.ts';
import { ProxyProgram } from './proxy-program.ts';

export class ProxyNode implements AsyncDisposable {
  readonly net: Namespaces;
  readonly program: ProxyProgram;
  /** Not before it is wanted: a kernel may have none. */
  #nft: KernelNftables | undefined;

  private constructor(net: Namespaces, program: ProxyProgram) {
    this.net = net;
    this.program = program;
  }

  /** With a Service `web` that has a node port and no endpoints. */
  static async create(): Promise<ProxyNode> {
    const net = new Namespaces();
    await net.add('node');
    const program = await ProxyProgram.create(net.path('node'), ['192.0.2.1', 'fd00::1']);
    const clusterIPs = ['10.96.0.10', 'fd00:10:96::10'];
    const ports = [{ name: 'http', port: 80, nodePort: 30080, protocol: 'TCP' }];
    const spec = { type: 'NodePort', clusterIP: clusterIPs[0], clusterIPs, ports };
    program.api.replace(services, [{ metadata: { name: 'web', namespace: 'default' }, spec }]);
    program.api.replace(endpointSlices, []);
    return new ProxyNode(net, program);
  }

  get dir(): string {
    return this.program.dir;
  }

  get said(): string {
    return this.program.said;
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
    await eventually('the pod to listen', async () => (await this.page('10.244.1.2:8080')) === 'the pod\n');
    this.endpoints(['10.244.1.2']);
  }

  /** A command of sh on the node, which must succeed. */
  async must(command: string): Promise<void> {
    const { code, stderr } = await this.net.run('node', 'sh', ['-c', command]);
    assert.equal(code, 0, `${command}: ${stderr}`);
  }

  endpoints(ips: readonly string[]): void {
    const labels = { 'kubernetes.io/service-name': 'web' };
    const slice = {
      metadata: { name: 'web-1', namespace: 'default', labels },
      addressType: 'IPv4',
      ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    };
    this.program.api.replace(endpointSlices, [{ ...slice, endpoints: ips.map((ip) => ({ addresses: [ip] })) }]);
  }

  run(...flags: string[]): void {
    this.program.run(...flags);
  }

  /** What another `fairlead` command on the node answers. */
  fairlead(...words: string[]): Promise<ExecResult> {
    return this.program.fairlead(...words);
  }

  get pid(): number | undefined {
    return this.program.pid;
  }

  until(isSo: () => Promise<boolean>): Promise<void> {
    return this.program.until(isSo);
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

  stop(): Promise<void> {
    return this.program.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.program[Symbol.asyncDispose]();
    this.#nft?.close();
    await this.net[Symbol.asyncDispose]();
  }
}
