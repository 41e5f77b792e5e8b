/** A node on which a proxy serves the same Services in whatever mode, and what its kernel holds of it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { endpointSlices, services } from '../../../src/api/resource-types.ts';
import type { Exec } from '../../../src/linux/exec.ts';
import { comparable } from '../../../src/linux/iptables/testing/kernel-in.ts';
import { Connection, probe } from '../probe.ts';
import { echoPort, type Topology } from '../topology.ts';
import { ProxyProgram } from './proxy-program.ts';
import { type Target, Traffic } from './traffic.ts';

export const pod = '10.244.1.100';
const outside = '192.168.120.1';
const nodeIp = '192.168.120.11';
export const endpoints = ['10.244.2.2', '10.244.2.3', '10.244.2.4'] as const;
export const echo = { ip: '10.96.0.200', nodePort: 30_080 };
const web = { ip: '10.96.0.100', nodePort: 30_081 };

/** Shows what modes leave in a kernel. By few programs: a guest kernel takes long to start one. */
const shows = [
  'nft list tables',
  'iptables-save',
  'ip6tables-save',
  'ipset list -n',
  'ipvsadm -Ln',
  'cat /proc/net/dev',
  'ip -o addr show dev lo',
];

/** By which each mode is known there. */
const traces: Readonly<Record<string, (shown: string) => boolean>> = {
  nftables: (shown) => /^table \S+ kube-proxy$/m.test(shown),
  iptables: (shown) => /KUBE-(?:SVC-|SEP-|EXT-|PROXY-CANARY|EXTERNAL-SERVICES)|service portals.*NEW|NEW.*service portals/.test(shown),
  // Its device and virtual servers stay for connections that have not ended.
  ipvs: (shown) =>
    /^KUBE-/m.test(shown) || (/^ *kube-ipvs0:/m.test(shown) && !/^ +-> \S+ +\S+ +\d+ +(?:[1-9]\d* +\d|0 +[1-9])/m.test(shown)),
  userspace: (shown) => /^\d+: lo .* 10\.96\./m.test(shown),
};

/** For a page: a proxy that is busy answers later. */
const pagePatienceMs = 30_000;

/** Changes that a slow machine is behind by more than this are dropped: others of this process have their turn, too. */
const mostAtOnce = 20;

/** What an API server fills in, and kube-proxy relies on. */
const defaults = { ipFamilies: ['IPv4'], sessionAffinity: 'None', internalTrafficPolicy: 'Cluster', externalTrafficPolicy: 'Cluster' };

