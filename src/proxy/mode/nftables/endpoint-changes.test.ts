/** Endpoints come and go while Services stay the objects that they are: what is kept of plans and elements must be what would be made anew. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { EndpointSlice } from '../../../api/schema/types.ts';
import { create } from '../../../linux/nftables/diff.ts';
import { FakeNftables } from '../../../linux/testing/fake-nftables.ts';
import type { Planner } from '../../plan/planner.ts';
import type { Scenario } from '../../testing/scenario.ts';
import { planScenario } from '../../testing/scenario.ts';
import { scenarios } from '../../testing/scenarios.ts';
import { tableName } from './layout.ts';
import { Ledger } from './ledger.ts';
import { nftablesAlgorithms } from './nftables-mode.ts';
import { noSlots, type SlottedPlan, withSlots } from './slots.ts';

type Endpoints = NonNullable<EndpointSlice['endpoints']>;

const here = (nodeName: string, endpoints: Endpoints): Endpoints => endpoints.map((endpoint) => ({ ...endpoint, nodeName }));
const ending = { ready: false, serving: true, terminating: true };

/** What becomes of the endpoints of a slice, one after the other. */
const stages: readonly (readonly [what: string, of: (endpoints: Endpoints, nodeName: string) => Endpoints])[] = [
  ['as they are', (endpoints) => endpoints],
  ['in another order', (endpoints) => endpoints.toReversed()],
  ['without the first', (endpoints) => endpoints.slice(1)],
  ['all again', (endpoints) => endpoints],
  [
    'one for another',
    (endpoints) => endpoints.map((e, i) => (i === 0 ? { ...e, addresses: [e.addresses[0]?.replace(/\w+$/, '77') ?? ''] } : e)),
  ],
  ['all of this node', (endpoints, nodeName) => here(nodeName, endpoints)],
  ['none of this node', (endpoints) => here('elsewhere', endpoints)],
  ['all ending', (endpoints) => endpoints.map((endpoint) => ({ ...endpoint, conditions: ending }))],
  ['none', () => []],
  ['as they were', (endpoints) => endpoints],
];

function slotted(planner: Planner): Map<string, SlottedPlan> {
  return new Map([...planner.plans].map(([key, plan]) => [key, withSlots(plan, noSlots)]));
}

async function follow(scenario: Scenario): Promise<void> {
  const { family } = scenario.node;
  const nft = new FakeNftables();
  const planner = planScenario({ ...scenario, slices: [] }, nftablesAlgorithms);
  const ledger = new Ledger(scenario.node);
  ledger.update(slotted(planner));
  await nft.commit({ family, table: tableName, ops: create(ledger.table()) });
  ledger.settled();
  for (const [what, of] of stages) {
    const slices = scenario.slices.map((slice) => ({ ...slice, endpoints: of(slice.endpoints ?? [], scenario.node.nodeName) }));
    const anew = planScenario({ ...scenario, slices }, nftablesAlgorithms);
    for (const service of scenario.services) {
      const key = `${service.metadata.namespace}/${service.metadata.name}`;
      planner.put(key, service, slicesOf(slices, key));
    }
    planner.take();
    assert.deepEqual(planner.plans, anew.plans, what);
    const plans = slotted(planner);
    ledger.update(plans);
    for (const ops of ledger.changes()) await nft.commit({ family, table: tableName, ops });
    ledger.settled();
    const fresh = new Ledger(scenario.node);
    fresh.update(plans);
    for (const [set, wanted] of fresh.table().elements)
      assert.deepEqual(
        new Map([...(nft.table(family, tableName)?.elements.get(set) ?? [])].sort()),
        new Map([...wanted].sort()),
        `${what}: ${set}`,
      );
  }
}

function slicesOf(slices: readonly EndpointSlice[], key: string): EndpointSlice[] {
  return slices.filter(({ metadata }) => `${metadata.namespace}/${metadata.labels?.['kubernetes.io/service-name']}` === key);
}

describe('a change of endpoints alone leaves what all made anew would be', () => {
  for (const { title, scenario } of scenarios) test(title, () => follow(scenario));
});

test('a change of endpoints alone keeps the lists of frontends', () => {
  const { scenario } = scenarios.find(({ scenario: { slices } }) => slices.length > 0) ?? scenarios[0]!;
  const planner = planScenario(scenario);
  const before = new Map(planner.plans);
  const [service] = scenario.services;
  const key = `${service?.metadata.namespace}/${service?.metadata.name}`;
  planner.put(key, service, slicesOf(scenario.slices, key));
  planner.take();
  const ports = planner.plans.get(key)?.ports ?? [];
  assert.ok(ports.length > 0);
  for (const [i, { frontends }] of ports.entries()) assert.equal(frontends, before.get(key)?.ports[i]?.frontends);
});
