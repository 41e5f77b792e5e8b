/** Pods told from others by the bridge that they are ports of (detectLocalMode BridgeInterface), with real packets. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { cannotMakeNamespaces, Namespaces } from '../../src/linux/testing/namespaces.ts';
import { faces } from '../../src/proxy/mode/testing/faces.ts';
import type { NodeContext } from '../../src/proxy/plan/node-context.ts';
import { planScenario } from '../../src/proxy/testing/scenario.ts';
import { scenarios } from '../../src/proxy/testing/scenarios.ts';
import { probe } from './probe.ts';
import { ProgrammedMode } from './testing/programmed-mode.ts';
import { SctpHosts } from './testing/sctp-hosts.ts';
import { serve } from './topology.ts';

const scenario = scenarios.find(({ title }) => title === 'pods-by-interface')?.scenario ?? assert.fail();
const node: NodeContext = { ...scenario.node, local: { mode: 'BridgeInterface', interface: 'cni0' } };
/** A Service whose endpoint is elsewhere: what two ports of a bridge answer each other would never come by the node's rules. */
const [frontend, port, endpoint] = ['10.96.0.102', 30_081, '10.244.2.2'] as const;
const answerMs = 30_000;

/** A node with a pod behind its bridge, one behind a link of its own, and another machine with the endpoint. */
async function wire(net: Namespaces): Promise<void> {
  await net.add('node', 'pod', 'loner', 'far');
  const commands: readonly [name: string, ...lines: string[]][] = [
    [
      'node',
      'link add cni0 type bridge',
      'addr add 10.244.1.1/24 dev cni0',
      'link set cni0 up',
      'link add veth0 type veth peer name eth0 netns @pod',
      'link set veth0 master cni0 up',
      'link add veth1 type veth peer name eth0 netns @loner',
      'addr add 10.244.3.1/24 dev veth1',
      'link set veth1 up',
      'link add eth0 type veth peer name eth0 netns @far',
      'addr add 192.168.120.11/24 dev eth0',
      'link set eth0 up',
    ],
    ['pod', 'addr add 10.244.1.100/24 dev eth0', 'link set eth0 up', 'route add default via 10.244.1.1'],
    ['loner', 'addr add 10.244.3.100/24 dev eth0', 'link set eth0 up', 'route add default via 10.244.3.1'],
    [
      'far',
      'addr add 192.168.120.1/24 dev eth0',
      `addr add ${endpoint}/32 dev lo`,
      'link set eth0 up',
      'route add default via 192.168.120.11',
    ],
    ['node', `route add ${endpoint}/32 via 192.168.120.1`],
  ];
  for (const [name, ...lines] of commands) for (const line of lines) await net.ip(name, line);
  const { code, stderr } = await net.run('node', 'sh', [
    '-c',
    'echo 1 > /proc/sys/net/ipv4/ip_forward; echo 0 | tee /proc/sys/net/ipv4/conf/*/rp_filter',
  ]);
  assert.equal(code, 0, stderr);
}

const lacking = new Map(cannotMakeNamespaces ? [] : await Promise.all(faces.map(async (face) => [face, await face.lacking()] as const)));

for (const face of faces)
  describe(`pods behind a bridge in mode ${face.name}`, { skip: cannotMakeNamespaces || lacking.get(face), concurrency: false }, () => {
    const net = new Namespaces();
    const closers: (() => void)[] = [];
    const sctp = new SctpHosts();
    let programmed: ProgrammedMode | undefined;

    before(async () => {
      await wire(net);
      serve(net.path('far'), closers, [endpoint], sctp);
      programmed = await ProgrammedMode.in(face, net.path('node'));
      await programmed.take(planScenario({ ...scenario, node }, programmed.algorithms).plans.values(), node);
    });
    after(async () => {
      await programmed?.close();
      for (const close of closers) close();
      sctp.close();
      await net[Symbol.asyncDispose]();
    });

    const cases: readonly [name: string, from: string, client: string][] = [
      ['keep their address', 'pod', '10.244.1.100'],
      ['are others than those behind another link, who get the address of the node', 'loner', '192.168.120.11'],
      ['are others than clients outside, who get the address of the node', 'far', '192.168.120.11'],
    ];
    for (const [name, from, client] of cases)
      test(name, async () => {
        const answer = await probe(net.path(from), frontend, port, 'tcp', answerMs);
        assert.deepEqual(answer, { kind: 'answered', by: `${endpoint}:8080`, client });
      });
  });
