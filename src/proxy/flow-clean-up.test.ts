import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Flow, FlowCleanUp, type Flows } from './flow-clean-up.ts';
import type { NodeContext } from './plan/node-context.ts';
import type { Frontend, ServicePlan } from './plan/service-plan.ts';
import { bareNode, sampleNode } from './testing/sample-node.ts';

const hostIps = new Set(['192.168.120.11', '172.16.0.1']);

/** A Service at a node port and at an address, of which one endpoint serves. */
function plan(protocol: 'tcp' | 'udp'): ServicePlan {
  const reached = { inside: 'cluster', outside: 'cluster', masquerade: 'always' } as const;
  const frontends: Frontend[] = [
    { kind: 'node-port', port: 30_053, ...reached },
    { kind: 'external-ip', ip: '198.51.100.1', port: 53, ...reached },
  ];
  const serving = new Set(['10.244.1.5 . 53']);
  return { key: 'n/dns', rank: '', ports: [{ name: '', protocol, frontends, cluster: [], local: [], serving }] };
}

/** What a clean-up deletes, of UDP and of TCP. */
async function deleted(node: NodeContext, flows: readonly Flow[], protocol: 'tcp' | 'udp'): Promise<Flow[]> {
  const found: Record<'tcp' | 'udp', Flow[]> = { tcp: [], udp: [] };
  const take = (of: 'tcp' | 'udp', isStale: (flow: Flow) => boolean): number => found[of].push(...flows.filter(isStale));
  const kernel: Flows = {
    deleteStale: async (_, isStale) => take('udp', isStale),
    deleteUnanswered: async (_, isStale) => take('tcp', isStale),
    close: () => {},
  };
  const cleanUp = new FlowCleanUp(kernel);
  const wanted = plan(protocol);
  cleanUp.changed('ip', undefined, wanted);
  cleanUp.rulesWereMissing('ip');
  await cleanUp.run('ip', { node, reserved: { hostIps }, plans: new Map([[wanted.key, wanted]]) });
  return found[protocol];
}

/** One that nobody translated. */
function untouched(to: string, port = 30_053): Flow {
  return { to, port, answeredBy: to, answeredFromPort: port };
}

describe('FlowCleanUp', () => {
  const cases: [what: string, node: NodeContext, flow: Flow, isStale: boolean][] = [
    ['to a node port, that began before its Service', sampleNode, untouched('192.168.120.11'), true],
    ['to that port of an address that serves no node ports', sampleNode, untouched('172.16.0.1'), false],
    ['to a node port at another address of a node that serves them at all', bareNode, untouched('172.16.0.1'), true],
    ['to a node port at loopback, there', bareNode, untouched('127.0.0.1'), true],
    ['to that port of another machine, there', bareNode, untouched('203.0.113.9'), false],
    ['to another port of the node', bareNode, untouched('172.16.0.1', 30_054), false],
    ['to an address of a Service', sampleNode, untouched('198.51.100.1', 53), true],
  ];
  for (const [what, node, flow, isStale] of cases)
    test(`${isStale ? 'cuts' : 'leaves'} a flow ${what}`, async () => {
      assert.deepEqual(await deleted(node, [flow], 'udp'), isStale ? [flow] : []);
      assert.deepEqual(await deleted(node, [flow], 'tcp'), isStale ? [flow] : [], 'and a connection in vain');
    });

  test('leaves a flow that goes to an endpoint which serves, and cuts one to another', async () => {
    const serves = { ...untouched('172.16.0.1'), answeredBy: '10.244.1.5', answeredFromPort: 53 };
    const former = { ...serves, answeredBy: '10.244.1.6' };
    assert.deepEqual(await deleted(bareNode, [serves, former], 'udp'), [former]);
  });
});
