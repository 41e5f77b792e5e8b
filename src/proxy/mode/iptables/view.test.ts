import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ServicePlan } from '../../plan/service-plan.ts';
import { bareNode } from '../../testing/sample-node.ts';
import { layoutOf } from './layout.ts';
import { renderRules } from './render-rules.ts';
import { sayEndpoints, view } from './view.ts';

function plan(name: string, count: number): ServicePlan {
  const cluster = Array.from({ length: count }, (_, i) => `10.244.${i >> 8}.${i & 255}`).map((ip) => ({
    name: `${ip} . 80`,
    ip,
    port: 80,
    mayBeHere: false,
  }));
  const ip = `10.96.0.${name.length}`;
  const frontend = { kind: 'cluster-ip', ip, port: 80, inside: 'cluster', outside: 'cluster', masquerade: 'always' } as const;
  const port = { name: '', protocol: 'tcp', frontends: [frontend], cluster, local: [], serving: new Set<string>() } as const;
  return { key: `n/${name}`, rank: name, clusterIp: ip, ports: [port] };
}

describe('sayEndpoints()', () => {
  const held = (...plans: ServicePlan[]): ReturnType<typeof renderRules> => renderRules(plans, layoutOf(bareNode, {}, true));

  test('is what the rules do: of few endpoints they say where they lead, of more than a thousand of all Services none does', () => {
    assert.equal(sayEndpoints(held(plan('a', 2))), true);
    assert.equal(sayEndpoints(held(plan('a', 2), plan('bb', 998))), true);
    assert.equal(sayEndpoints(held(plan('a', 2), plan('bb', 999))), false);
  });

  test('is not known where no rule leads to an endpoint', () => {
    assert.equal(sayEndpoints(held(plan('a', 0))), undefined);
    assert.equal(sayEndpoints(new Map()), undefined);
  });

  test('is told of a Service by itself by its own endpoints, where there is no kernel to ask', () => {
    const says = (count: number): boolean =>
      view.explain(plan('a', count), bareNode).some(({ text }) => text.includes('n/a -> 10.244.0.0:80'));
    assert.deepEqual([says(2), says(1001)], [true, false]);
  });
});
