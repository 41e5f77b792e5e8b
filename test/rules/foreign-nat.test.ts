/** What somebody else's rules translate is none of the proxy's, also where its port has the number of a node port. With real packets. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { mustRun, systemExec } from '../../src/linux/exec.ts';
import { cannotMakeNamespaces } from '../../src/linux/testing/namespaces.ts';
import { faces } from '../../src/proxy/mode/testing/faces.ts';
import type { NodeContext } from '../../src/proxy/plan/node-context.ts';
import { planScenario } from '../../src/proxy/testing/scenario.ts';
import { scenarios } from '../../src/proxy/testing/scenarios.ts';
import { probe } from './probe.ts';
import { ProgrammedMode } from './testing/programmed-mode.ts';
import { buildTopology, type Topology } from './topology.ts';

const scenario = scenarios.find(({ title }) => title === 'node-port-number')?.scenario ?? assert.fail();
const [outside, node, nodePort] = ['192.168.120.1', '192.168.120.11', 30_080] as const;
const [servicePod, othersPod] = ['10.244.1.2', '10.244.1.4'] as const;
/** An address that leads to the node and is none of its own. */
const othersAddress = '198.51.100.77';
const answerMs = 30_000;

const lacking = new Map(cannotMakeNamespaces ? [] : await Promise.all(faces.map(async (face) => [face, await face.lacking()] as const)));

for (const face of faces)
  describe(`traffic that others translate, in mode ${face.name}`, {
    skip: cannotMakeNamespaces || lacking.get(face),
    concurrency: false,
  }, () => {
    let topology: Topology;
    let programmed: ProgrammedMode;

    before(async () => {
      topology = await buildTopology([servicePod, othersPod], [], 'f');
      programmed = await ProgrammedMode.in(face, topology.node);
      const rule = `ip daddr ${othersAddress} tcp dport ${nodePort} dnat to ${othersPod}:8080`;
      const input = `table ip others { chain pre { type nat hook prerouting priority -150; ${rule}; }; }\n`;
      await mustRun(systemExec, 'nsenter', [`--net=${topology.node}`, 'nft', '-f', '-'], { input });
    });
    after(async () => {
      await programmed?.close();
      await topology?.[Symbol.asyncDispose]();
    });

    for (const masqueradeAll of [false, true])
      test(`keeps its client's address where all addresses serve node ports${masqueradeAll ? ', with masqueradeAll' : ''}`, async () => {
        const context: NodeContext = { ...scenario.node, nodePortIps: 'all', masqueradeAll };
        await programmed.take(planScenario({ ...scenario, node: context }, programmed.algorithms).plans.values(), context);
        const from = topology.namespaceOf(outside);
        // The second time the node knows what was asked of it before.
        for (let i = 0; i < 2; i++) {
          const others = await probe(from, othersAddress, nodePort, 'tcp', answerMs);
          assert.deepEqual(others, { kind: 'answered', by: `${othersPod}:8080`, client: outside });
          const own = await probe(from, node, nodePort, 'tcp', answerMs);
          assert.deepEqual(own, { kind: 'answered', by: `${servicePod}:8080`, client: '10.244.1.1' });
        }
      });
  });
