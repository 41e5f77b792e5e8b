/** Weights that follow connections, in what a sync would change. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { changesOf } from '../../../linux/iptables/print.ts';
import type { EndpointAddress, ServicePlan } from '../../plan/service-plan.ts';
import { scenarios } from '../../testing/scenarios.ts';
import { chainsOf } from './chain-names.ts';
import { layoutOf } from './layout.ts';
import { nothingKnown, place } from './placement.ts';
import { renderService } from './render-service.ts';
import { namedChanges } from './view.ts';

const node = scenarios.find(({ title }) => title === 'web')?.scenario.node ?? assert.fail();
const endpoint = (n: number): EndpointAddress => ({ name: `10.244.1.${n} . 80`, ip: `10.244.1.${n}`, port: 80, mayBeHere: true });
const { cluster: chain, endpoint: chainOf } = chainsOf('n/a', 'tcp');

function plan(algorithm: ServicePlan['algorithm'], more: Partial<ServicePlan['ports'][number]> = {}): ServicePlan {
  const frontend = {
    kind: 'cluster-ip',
    ip: '10.96.0.1',
    port: 80,
    inside: 'cluster',
    outside: 'cluster',
    masquerade: 'outside-pods',
  } as const;
  const ports = [
    {
      name: '',
      protocol: 'tcp' as const,
      frontends: [frontend],
      cluster: [1, 2, 3].map(endpoint),
      local: [],
      serving: new Set<string>(),
      ...more,
    },
  ];
  return { key: 'n/a', rank: '', ports, ...(algorithm ? { algorithm } : {}) };
}

/** The chains of a Service by what was counted, or before anything was. */
function chains(of: ServicePlan, connections?: Readonly<Record<string, number>>): Map<string, string[]> {
  const load = connections && { connections: new Map(Object.entries(connections)), expected: 4 };
  const known = { ...nothingKnown, load: () => load };
  return new Map([...renderService(place(of, known), layoutOf(node, {}, true), false).chains].map(([name, rules]) => [name, [...rules]]));
}

/** Rules that are no weights among what a sync would change of what is held. */
function drift(held: ReadonlyMap<string, readonly string[]>, of: ServicePlan): string[] {
  const rules = new Map([['nat', held]]);
  const commands = [...changesOf(rules, [{ table: 'nat', fill: chains(of) }])];
  assert.ok(commands.length > 0, 'something is to be changed');
  return namedChanges('ip', commands, [of], rules).flatMap(({ isMoving, text }) => (isMoving ? [] : [text]));
}

describe('weights of iptables', () => {
  const least = plan('least-connection');
  const uneven = { '10.244.1.1 . 80': 1, '10.244.1.2 . 80': 5 };
  const jump = (n: number): string => `-j ${chainOf(`10.244.1.${n}:80`)}`;

  test('are no drift while they follow connections, also of an endpoint that gets none', () => {
    const held = chains(least, uneven);
    assert.ok(!(held.get(chain) ?? []).some((rule) => rule.endsWith(jump(2))));
    assert.deepEqual(drift(held, least), []);
  });

  test('are drift of a Service that has others', () => assert.notDeepEqual(drift(chains(least, uneven), plan(undefined)), []));

  const tampered: readonly [what: string, change: (rules: string[]) => string[]][] = [
    ['a chain that sends nowhere', () => []],
    ['a chain that lost its last choice', (rules) => rules.slice(0, -1)],
    ['a choice that hides those behind it', (rules) => [jump(1), ...rules]],
    ['a stranger among the endpoints', (rules) => [`-m statistic --mode random --probability 0.5 ${jump(9)}`, ...rules]],
  ];
  for (const [what, change] of tampered)
    test(`do not hide ${what}`, () => {
      const held = chains(least, uneven);
      held.set(chain, change(held.get(chain) ?? []));
      assert.notDeepEqual(drift(held, least), []);
    });

  test('do not hide another rule of the same chain', () => {
    const held = chains(least, uneven);
    held.set(chain, ['-j ACCEPT', ...(held.get(chain) ?? [])]);
    assert.deepEqual(drift(held, least), [`iptables -t nat -D ${chain} -j ACCEPT`]);
  });

  test('of jumps by affinity are none', () => {
    const sticky = plan('least-connection', { affinitySeconds: 60 });
    const held = chains(sticky, uneven);
    const own = held.get(chain) ?? [];
    assert.ok(own.some((rule) => rule.includes('-m recent ')));
    const rechecks = own.filter((rule) => rule.includes('-m recent '));
    held.set(
      chain,
      own.filter((rule) => rule !== rechecks[0]),
    );
    assert.equal(drift(held, sticky).length, 1);
  });
});
