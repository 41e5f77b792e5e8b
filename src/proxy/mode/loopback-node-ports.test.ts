import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { describe, test } from 'node:test';
import { tableFamilies } from '../../linux/nftables/table.ts';
import { FakeNftables } from '../../linux/testing/fake-nftables.ts';
import type { NodeContext } from '../plan/node-context.ts';
import type { Frontend, PortPlan, ServicePlan } from '../plan/service-plan.ts';
import { freePort } from '../testing/running-proxy.ts';
import { bareNode } from '../testing/sample-node.ts';
import { atLoopback, LoopbackNodePorts } from './loopback-node-ports.ts';
import { tableName } from './nftables/layout.ts';
import { NftablesMode } from './nftables/nftables-mode.ts';
import { modeConformance } from './testing/conformance.ts';

modeConformance('nftables with relays for loopback', async () => {
  const nft = new FakeNftables();
  const modes: LoopbackNodePorts[] = [];
  return {
    mode() {
      const mode = new LoopbackNodePorts(new NftablesMode(nft));
      modes.push(mode);
      return mode;
    },
    rules: async () => tableFamilies.flatMap((family) => nft.dump(family, tableName).split('\n').sort()).join('\n'),
    damage: () => nft.commitByOther({ family: 'ip', table: tableName, ops: [{ op: 'flush-chain', chain: 'services' }] }),
    async [Symbol.asyncDispose]() {
      for (const mode of modes) mode.close();
    },
  };
});

const frontend: Frontend = { kind: 'node-port', port: 30080, inside: 'cluster', outside: 'cluster', masquerade: 'always' };

function plan(frontends: readonly Frontend[], more: Partial<PortPlan> = {}): ServicePlan {
  const port: PortPlan = { name: 'http', protocol: 'tcp', frontends, cluster: [], local: [], serving: new Set(), ...more };
  return { key: 'n/web', rank: '', ports: [port] };
}

describe('atLoopback()', () => {
  const clusterIp: Frontend = { ...frontend, kind: 'cluster-ip', ip: '10.96.0.1' };
  test('leaves node ports', () => {
    assert.deepEqual(atLoopback(plan([clusterIp, frontend])), plan([frontend]));
  });
  test('leaves nothing of a Service without one, or without TCP', () => {
    assert.equal(atLoopback(plan([clusterIp])), undefined);
    assert.equal(atLoopback(plan([frontend], { protocol: 'udp' })), undefined);
  });
});

const node: NodeContext = { ...bareNode, nodePortIps: ['192.0.2.1'], nodeIps: ['192.0.2.1'] };

test('a node port answers at 127.0.0.1, says that it listens there, and is refused once it is gone', async () => {
  const server = createServer((socket) => socket.end('pod')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const endpoint = { name: `127.0.0.1 . ${port}`, ip: '127.0.0.1', port, mayBeHere: true };
  const nodePort = await freePort();
  const mode = new LoopbackNodePorts(new NftablesMode(new FakeNftables()));
  try {
    const rules = await mode.open(node);
    rules.put('n/web', plan([{ ...frontend, port: nodePort }], { cluster: [endpoint] }));
    await rules.sync();
    assert.deepEqual(mode.listeners(), [{ protocol: 'tcp', ip: '127.0.0.1', port: nodePort }]);
    const [said] = await once(connect(nodePort, '127.0.0.1'), 'data');
    assert.equal(String(said), 'pod');
    rules.put('n/web', undefined);
    await rules.sync();
    await assert.rejects(once(connect(nodePort, '127.0.0.1'), 'data'), /ECONNREFUSED/);
    assert.deepEqual(mode.listeners(), []);
  } finally {
    mode.close();
    server.close();
  }
});
