import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { EndpointAddress, PortPlan } from '../../plan/service-plan.ts';
import { addressOf, chainsOf } from './chain-names.ts';
import {
  endpointChains,
  hashSteps,
  heldClients,
  heldOrder,
  manyEndpoints,
  nothingKnown,
  orderOf,
  type PlacedPlan,
  partsOfClients,
  place,
} from './placement.ts';

const ipOf = (n: number): string => `10.0.${n >> 8}.${n & 255}`;
const endpoint = (n: number): EndpointAddress => ({ name: `${ipOf(n)} . 80`, ip: ipOf(n), port: 80, mayBeHere: false });
const { cluster: chain, endpoint: chainOf } = chainsOf('n/a', 'tcp');

function plan(algorithm: PlacedPlan['algorithm'], ...numbers: number[]): PlacedPlan {
  const port: PortPlan = { name: '', protocol: 'tcp', frontends: [], cluster: numbers.map(endpoint), local: [], serving: new Set() };
  return { key: 'n/a', rank: '', ports: [port], ...(algorithm ? { algorithm } : {}) };
}

const clientsOf = (placed: PlacedPlan): readonly string[] => placed.placed?.get(chain)?.clients ?? [];
const after = (before: PlacedPlan, ...numbers: number[]): PlacedPlan =>
  place(plan('source-hash', ...numbers), { ...nothingKnown, clients: () => clientsOf(before) });
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
  const known = { ...nothingKnown, load: () => load };
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

describe('place() of very many endpoints keeps their order', () => {
  const upTo = (last: number): number[] => Array.from({ length: last }, (_, i) => i + 1);
  const most = manyEndpoints + 10;
  const addressesOf = (numbers: readonly number[]): string[] => numbers.map((n) => addressOf(endpoint(n)));
  const first = place(plan(undefined, ...upTo(most)), nothingKnown);
  const sorted = addressesOf(upTo(most)).sort();
  const next = (numbers: readonly number[], before: PlacedPlan = first): readonly string[] | undefined =>
    place(plan(undefined, ...numbers), { ...nothingKnown, order: (of) => orderOf(before, of) }).placed?.get(chain)?.order;

  test('which is sorted at first', () => assert.deepEqual(orderOf(first, chain), sorted));

  test('and so it is of fewer, and of endpoints that stand there twice', () => {
    assert.equal(next(upTo(manyEndpoints)), undefined);
    assert.equal(next([...upTo(most), 1]), undefined);
  });

  test('one that comes takes the place of one that went', () => {
    const went = addressOf(endpoint(77));
    const came = addressOf(endpoint(999));
    assert.deepEqual(
      next([...upTo(most).filter((n) => n !== 77), 999]),
      sorted.map((address) => (address === went ? came : address)),
    );
  });

  test('more come in front', () => {
    assert.deepEqual(next([...upTo(most), 999, 998]), [...addressesOf([998, 999]), ...sorted]);
  });

  test('where there are fewer those in front take the places of those that went, unless they went, too', () => {
    const [head = '', second = '', ...rest] = sorted;
    const numberOf = new Map(upTo(most).map((n) => [addressOf(endpoint(n)), n]));
    const without = (...gone: string[]): number[] => upTo(most).filter((n) => !gone.map((one) => numberOf.get(one)).includes(n));
    const fifth = sorted[5] ?? '';
    assert.deepEqual(
      next(without(fifth)),
      [second, ...rest].map((address) => (address === fifth ? head : address)),
    );
    assert.deepEqual(next(without(head)), [second, ...rest]);
    assert.deepEqual(
      next(without(head, fifth)),
      rest.map((address) => (address === fifth ? second : address)),
    );
  });

  test('of a Service that grows those that it had stay behind', () => {
    const few = plan(undefined, 3, 2);
    assert.deepEqual(next(upTo(most), place(few, nothingKnown))?.slice(-2), addressesOf([2, 3]));
  });

  test('which is read back from the rules, whatever they are', () => {
    const sticky = `-m recent --rcheck --name x -j ${chainOf(sorted[0] ?? '')}`;
    const rules = ['-j KUBE-MARK-MASQ', sticky, ...sorted.toReversed().map((address) => `-m x -j ${chainOf(address)}`)];
    assert.deepEqual(heldOrder(rules, endpointChains(first)), sorted.toReversed());
    const broken = [...sorted.slice(3), sorted[7] ?? '', 'somebody:1'];
    const order = place(plan(undefined, ...upTo(most)), { ...nothingKnown, order: () => broken }).placed?.get(chain)?.order ?? [];
    assert.deepEqual(order.toSorted(), sorted);
    assert.deepEqual(order.slice(1, 5), sorted.slice(3, 7));
  });

  test('by turns, too, and not by source-hash', () => {
    const numbers = upTo(most);
    assert.ok(place(plan('round-robin', ...numbers), nothingKnown).placed?.has(chain));
    assert.ok(!place(plan('source-hash', ...numbers), nothingKnown).placed?.get(chain)?.order);
  });
});
