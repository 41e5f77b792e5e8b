/**
 * A proxy in mode iptables that is killed while it brings thousands of Services into the kernel, again and again: Services that were there are served all the time,
 * nobody comes in whom source ranges shut out, and in the end all is there and as it is to be. KILL_SEED=N repeats a run.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { endpointSlices, services } from '../../src/api/resource-types.ts';
import type { Service } from '../../src/api/schema/types.ts';
import { seededRandom } from '../../src/clock/testing/seeded-random.ts';
import { mustRun, start, systemExec } from '../../src/linux/exec.ts';
import { lackingTools } from '../../src/linux/iptables/testing/kernel-in.ts';
import { NETLINK_NETFILTER, NetlinkSocket } from '../../src/linux/netlink/netlink-socket.ts';
import { inNetns } from '../../src/linux/netns.ts';
import { messageType, subsystem } from '../../src/linux/nftables/batch.ts';
import { Connection, probe } from './probe.ts';
import { echo, endpoints, ProgramNode, pod } from './testing/program-node.ts';
import type { ProxyProgram } from './testing/proxy-program.ts';
import { type Target, Traffic } from './testing/traffic.ts';
import { buildTopology, echoPort, type Topology } from './topology.ts';

const seed = Number(process.env.KILL_SEED ?? Date.now() % 2 ** 32);
const count = 3000;
const kills = 3;
const outside = '192.168.120.1';
/** Of Services whose ranges shut `outside` out, and of others whose ranges let it in. */
const ingressesOf = (first: number, many: number): string[] => Array.from({ length: many }, (_, i) => `198.51.100.${first + i}`);
const [shutOut, letIn] = [ingressesOf(0, 40), ingressesOf(100, 10)];
/** NFNLGRP_NFTABLES. */
const group = 7;
const serviceChains = ['KUBE-SVC-', 'KUBE-SEP-', 'KUBE-EXT-', 'KUBE-FW-'].map((prefix) => Buffer.from(prefix));
const timeoutMs = 30_000;
const needs = process.getuid?.() === 0 ? ((await lackingTools()) ?? (await lackingNotices())) : 'needs root';

/** Only of the nft backend the kernel tells how far it has got. */
async function lackingNotices(): Promise<string | false> {
  const { stdout } = await systemExec.run('iptables', ['--version']);
  return stdout.includes('nf_tables') ? false : 'needs iptables with the nft backend';
}

const two = endpoints.slice(0, 2);
const served = { ipFamilies: ['IPv4'], sessionAffinity: 'None', internalTrafficPolicy: 'Cluster', externalTrafficPolicy: 'Cluster' };

