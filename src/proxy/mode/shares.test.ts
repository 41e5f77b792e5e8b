import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { seededRandom } from '../../clock/testing/seeded-random.ts';
import { equalShares, fewestFirst, fillSlots, heldShares, slotCount, weightedShares, widened } from './shares.ts';

describe('slotCount()', () => {
  const cases: [endpoints: number, before: number, size: number][] = [
    [1, 0, 16],
    [2, 0, 32],
    [3, 0, 64],
    [4, 64, 64],
    [5, 64, 128],
    [2, 128, 128],
    [1, 3, 16],
    [5_000, 0, 65_536],
  ];
  for (const [endpoints, before, size] of cases)
    test(`is ${size} for ${endpoints} after ${before}`, () => assert.equal(slotCount(endpoints, before), size));
});

describe('widened()', () => {
  const sixteen = Array.from({ length: 16 }, (_, i) => (i % 2 ? 'a' : 'b'));
  test('makes neighbours of each slot', () => {
    assert.deepEqual(widened(sixteen, 64).slice(0, 9), ['b', 'b', 'b', 'b', 'a', 'a', 'a', 'a', 'b']);
    assert.equal(widened(sixteen, 64).length, 64);
    assert.equal(widened(sixteen, 16), sixteen);
  });
  test('is nothing of a list that holds every endpoint once, or that does not fit', () => {
    assert.deepEqual(widened(['a', 'b'], 32), []);
    assert.deepEqual(widened([], 16), []);
    assert.deepEqual(widened([...sixteen, ...sixteen, ...sixteen], 64), []);
  });
});

describe('equal shares', () => {
  const countOf = (slots: readonly string[]): number[] => [...heldShares(slots, new Set(slots)).values()].sort((a, b) => a - b);

  test('differ by one slot at most, and who has most keeps what is left over', () => {
    assert.deepEqual(
      [...equalShares(['a', 'b', 'c'], ['c', 'c', 'b'], 16)],
      [
        ['c', 6],
        ['b', 5],
        ['a', 5],
      ],
    );
    assert.deepEqual(
      [...equalShares(['b', 'a'], [], 16)],
      [
        ['a', 8],
        ['b', 8],
      ],
    );
  });

  test('move clients of an endpoint that goes, and no others; and to one that comes no more than its share', () => {
    const seed = Number(process.env.FAIRLEAD_SEED ?? Date.now() % 2 ** 31);
    const below = seededRandom(seed);
    const names = new Set(['e0']);
    let slots = fillSlots([], equalShares(names, [], 16));
    for (let step = 1; step < 300; step++) {
      const before = slots;
      const gone = below(2) === 0 && names.size > 1 ? [...names][below(names.size)] : undefined;
      if (gone === undefined) names.add(`e${step}`);
      else names.delete(gone);
      const held = widened(before, slotCount(names.size, before.length));
      slots = fillSlots(held, equalShares(names, held, slotCount(names.size, before.length)));
      const moved = slots.filter((name, i) => name !== held[i] && held[i] !== gone).length;
      const wanted = gone === undefined ? slots.filter((name) => name === `e${step}`).length : 0;
      assert.equal(moved, wanted, `seed ${seed}, step ${step}, ${names.size} endpoints in ${slots.length} slots`);
      const counts = countOf(slots);
      assert.equal(counts.length, names.size);
      assert.ok((counts.at(-1) ?? 0) - (counts[0] ?? 0) <= 1, `seed ${seed}, step ${step}: ${counts.join(' ')}`);
    }
  });
});

describe('fillSlots()', () => {
  test('keeps who holds a slot as long as its share allows, and gives the others by name', () => {
    assert.deepEqual(
      fillSlots(
        ['b', 'b', 'x', 'b'],
        new Map([
          ['b', 2],
          ['c', 1],
          ['a', 1],
        ]),
      ),
      ['b', 'b', 'a', 'c'],
    );
  });
  test('has as many slots as the shares have together', () =>
    assert.deepEqual(fillSlots(['a', 'a', 'a'], new Map([['a', 2]])), ['a', 'a']));
});

describe('weightedShares()', () => {
  test('are in proportion, the largest rest first', () => {
    assert.deepEqual(
      [
        ...weightedShares(
          new Map([
            ['a', 1],
            ['b', 2],
            ['c', 0],
          ]),
          16,
        ),
      ],
      [
        ['a', 5],
        ['b', 11],
        ['c', 0],
      ],
    );
    assert.deepEqual(
      [
        ...weightedShares(
          new Map([
            ['b', 1],
            ['a', 1],
            ['c', 1],
          ]),
          16,
        ),
      ],
      [
        ['b', 5],
        ['a', 6],
        ['c', 5],
      ],
    );
  });
});

