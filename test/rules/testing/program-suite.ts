/** What holds of `fairlead proxy` as a process, in every mode and from each mode to each other: traffic that can be served notices nothing. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { endpointSlices, services } from '../../../src/api/resource-types.ts';
import type { Exec } from '../../../src/linux/exec.ts';
import { comparable } from '../../../src/linux/iptables/testing/kernel-in.ts';
import { probe } from '../probe.ts';
import { buildTopology, echoPort, type Topology } from '../topology.ts';
import { ProxyProgram } from './proxy-program.ts';
import { type Target, Traffic } from './traffic.ts';

const pod = '10.244.1.100';
const outside = '192.168.120.1';
const nodeIp = '192.168.120.11';
const endpoints = ['10.244.2.2', '10.244.2.3', '10.244.2.4'] as const;
const echo = { ip: '10.96.0.200', nodePort: 30_080 };
const web = { ip: '10.96.0.100', nodePort: 30_081 };

/** What a mode leaves in a kernel, by a command of sh that prints nothing where there is nothing. */
const traces: Readonly<Record<string, string>> = {
  nftables: "nft list tables | grep -w 'kube-proxy'",
  iptables:
    '{ iptables-save; ip6tables-save; } | grep -E -- "KUBE-(SVC-|SEP-|EXT-|PROXY-CANARY|EXTERNAL-SERVICES)|service portals.*NEW|NEW.*service portals"',
  // Its device and virtual servers stay for connections that have not ended.
  ipvs: "{ ipset list -n | grep KUBE-; ipvsadm -Ln | awk '/->/ && $5 + $6 > 0 { n++ } END { exit !n }' || ip -o link show dev kube-ipvs0; }",
  userspace: 'ip -o addr show dev lo | grep -F 10.96.',
};

/** Goes from each to each other. */
function tour(modes: readonly string[]): string[] {
  const pairs = modes.flatMap((one, i) => modes.slice(i + 1).flatMap((other) => [one, other]));
  return [...pairs, ...modes.slice(0, 1)];
}

/** Runs programs in a namespace, where this process is slow at it. */
type ShellIn = (namespace: string) => Exec;

class ProgramNode implements AsyncDisposable {
  readonly program: ProxyProgram;
  readonly #topology: Topology;

  private constructor(program: ProxyProgram, topology: Topology) {
    this.program = program;
    this.#topology = topology;
  }

  /** With Services `echo`, and `web`, which tells who answers. */
  static async create(topology: Topology, shellIn?: ShellIn): Promise<ProgramNode> {
    const program = await ProxyProgram.create(topology.node, [nodeIp], shellIn?.(topology.node));
    const service = (name: string, { ip, nodePort }: typeof web): object => ({
      metadata: { name, namespace: 'default' },
      spec: { type: 'NodePort', clusterIP: ip, clusterIPs: [ip], ports: [{ port: 80, nodePort, protocol: 'TCP' }] },
    });
    program.api.replace(services, [service('web', web), service('echo', echo)]);
    const node = new ProgramNode(program, topology);
    node.serve(endpoints);
    return node;
  }

  /** Makes these the endpoints of both Services. */
  serve(ips: readonly string[]): void {
    const slice = (name: string, port: number): object => ({
      metadata: { name: `${name}-1`, namespace: 'default', labels: { 'kubernetes.io/service-name': name } },
      addressType: 'IPv4',
      ports: [{ name: '', port, protocol: 'TCP' }],
      endpoints: ips.map((ip) => ({ addresses: [ip], nodeName: 'node2' })),
    });
    this.program.api.replace(endpointSlices, [slice('web', 8080), slice('echo', echoPort)]);
  }

