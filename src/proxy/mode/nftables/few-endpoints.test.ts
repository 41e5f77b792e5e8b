/** A Service whose endpoints become few or many, or which leads to them otherwise: at no moment, in or between two transactions, does a packet miss them. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Table } from '../../../linux/nftables/table.ts';
import { trace } from '../../../linux/nftables/trace.ts';
import type { Algorithm } from '../../plan/algorithm.ts';
import type { Frontend, ServicePlan } from '../../plan/service-plan.ts';
import type { ServiceTable } from './service-table.ts';
import { ledByElements, momentsOf, Recorder, restarted, running, upgraded, type Way } from './testing/moments.ts';

const ip = '10.96.0.1';
const target = { port: 80, inside: 'cluster', outside: 'cluster', masquerade: 'always' } as const;

function plan(endpoints: readonly string[], algorithm?: Algorithm): ServicePlan {
  const frontends: Frontend[] = [
    { kind: 'cluster-ip', ip, ...target },
    { kind: 'external-ip', ip: '203.0.113.9', ...target },
  ];
  const cluster = endpoints.map((one) => ({ name: `${one} . 8080`, ip: one, port: 8080, mayBeHere: false }));
  const port = { name: '', protocol: 'tcp', frontends, cluster, local: [], serving: new Set<string>() } as const;
  return { key: 'n/a', rank: '', clusterIp: ip, ports: [port], ...(algorithm ? { algorithm } : {}) };
}

const [a, b, c, d] = ['10.244.0.1', '10.244.0.2', '10.244.0.3', '10.244.0.4'] as const;

const kinds: Readonly<Record<string, ServicePlan>> = {
  'one endpoint': plan([a]),
  two: plan([a, b]),
  'two others': plan([c, a]),
  three: plan([a, b, c]),
  four: plan([d, c, b, a]),
  'two in turn': plan([a, b], 'round-robin'),
  'two by a hash': plan([a, b], 'source-hash'),
};

function endpointsOf({ ports }: ServicePlan): string[] {
  return ports.flatMap(({ cluster }) => cluster.map((one) => one.ip));
}

/** Where packets of this table's rules may end. */
function endsOf(table: Table): string[] {
  const packet = { from: '10.244.9.9', sourcePort: 40_000, to: ip, port: 80, protocol: 'tcp', interface: 'eth0' };
  const fate = trace(table, packet, { nodeIps: [] });
  return fate.kind === 'passed' ? fate.destinations.map(({ to }) => to).sort() : [fate.kind];
}

function check(what: string, before: ServicePlan, after: ServicePlan, states: readonly Table[]): void {
  const either = new Set([...endpointsOf(before), ...endpointsOf(after)]);
  for (const [i, state] of states.slice(1).entries())
    for (const [moment, atFilter, atNat] of momentsOf(states[i] ?? state, state))
      for (const table of [atFilter, atNat]) {
        const ends = endsOf(table);
        const at = `${what}, transaction ${i + 1} of ${states.length - 1}, ${moment}: ${ends.join()}`;
        assert.ok(ends.length > 0 && ends.every((end) => either.has(end)), at);
      }
  const last = states.at(-1);
  // A hash sends this client to one of them.
  if (last && after.algorithm !== 'source-hash') assert.deepEqual(endsOf(last), endpointsOf(after).sort(), what);
}

async function change(recorder: Recorder, table: ServiceTable, after: ServicePlan): Promise<readonly Table[]> {
  const begin = recorder.table;
  recorder.states.length = 0;
  table.put('n/a', after);
  await table.sync();
  return [begin, ...recorder.states];
}

const ways: Readonly<Record<string, Way>> = {
  'while the proxy runs': running,
  'while it is away': restarted,
  'while it is away, and another version comes back': upgraded(ledByElements),
};

for (const [how, way] of Object.entries(ways))
  describe(`${how}, a Service`, () => {
    for (const [from, before] of Object.entries(kinds))
      test(`from ${from} to whatever else reaches endpoints of before or after, also when that is broken off`, async () => {
        for (const [to, after] of Object.entries(kinds)) {
          const { recorder, table } = await way(before);
          const states = await change(recorder, table, after);
          check(`to ${to}`, before, after, states);
          for (const [i, broken] of states.slice(1, -1).entries()) {
            const again = await Recorder.over(broken);
            const rest = await change(again, await again.begin(), after);
            check(`to ${to}, broken off after transaction ${i + 1}`, before, after, rest);
          }
        }
      });
  });

test('the layout of the version before is one that leads every address by an element', async () => {
  const { recorder } = await upgraded(ledByElements)(plan([a, b]));
  const { elements, chains } = recorder.table;
  assert.deepEqual(elements.get('services')?.get(`${ip} . tcp . 80`), 'goto lb-2');
  assert.deepEqual(
    [...(elements.get('endpoints')?.keys() ?? [])].filter((key) => key.startsWith(ip)),
    [`${ip} . tcp . 80 . 0`, `${ip} . tcp . 80 . 1`],
  );
  assert.ok(chains.some(({ name }) => name === 'lb-2'));
  assert.deepEqual(endsOf(recorder.table), [a, b]);
});

test('a Service that comes, goes, or gets a second endpoint changes no element that leads to a chain, nor a chain', async () => {
  const { recorder, table } = await running(undefined);
  const onIp = (endpoints: readonly string[]): ServicePlan => {
    const { ports, ...rest } = plan(endpoints);
    return { ...rest, ports: ports.map((port) => ({ ...port, frontends: port.frontends.slice(0, 1) })) };
  };
  for (const after of [onIp([a]), onIp([a, b]), onIp([c, b]), onIp([b]), undefined]) {
    const before = recorder.nft.transactions.length;
    table.put('n/a', after);
    await table.sync();
    const ops = recorder.nft.transactions.slice(before).flatMap((transaction) => transaction.ops);
    const touched = ops.map((op) => ('set' in op && typeof op.set === 'object' ? op.set.name : op.op));
    assert.ok(touched.length > 0 && touched.every((name) => ['endpoints', 'cluster-ips'].includes(name)), touched.join());
  }
});
