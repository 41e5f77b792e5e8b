import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { EndpointAddress, PortPlan } from '../../plan/service-plan.ts';
import { addressOf, chainsOf } from './chain-names.ts';
import { endpointChains, hashSteps, heldClients, type PlacedPlan, partsOfClients, place } from './placement.ts';

const endpoint = (n: number): EndpointAddress => ({ name: `10.0.0.${n} . 80`, ip: `10.0.0.${n}`, port: 80, mayBeHere: false });
const { cluster: chain, endpoint: chainOf } = chainsOf('n/a', 'tcp');

function plan(algorithm: PlacedPlan['algorithm'], ...numbers: number[]): PlacedPlan {
  const port: PortPlan = { name: '', protocol: 'tcp', frontends: [], cluster: numbers.map(endpoint), local: [], serving: new Set() };
  return { key: 'n/a', rank: '', ports: [port], ...(algorithm ? { algorithm } : {}) };
}

const clientsOf = (placed: PlacedPlan): readonly string[] => placed.placed?.get(chain)?.clients ?? [];
const after = (before: PlacedPlan, ...numbers: number[]): PlacedPlan =>
  place(plan('source-hash', ...numbers), { clients: () => clientsOf(before), load: () => undefined });
const fresh = (...numbers: number[]): PlacedPlan => after(plan('source-hash'), ...numbers);

describe('place() by source-hash', () => {
  test('gives each endpoint as many parts of the clients as another, but for one', () => {
    const counts = [1, 2, 3].map((n) => clientsOf(fresh(1, 2, 3)).filter((of) => of === addressOf(endpoint(n))).length);
    assert.deepEqual(counts.sort(), [10, 11, 11]);
  });

  test('moves only clients whose endpoint went', () => {
    const before = fresh(1, 2, 3);
    const now = clientsOf(after(before, 1, 3));
    const gone = addressOf(endpoint(2));
    for (const [part, of] of clientsOf(before).entries()) assert.ok(of === gone ? now[part] !== gone : now[part] === of);
  });

  test('lets an endpoint that comes have no more than its share', () => {
    const before = fresh(1, 2);
    const moved = clientsOf(after(before, 1, 2, 3)).filter((of, part) => of !== clientsOf(before)[part]);
    assert.deepEqual([...new Set(moved)], [addressOf(endpoint(3))]);
    assert.ok(moved.length <= 11);
  });

  test('is read back from the rules, whatever else the chain has', () => {
    const placed = after(fresh(1, 2, 3, 4), 1, 3, 4);
    const addresses = [1, 3, 4].map((n) => addressOf(endpoint(n)));
    const rules = hashSteps(addresses, clientsOf(placed)).map(({ match, address }) => `${match}-j ${chainOf(address)}`);
    const sticky = `-m recent --rcheck --name x -j ${chainOf(addresses[0] ?? '')}`;
    const chains = endpointChains(placed);
    assert.deepEqual(heldClients(['-j KUBE-MARK-MASQ', sticky, ...rules], chains), clientsOf(placed));
    // As the tools print it.
    const printed = rules.map((rule) =>
      rule.replace(/--cluster-local-node (\d+)/, (_, n) => `--cluster-local-nodemask 0x${(2 ** (n - 1)).toString(16)}`),
    );
    assert.deepEqual(heldClients(printed, chains), clientsOf(placed));
    assert.deepEqual(
      heldClients([], chains),
      Array.from({ length: partsOfClients }, () => ''),
    );
  });
});

test('hashSteps() has one step for each of many endpoints, all different, and none that fails all', () => {
  const addresses = Array.from({ length: 70 }, (_, i) => `10.0.0.${i}:80`);
  const steps = hashSteps(addresses, undefined);
  assert.deepEqual(
    steps.map(({ address }) => address),
    addresses,
  );
  assert.equal(new Set(steps.map(({ match }) => match)).size, 70);
  assert.match(
    steps[64]?.match ?? '',
    /--cluster-local-node 1 --cluster-total-nodes 32 .* --cluster-local-node 3 --cluster-total-nodes 3 /,
  );
  assert.equal(steps.at(-1)?.match, '');
  assert.deepEqual(hashSteps(['10.0.0.1:80'], undefined), [{ match: '', address: '10.0.0.1:80' }]);
});

test('place() by least-connection weighs by what was counted, and not before', () => {
  const load = { connections: new Map([['10.0.0.1 . 80', 5]]), expected: 1 };
  const known = { clients: () => [], load: () => load };
  assert.deepEqual(
    place(plan('least-connection', 1, 2), known).placed?.get(chain)?.weights,
    new Map([
      ['10.0.0.1:80', 0],
      ['10.0.0.2:80', 1],
    ]),
  );
  assert.equal(place(plan('least-connection', 1, 2), { ...known, load: () => undefined }).placed?.get(chain), undefined);
  assert.equal(place(plan(undefined, 1, 2), known).placed, undefined);
});