  /** Waits until all new connections are answered by one endpoint. */
  async untilServedBy(ip: string): Promise<void> {
    await this.program.until(async () => {
      // That three take turns by chance as if they were one: 3e-10.
      for (let i = 0; i < 20; i++) {
        const answer = await probe(this.#topology.namespaceOf(pod), web.ip, 80, 'tcp', 1000);
        if (answer.kind !== 'answered' || !answer.by.startsWith(`${ip}:`)) return false;
      }
      return true;
    });
  }

  traffic(): Promise<Traffic> {
    const targets = new Map<string, Target[]>();
    targets.set(this.#topology.namespaceOf(pod), [{ to: echo.ip, port: 80 }]);
    targets.set(this.#topology.namespaceOf(outside), [{ to: nodeIp, port: echo.nodePort }]);
    return Traffic.start(targets);
  }

  async sh(script: string): Promise<string> {
    return (await this.program.exec('sh', '-c', `(${script}) 2>&1`)).stdout;
  }

  /** Modes of which the kernel has something. */
  async held(): Promise<string[]> {
    const found: string[] = [];
    for (const [mode, command] of Object.entries(traces))
      if ((await this.program.exec('sh', '-c', command)).stdout !== '') found.push(mode);
    return found;
  }

  async untilIn(mode: string): Promise<void> {
    await this.program.until(async () => {
      const { stdout } = await this.program.exec('busybox', 'wget', '-q', '-O', '-', 'http://127.0.0.1:10249/proxyMode');
      return stdout === mode && (await this.held()).join() === mode;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.program.stop();
    await this.program.fairlead('proxy', '--cleanup');
    await this.program[Symbol.asyncDispose]();
  }
}

/** Rules of others, some of them by names that begin as ours. */
const foreign = ['iptables', 'ip6tables']
  .flatMap((tool) => [
    `${tool} -t mangle -N KUBE-KUBELET-CANARY`,
    `${tool} -t nat -N KUBE-KUBELET-CANARY`,
    `${tool} -t nat -N FLANNEL-POSTRTG`,
    `${tool} -t nat -A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG`,
    `${tool} -t nat -N DOCKER`,
    `${tool} -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER`,
    `${tool} -t filter -N DOCKER-USER`,
    `${tool} -t filter -A FORWARD -j DOCKER-USER`,
    `${tool} -t filter -A DOCKER-USER -p tcp --dport 2375 -j DROP`,
  ])
  .join(' && ');

const withoutRules = ['iptables', 'ip6tables']
  .flatMap((tool) => ['nat', 'filter', 'mangle'].map((table) => `${tool} -t ${table} -F; ${tool} -t ${table} -X`))
  .join('; ');

/** Everything that a proxy could leave or take away, in both backends. */
async function snapshot(node: ProgramNode): Promise<string[]> {
  const saved = await node.sh('iptables-save; ip6tables-save; iptables-legacy-save; ip6tables-legacy-save');
  const rules = comparable(saved)
    .split('\n')
    .filter((line) => !/^(?:COMMIT|\*.*|:\S+ ACCEPT)$/.test(line));
  return [
    ...rules,
    // An address that the kernel gave a new link is tentative for two seconds.
    (await node.sh('nft list tables | grep -v -E " (nat|mangle|filter|raw|security)$"; ipset list -n; ip -o addr; ip -o link')).replaceAll(
      ' tentative',
      '',
    ),
  ];
}

/** Those of a golden file, with Service `echo` in place of its Service of a node port. */
function rulesOfKubeProxy(): string {
  const golden = readFileSync('rules/scenarios/web/iptables.rules', 'utf8');
  const [, clusterIp = ''] = /-A KUBE-SERVICES -d (\S+)\/32 .*web-nodeport:http/.exec(golden) ?? [];
  return golden.replaceAll(clusterIp, echo.ip).replace(/--to-destination \S+/g, `--to-destination ${endpoints[0]}:${echoPort}`);
}

/** `modes`: those that this kernel has, the first one of the kernel's own connections. */
export function testProgram(modes: readonly string[], skip: string | false = false, shellIn?: ShellIn): void {
  describe(`fairlead proxy in the modes ${modes.join(', ')}`, { skip, concurrency: false }, () => {
    let topology: Topology;
    before(async () => {
      topology = await buildTopology([pod], endpoints, 'p');
    });
    after(() => topology?.[Symbol.asyncDispose]());

    for (const mode of modes.filter((mode) => mode !== 'userspace'))
      test(`${mode}: nobody notices a kill, a restart, an API server that is away, or settings that change`, async () => {
        await using node = await ProgramNode.create(topology, shellIn);
        const { program } = node;
        await program.configure(`mode: ${mode}\n`);
        const run = (): void => program.run(`--config=${program.configuration}`, '--hostname-override=node1');
        run();
        await node.untilIn(mode);
        await using traffic = await node.traffic();

        await program.stop('SIGKILL');
        await traffic.goesOn();
        node.serve([endpoints[1]]);
        run();
        await node.untilServedBy(endpoints[1]);
        await traffic.goesOn();

        await program.api.close();
        node.serve([endpoints[2]]);
        await traffic.goesOn();
        program.api.reopen();
        await node.untilServedBy(endpoints[2]);
        await traffic.goesOn();

        await program.configure(`mode: ${mode}\nnodePortAddresses: ["192.168.120.0/24"]\n`);
        await program.until(async () => program.said.includes('Goes on under the changed configuration'));
        await traffic.goesOn();
        node.serve([endpoints[0]]);
        await node.untilServedBy(endpoints[0]);

        await program.stop();
        run();
        await node.untilIn(mode);
        await traffic.goesOn();
      });

    test('goes from each mode to each other, and leaves nothing of the one', async () => {
      await using node = await ProgramNode.create(topology, shellIn);
      const { program } = node;
      const [first = '', ...others] = tour(modes);
      await program.configure(`mode: ${first}\n`);
      program.run(`--config=${program.configuration}`, '--hostname-override=node1');
      await node.untilIn(first);
      await using traffic = await node.traffic();
      let before = first;
      for (const mode of others) {
        await program.configure(`mode: ${mode}\n`);
        await node.untilIn(mode);
        await traffic.goesOn(`From ${before} to ${mode}: `);
        before = mode;
      }
      const kernels = modes.filter((mode) => mode !== 'userspace');
      for (const mode of [...kernels.slice(1), ...kernels.slice(0, 1)]) {
        await program.stop();
        program.run('--kubeconfig', program.kubeconfig, '--hostname-override=node1', '--proxy-mode', mode);
        await node.untilIn(mode);
        await traffic.goesOn(`Started in ${mode}: `);
      }
    });

    for (const mode of modes.filter((mode) => mode === 'nftables' || mode === 'iptables'))
      test(`${mode}: takes over from a kube-proxy in mode iptables, and nobody notices`, async () => {
        await using node = await ProgramNode.create(topology, shellIn);
        const { program } = node;
        assert.equal(await node.sh(`iptables-restore --noflush << 'END'\n${rulesOfKubeProxy()}END\n`), '');
        await using traffic = await node.traffic();
        program.run('--kubeconfig', program.kubeconfig, '--hostname-override=node1', '--proxy-mode', mode);
        await node.untilIn(mode);
        // What it found is of the same mode.
        await program.until(async () => (await node.sh("iptables-save | grep -F 'web-nodeport'")) === '');
        await traffic.goesOn();
      });

    for (const mode of modes)
      test(`${mode}: leaves its rules when it ends, until --cleanup takes them away, and nobody else's`, async () => {
        await using node = await ProgramNode.create(topology, shellIn);
        const { program } = node;
        assert.equal(await node.sh(foreign), '');
        const before = await snapshot(node);
        program.run('--kubeconfig', program.kubeconfig, '--hostname-override=node1', '--proxy-mode', mode);
        await node.untilIn(mode);
        await program.stop();
        assert.deepEqual(await node.held(), [mode]);
        for (const _ of ['with rules', 'with none']) {
          const { code, stderr } = await program.fairlead('proxy', '--cleanup');
          assert.equal(code, 0, stderr);
          assert.deepEqual(await snapshot(node), before);
        }
        await node.sh(withoutRules);
      });
  });
}