function sliceOf(name: string, ips: readonly string[]): object {
  return {
    metadata: { name: `${name}-1`, namespace: 'default', labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    ports: [{ name: '', port: name === 'echo' ? echoPort : 8080, protocol: 'TCP' }],
    endpoints: ips.map((ip) => ({ addresses: [ip], nodeName: 'node2' })),
  };
}

/** Runs programs in a namespace, where this process is slow at it. */
export type ShellIn = (namespace: string) => Exec;

export class ProgramNode implements AsyncDisposable {
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
      spec: { ...defaults, type: 'NodePort', clusterIP: ip, clusterIPs: [ip], ports: [{ port: 80, nodePort, protocol: 'TCP' }] },
    });
    program.api.replace(services, [service('web', web), service('echo', echo)]);
    const node = new ProgramNode(program, topology);
    node.serve(endpoints);
    return node;
  }

  /** Makes these the endpoints of both Services. */
  serve(ips: readonly string[]): void {
    this.program.api.replace(endpointSlices, [sliceOf('web', ips), sliceOf('echo', ips)]);
  }

  /** Meanwhile up to a thousand endpoints a second change, all of which can serve: every other change is of `web` or `echo`, the rest of forty other Services. */
  async whileEndpointsChange(work: () => Promise<void>): Promise<void> {
    const { api } = this.program;
    const others = Array.from({ length: 40 }, (_, i) => ({ name: `other-${i}`, clusterIP: `10.96.1.${i}` }));
    for (const { name, clusterIP } of others) {
      const spec = { ...defaults, type: 'ClusterIP', clusterIP, clusterIPs: [clusterIP], ports: [{ port: 80, protocol: 'TCP' }] };
      api.put(services, { metadata: { name, namespace: 'default' }, spec });
    }
    let isDone = false;
    const done = work().finally(() => {
      isDone = true;
    });
    const choices = [endpoints, [endpoints[0]], endpoints.slice(1), [endpoints[2], endpoints[0]]];
    const turns = new Map<string, number>();
    done.catch(() => {});
    let changes = 0;
    for (let last = performance.now(); !isDone; await sleep(2)) {
      const now = performance.now();
      const due = changes + Math.min(Math.round(now - last), mostAtOnce);
      last = now;
      for (; changes < due; changes++) {
        const half = changes >> 1;
        const name = changes % 2 === 0 ? (['echo', 'web'][half % 2] ?? '') : (others[half % others.length]?.name ?? '');
        const turn = turns.get(name) ?? 0;
        turns.set(name, turn + 1);
        api.put(endpointSlices, sliceOf(name, choices[turn % choices.length] ?? []));
      }
    }
    await done;
  }

  /** Waits until `web` is served at both of its addresses. */
  async untilServed(): Promise<void> {
    for (const [from, to, port] of [
      [pod, web.ip, 80],
      [outside, nodeIp, web.nodePort],
    ] as const)
      await this.program.until(async () => (await probe(this.#topology.namespaceOf(from), to, port, 'tcp', 1000)).kind === 'answered');
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
    const { stdout } = await this.program.exec('sh', '-c', shows.join('; '));
    return Object.keys(traces).filter((mode) => traces[mode]?.(stdout));
  }

  /** All rules, without what the traffic makes of them, and comments, which a set keeps. */
  async rules(): Promise<string[]> {
    const tables = await this.sh('nft -s list table ip kube-proxy; nft -s list table ip6 kube-proxy');
    const ofTables = tables
      .split('\n\t}\n')
      .filter((block) => !/\tflags .*dynamic/.test(block))
      .join('\n')
      .split('\n')
      .filter((line) => line.trim() !== '' && !/^\t+comment "/.test(line));
    return [...(await this.iptables()), ...ofTables.sort()];
  }

  /** Rules and chains of iptables, in these backends. */
  async iptables(...backends: readonly string[]): Promise<string[]> {
    const saved = await this.sh(['', ...backends].map((backend) => `iptables${backend}-save; ip6tables${backend}-save`).join('; '));
    // Built-in chains come and go with whoever looks for them.
    return comparable(saved)
      .split('\n')
      .filter((line) => !/^(?:|COMMIT|\*.*|:\S+ ACCEPT)$/.test(line));
  }

  /** Waits until the kernel has the rules of this mode alone, and the proxy that runs now has seen to them: one before it may have left as many. */
  async untilIn(mode: string): Promise<void> {
    await this.program.until(async () => {
      if ((await this.#page(10249, '/proxyMode')) !== mode) return false;
      // Before its first sync it is not alive.
      return (await this.#page(10256, '/livez')) !== '' && (await this.held()).join() === mode;
    });
  }

  /** A page of the proxy; empty when it says that it is not well, or nothing. By no program, of which a slow kernel would start one at each look. */
  async #page(port: number, path: string): Promise<string> {
    const opened = await Connection.open(this.#topology.node, '127.0.0.1', port, 'tcp', pagePatienceMs);
    if (typeof opened === 'string') return '';
    using connection = opened;
    connection.send(`GET ${path} HTTP/1.0\r\n\r\n`);
    let answer = '';
    for (let part = ''; ; answer += part) {
      part = await connection.receive(pagePatienceMs);
      if (part === 'silent' || part === 'refused') return '';
      if (part === '') break;
    }
    return /^HTTP\/1\.[01] 200 .*?\r\n\r\n(.*)$/s.exec(answer)?.[1] ?? '';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.program.stop();
    await this.program.fairlead('proxy', '--cleanup');
    await this.program[Symbol.asyncDispose]();
  }
}
