/**
 * The same Services given to kube-proxy and to this proxy in each mode, each in a network of its own with the same addresses;
 * then the same packets to both, which must meet the same fate. Needs the program: on the path, or FAIRLEAD_KUBE_PROXY.
 * PEER_SEED=N repeats the random part.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { seededRandom } from '../../src/clock/testing/seeded-random.ts';
import { mustRun, systemExec } from '../../src/linux/exec.ts';
import { cannotMakeNamespaces } from '../../src/linux/testing/namespaces.ts';
import { iptablesFace } from '../../src/proxy/mode/iptables/testing/face.ts';
import { nftablesFace } from '../../src/proxy/mode/nftables/testing/face.ts';
import type { NodeContext } from '../../src/proxy/plan/node-context.ts';
import { nodeIp } from '../../src/proxy/testing/scenario.ts';
import { lacksProgram } from '../interop/testing/programs.ts';
import { probe } from './probe.ts';
import { KubeProxy } from './testing/kube-proxy.ts';
import {
  caseOf,
  localPods,
  type PeerCase,
  type PeerPacket,
  packetsOf,
  peerScenarios,
  plansOf,
  podsWithoutNode,
  randomCase,
  remotePods,
} from './testing/peer-cases.ts';
import { ProgrammedMode } from './testing/programmed-mode.ts';
import { buildTopology, type Topology } from './topology.ts';

const seed = Number(process.env.PEER_SEED ?? Date.now() % 2 ** 32);
const randomCases = Number(process.env.PEER_CASES ?? 6);
const silenceMs = 300;
/** A busy machine may be silent for a while where it would answer: what seems to differ is tried again with more patience. */
const patienceMs = 3000;

const usual: NodeContext = {
  family: 'ip',
  nodeName: 'node1',
  zone: 'zone-a',
  local: { mode: 'ClusterCIDR', cidr: '10.244.0.0/16' },
  masqueradeAll: false,
  nodePortIps: [nodeIp],
  serviceCidrs: ['10.96.0.0/16'],
  nodeIps: [nodeIp],
};

async function shoot(topology: Topology, packet: PeerPacket, timeoutMs: number, fates: Set<string>): Promise<void> {
  const result = await probe(topology.namespaceOf(packet.from), packet.to, packet.port, packet.protocol, timeoutMs);
  const answer = result.kind !== 'answered' ? result.kind : packet.sticky ? 'one answers' : `${result.by} sees ${result.client}`;
  fates.add(answer);
}

const text = (fates: ReadonlySet<string>): string => [...fates].toSorted().join(', ');

/** Clients of both networks, side by side. */
class Contest {
  readonly #theirs: Topology;
  readonly #ours: Topology;

  constructor(theirs: Topology, ours: Topology) {
    this.#theirs = theirs;
    this.#ours = ours;
  }

  /** What differs of a packet's fates, in words. */
  async #difference(packet: PeerPacket, timeoutMs: number): Promise<string | undefined> {
    const [a, b] = [new Set<string>(), new Set<string>()];
    for (let i = 1; i <= 60; i++) {
      await Promise.all([shoot(this.#theirs, packet, timeoutMs, a), shoot(this.#ours, packet, timeoutMs, b)]);
      // Of one endpoint or none, a few tries say enough; of more, as many as it takes to see them all.
      if (text(a) === text(b) && i >= (a.has('silent') ? 2 : a.size === 1 ? 4 : 10)) return undefined;
      if (i >= 3 && (a.has('silent') !== b.has('silent') || a.has('refused') !== b.has('refused'))) break;
    }
    return `${packet.from} → ${packet.to}:${packet.port}/${packet.protocol}: kube-proxy ${text(a)}; we ${text(b)}`;
  }

  /** `but`: clients that are left out. */
  async differences(given: PeerCase, but: ReadonlySet<string>): Promise<string[]> {
    for (const { node } of [this.#theirs, this.#ours]) await mustRun(systemExec, 'nsenter', [`--net=${node}`, 'conntrack', '-F']);
    const differences: string[] = [];
    for (const packet of packetsOf(given).filter(({ from }) => !but.has(from))) {
      const difference = (await this.#difference(packet, silenceMs)) && (await this.#difference(packet, patienceMs));
      if (difference) differences.push(difference);
    }
    return differences;
  }
}

const contestants = [
  { face: nftablesFace, mode: 'nftables', node: usual },
  { face: iptablesFace, mode: 'iptables', node: { ...usual, nodePortIps: 'all' } },
] as const;

describe('kube-proxy and this proxy', { skip: cannotMakeNamespaces || lacksProgram('kube-proxy'), concurrency: false }, () => {
  for (const { face, mode, node } of contestants)
    describe(`in mode ${mode}`, () => {
      let theirs: Topology;
      let ours: Topology;
      let peer: KubeProxy;
      let own: ProgrammedMode;

      before(async () => {
        theirs = await buildTopology(localPods, remotePods, 'k');
        ours = await buildTopology(localPods, remotePods, 'o');
        // kube-proxy refuses by ICMP, of which the kernel sends few; we reset.
        const sysctls = ['net.ipv4.icmp_ratelimit=0', 'net.ipv4.icmp_msgs_per_sec=100000', 'net.ipv4.icmp_msgs_burst=100000'];
        for (const network of [theirs, ours])
          for (const sysctl of sysctls) await systemExec.run('nsenter', [`--net=${network.node}`, 'sysctl', '-qw', sysctl]);
        peer = await KubeProxy.start(mode, theirs.node, [node]);
        own = await ProgrammedMode.in(face, ours.node);
      });
      after(async () => {
        await peer?.[Symbol.asyncDispose]();
        await own?.close();
        await theirs?.[Symbol.asyncDispose]();
        await ours?.[Symbol.asyncDispose]();
      });

      const below = seededRandom(seed);
      const cases = [
        ...peerScenarios.filter(({ scenario }) => scenario.node.family === 'ip').map(caseOf),
        ...Array.from({ length: randomCases }, (_, i) => randomCase(below, i)),
      ];
      for (const given of cases)
        test(`agree on ${given.name}${given.name.startsWith('random') ? ` of PEER_SEED=${seed}` : ''}`, async () => {
          await Promise.all([peer.program(given), own.take(plansOf(given, node), node)]);
          assert.deepEqual(
            await new Contest(theirs, ours).differences(given, mode === 'nftables' ? podsWithoutNode(given) : new Set()),
            [],
          );
        });
    });
});