function put(
  { api }: ProxyProgram,
  name: string,
  ips: readonly string[],
  spec: Partial<Service['spec']>,
  ingress?: string,
  port = 8080,
): void {
  api.put(endpointSlices, {
    metadata: { name: `${name}-1`, namespace: 'default', labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    ports: [{ name: '', port, protocol: 'TCP' }],
    endpoints: ips.map((ip) => ({ addresses: [ip], nodeName: 'node2' })),
  });
  api.put(services, {
    metadata: { name, namespace: 'default' },
    spec: { type: ingress ? 'LoadBalancer' : 'ClusterIP', ...served, ports: [{ port: 80, protocol: 'TCP' }], ...spec },
    status: { loadBalancer: ingress ? { ingress: [{ ip: ingress }] } : {} },
  });
}

const clusterIpOf = (n: number): string => `10.96.${8 + (n >> 8)}.${n & 255}`;
const filled = (program: ProxyProgram, n: number): void =>
  put(program, `filled-${n}`, two, { clusterIP: clusterIpOf(n), clusterIPs: [clusterIpOf(n)] });

/** More than go into one transaction. */
const manyRanges = Array.from({ length: 2100 }, (_, i) => `172.20.${i >> 8}.${i & 255}/32`);
/** What Services that shut `outside` out are like in turns: whoever comes in comes through a state between two of them. */
const turns: readonly (Partial<Service['spec']> & { readonly ips: readonly string[] })[] = [
  { loadBalancerSourceRanges: ['172.16.0.0/16', '172.18.0.0/16'], ips: two },
  // It has none on this node.
  { externalTrafficPolicy: 'Local', ips: two },
  { loadBalancerSourceRanges: ['172.17.0.0/16', '172.18.0.0/16'], ips: endpoints.slice(1) },
];

function balanced(program: ProxyProgram, turn: number): void {
  const clusterOf = (ingress: string): { clusterIP: string; clusterIPs: string[] } => {
    const clusterIP = ingress.replace('198.51.100.', '10.96.4.');
    return { clusterIP, clusterIPs: [clusterIP] };
  };
  for (const [i, ingress] of shutOut.entries()) {
    const { ips, ...spec } = turns[(i + turn) % turns.length] ?? { ips: [] };
    const more = i % 20 === 0 && spec.loadBalancerSourceRanges ? manyRanges : [];
    const loadBalancerSourceRanges = [...(spec.loadBalancerSourceRanges ?? []), ...more];
    put(program, `shut-${i}`, ips, { ...clusterOf(ingress), ...spec, loadBalancerSourceRanges }, ingress);
  }
  for (const [i, ingress] of letIn.entries()) {
    const loadBalancerSourceRanges = [`${outside}/32`, `172.${16 + (turn % 3)}.0.0/16`];
    put(program, `let-${i}`, two, { ...clusterOf(ingress), loadBalancerSourceRanges }, ingress, echoPort);
  }
}

/** What happens to chains of Services in a network namespace, which the kernel tells once a transaction holds. */
class ChainCount implements Disposable {
  readonly #socket: NetlinkSocket;
  made = 0;
  /** Notices of all kinds, of rules, too. */
  touched = 0;

  constructor(namespace: string) {
    this.#socket = inNetns(namespace, () => new NetlinkSocket(NETLINK_NETFILTER, { room: 256 << 20 }));
    this.#socket.subscribe([group], (message) => {
      if (message === 'lost' || !serviceChains.some((name) => message.data.includes(name))) return;
      this.touched++;
      if (message.type === ((subsystem << 8) | messageType.newChain)) this.made++;
    });
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

/** A client whom the ranges shut out. */
class ShutOut implements Disposable {
  readonly #process: ReturnType<typeof start>;

  constructor(namespace: string, targets: readonly Target[]) {
    const program = join(import.meta.dirname, 'testing/shut-out-child.ts');
    this.#process = start('nsenter', [`--net=${namespace}`, process.execPath, program, JSON.stringify(targets)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
  }

  async staysOut(when: string): Promise<void> {
    const answered = once(this.#process, 'message');
    this.#process.send('round');
    const [entered] = await answered;
    assert.deepEqual(entered, [], when);
  }

  [Symbol.dispose](): void {
    this.#process.kill('SIGKILL');
  }
}

async function isAnswered(topology: Topology, to: string, patienceMs = timeoutMs): Promise<boolean> {
  return (await probe(topology.namespaceOf(pod), to, 80, 'tcp', patienceMs)).kind === 'answered';
}

/** By the one that runs now. */
function untilProgrammed(program: ProxyProgram): Promise<void> {
  return program.until(async () => program.said.includes('Services are programmed'));
}

describe('a proxy in mode iptables that is killed while it fills', { skip: needs, concurrency: false }, () => {
  test(`goes on where it was, and nobody notices (KILL_SEED=${seed})`, async (t) => {
    const below = seededRandom(seed);
    await using topology = await buildTopology([pod], endpoints, 'k');
    // What nothing translates ends here, and does not go back and forth.
    await mustRun(systemExec, 'nsenter', [`--net=${topology.node}`, 'ip', 'route', 'add', 'blackhole', '198.51.100.0/24']);
    await using node = await ProgramNode.create(topology);
    const { program } = node;
    const run = (): void => {
      program.said = '';
      program.run('--kubeconfig', program.kubeconfig, '--hostname-override', 'node1', '--proxy-mode', 'iptables');
    };
    balanced(program, 0);
    run();
    await untilProgrammed(program);
    const targets = new Map<string, readonly Target[]>([
      [topology.namespaceOf(pod), [{ to: echo.ip, port: 80 }]],
      [topology.namespaceOf(outside), letIn.slice(0, 1).map((to) => ({ to, port: 80 }))],
    ]);
    await using traffic = await Traffic.start(targets);
    using chains = new ChainCount(topology.node);
    using shut = new ShutOut(
      topology.namespaceOf(outside),
      shutOut.map((to) => ({ to, port: 80 })),
    );

    for (let n = 0; n < count; n++) filled(program, n);
    const last = clusterIpOf(count - 1);
    for (let kill = 1; kill <= kills; kill++) {
      // A Service has three chains.
      const until = chains.made + 1 + below(Math.max(1, Math.floor(count * 3 * 0.8) - chains.made));
      const filling = program.until(async () => chains.made >= until || (await isAnswered(topology, last, 100)));
      await traffic.goesOnDuring(filling, `Before kill ${kill}: `);
      await program.stop('SIGKILL');
      t.diagnostic(`kill ${kill} after ${chains.made} chains, ${(await isAnswered(topology, last, 100)) ? 'all' : 'not all'} are led to`);
      await traffic.goesOn(`After kill ${kill}: `);
      await shut.staysOut(`After kill ${kill}`);
      balanced(program, kill);
      run();
    }
    await traffic.goesOnDuring(untilProgrammed(program), 'As the last one fills: ');
    for (let n = 0; n < 50; n++) assert.ok(await isAnswered(topology, clusterIpOf(below(count))));
    for (const ip of letIn) {
      const opened = await Connection.open(topology.namespaceOf(outside), ip, 80, 'tcp', timeoutMs);
      assert.ok(opened instanceof Connection, ip);
      opened[Symbol.dispose]();
    }
    await shut.staysOut('In the end');
    await program.stop();
    const { touched } = chains;
    run();
    await untilProgrammed(program);
    await traffic.goesOn('In the end: ');
    assert.equal(chains.touched - touched, 0, 'a next proxy finds all as it is to be');
  });
});