describe('fewestFirst()', () => {
  const weights = (counts: Record<string, number>, expected: number): Record<string, number> =>
    Object.fromEntries(fewestFirst(['a', 'b', 'c'], { connections: new Map(Object.entries(counts)), expected }));

  test('gives a connection to the endpoint with fewest, and to equals alike', () => {
    assert.deepEqual(weights({ a: 3, b: 1, c: 2 }, 0), { b: 1, c: 0, a: 0 });
    assert.deepEqual(weights({ a: 5 }, 1), { b: 0.5, c: 0.5, a: 0 });
    assert.deepEqual(weights({}, 3), { a: 1, b: 1, c: 1 });
  });
  test('counts none of those that are to end before the next count', () => {
    const load = {
      connections: new Map([
        ['a', 5],
        ['b', 2],
      ]),
      ending: new Map([['a', 4]]),
      expected: 1,
    };
    assert.deepEqual(Object.fromEntries(fewestFirst(['a', 'b'], load)), { a: 1, b: 0 });
  });
  test('fills up to one level when more are expected', () => {
    assert.deepEqual(weights({ a: 3, b: 1, c: 1 }, 10), { b: 4, c: 4, a: 2 });
    assert.deepEqual(weights({ a: 10, b: 4, c: 0 }, 6), { c: 5, b: 1, a: 0 });
  });
});

describe('weights that are counted each second', () => {
  const names = ['slow', 'b', 'c'];
  const [arrivalsPerSecond, ticksPerSecond, seconds, warmUp] = [50, 100, 150, 40];
  const holdSeconds = new Map([
    ['slow', 10],
    ['b', 1],
    ['c', 1],
  ]);
  type Choose = (open: ReadonlyMap<string, number>, below: (n: number) => number) => string;

  /** How far the endpoints with most and with fewest connections are apart, on average, when each new connection goes where `choose` says. */
  function spread(seed: number, choose: Choose, eachSecond: (open: ReadonlyMap<string, number>, arrived: number) => void): number {
    const below = seededRandom(seed);
    const drawn = (mean: number): number => -Math.log((below(1_000_000) + 1) / 1_000_001) * mean;
    let connections: { on: string; until: number }[] = [];
    let [arrived, apart, nextAt] = [0, 0, 0];
    for (let tick = 0; tick < seconds * ticksPerSecond; tick++) {
      const now = tick / ticksPerSecond;
      connections = connections.filter(({ until }) => until > now);
      const open = new Map(names.map((name) => [name, connections.filter(({ on }) => on === name).length]));
      if (tick % ticksPerSecond === 0) {
        eachSecond(open, arrived);
        arrived = 0;
      }
      for (; nextAt <= now; nextAt += drawn(1 / arrivalsPerSecond), arrived++) {
        const on = choose(open, below);
        connections.push({ on, until: now + drawn(holdSeconds.get(on) ?? 0) });
        open.set(on, (open.get(on) ?? 0) + 1);
      }
      if (now >= warmUp) apart += Math.max(...open.values()) - Math.min(...open.values());
    }
    return apart / ((seconds - warmUp) * ticksPerSecond);
  }

  test('keep endpoints nearly as even as IPVS does, which counts at each connection', () => {
    const seed = Number(process.env.FAIRLEAD_SEED ?? Date.now() % 2 ** 31);
    const fewest: Choose = (open) => names.reduce((best, name) => ((open.get(name) ?? 0) < (open.get(best) ?? 0) ? name : best));
    let slots = fillSlots([], equalShares(names, [], 64));
    let [before, arrivedOn]: [ReadonlyMap<string, number>, Map<string, number>] = [new Map(), new Map()];
    const ours = spread(
      seed,
      (_, below) => {
        const on = slots[below(slots.length)] ?? '';
        arrivedOn.set(on, (arrivedOn.get(on) ?? 0) + 1);
        return on;
      },
      (open, expected) => {
        const ended = (name: string): number => (before.get(name) ?? 0) + (arrivedOn.get(name) ?? 0) - (open.get(name) ?? 0);
        const ending = new Map(names.map((name) => [name, ended(name)]));
        slots = fillSlots(slots, weightedShares(fewestFirst(names, { connections: open, ending, expected }), slots.length));
        [before, arrivedOn] = [open, new Map()];
      },
    );
    const ipvs = spread(seed, fewest, () => {});
    const random = spread(
      seed,
      (_, below) => names[below(names.length)] ?? '',
      () => {},
    );
    const told = `seed ${seed}: apart by ${ours.toFixed(1)}, IPVS by ${ipvs.toFixed(1)}, at random by ${random.toFixed(1)}`;
    assert.ok(ours < random / 10 && ours < ipvs + arrivalsPerSecond / 5, told);
  });
});
