import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { EndpointAddress, Frontend, PortPlan, ServicePlan, Target } from '../../plan/service-plan.ts';
import { changeElements, SlotElements } from './element.ts';

function endpoints(ips: readonly string[], mayBeHere = false): EndpointAddress[] {
  return ips.map((ip) => ({ name: `${ip} . 8080`, ip, port: 8080, mayBeHere }));
}

interface Shape {
  readonly kind?: Frontend['kind'];
  readonly inside?: Target;
  readonly outside?: Target;
  readonly masquerade?: Frontend['masquerade'];
  readonly sources?: readonly string[];
  readonly cluster?: readonly EndpointAddress[];
  readonly local?: readonly EndpointAddress[];
  readonly affinitySeconds?: number;
  readonly algorithm?: ServicePlan['algorithm'];
}

/** A Service with one frontend: 10.96.0.1:80, or node port 30080. */
function plan(shape: Shape): ServicePlan {
  const { kind = 'cluster-ip', inside = 'cluster', outside = inside, masquerade = 'always', sources, algorithm, ...port } = shape;
  const at = kind === 'node-port' ? { port: 30_080 } : { ip: '10.96.0.1', port: 80 };
  const frontends: Frontend[] = [{ kind, ...at, inside, outside, masquerade, ...(sources ? { sources } : {}) }];
  const lists = { cluster: endpoints(['10.244.0.1', '10.244.0.2']), local: endpoints(['10.244.0.1']), ...port };
  const ports: PortPlan[] = [{ name: '', protocol: 'tcp', frontends, serving: new Set(), ...lists }];
  return { key: 'n/a', rank: '', clusterIp: '10.96.0.1', ports, ...(algorithm ? { algorithm } : {}) };
}

/** What a change tells, a line each: `- services 10.96.0.1 . tcp . 80`. */
function told(before: ServicePlan | undefined, after: ServicePlan | undefined, which: RegExp = /./): string[] {
  const lines: string[] = [];
  changeElements(before, after, {
    gone: (set, key) => lines.push(`- ${set} ${key}`),
    wanted: ({ set, key, data, ranges = [] }) =>
      lines.push(`+ ${set} ${key}${data && `: ${data}`}${ranges.map((range) => ` ${range}`).join('')}`),
    slot: (set, key, was, is) => lines.push(`slot ${set} ${key}: ${was} → ${is}`),
    share: ({ set, key, data }, step) => lines.push(`${step} ${set} ${key}${data && ` : ${data}`}`),
  });
  return lines.filter((line) => which.test(line));
}

const at = '10.96.0.1 . tcp . 80';

describe('the elements of a frontend', () => {
  const cases: readonly [name: string, shape: Shape, elements: readonly string[]][] = [
    ['cluster IP with few endpoints: its slots are all', {}, []],
    ['cluster IP with more', { cluster: endpoints(['10.244.0.1', '10.244.0.2', '10.244.0.3']) }, [`services ${at}: goto lb-3`]],
    ['cluster IP with few endpoints in turn', { algorithm: 'round-robin' }, [`services ${at}: goto rr-lb-2-tcp-80-n/a`]],
    ['cluster IP with few endpoints, drawn as was asked for', { algorithm: 'random' }, []],
    ['cluster IP with few endpoints, others for those outside', { outside: 'local' }, [`local-services ${at}: goto local-1`]],
    ['cluster IP, local endpoints alone', { inside: 'local' }, [`services ${at}: goto local-1`]],
    ['cluster IP that nobody serves: the chain refuses it', { inside: 'refuse' }, []],
    ['cluster IP that another node serves', { inside: 'drop' }, [`no-endpoint-services ${at}: drop`]],
    [
      'cluster IP with affinity',
      { affinitySeconds: 60 },
      [`affinity-services ${at}: goto learn-60-n/a`, `recall-services ${at}: jump recall-n/a`],
    ],
    ['external IP', { kind: 'external-ip' }, [`services ${at}: goto lb-2`, `masquerade-services ${at}: goto masq`]],
    ['external IP that nobody serves', { kind: 'external-ip', inside: 'refuse' }, [`no-endpoint-services ${at}: goto refuse`]],
    [
      'external IP, local endpoints for those outside',
      { kind: 'external-ip', outside: 'local', masquerade: 'node' },
      [`services ${at}: goto lb-2`, `local-services ${at}: goto local-1`, `masquerade-services ${at}: goto masq-node`],
    ],
    [
      'external IP, nothing for those outside',
      { kind: 'external-ip', outside: 'drop' },
      [
        `services ${at}: goto lb-2`,
        `local-services ${at}: accept`,
        `no-endpoint-services ${at}: drop`,
        `masquerade-services ${at}: goto masq`,
      ],
    ],
    [
      'external IP, something for those outside alone',
      { kind: 'external-ip', inside: 'drop', outside: 'local' },
      [`local-services ${at}: goto local-1`, `no-endpoint-services ${at}: drop`, `masquerade-services ${at}: goto masq`],
    ],
    [
      'load balancer IP for some sources',
      { kind: 'load-balancer-ip', sources: ['10.0.0.0/8', '192.0.2.1/32', '2001:db8::1/128', '2001:db8::/32'] },
      [
        `services ${at}: goto lb-2`,
        `masquerade-services ${at}: goto masq`,
        `source-checks ${at}: goto sources-4ef076f5f17223548ce3f900 10.0.0.0/8 192.0.2.1 2001:db8::1 2001:db8::/32`,
      ],
    ],
    [
      'load balancer IP for some sources, the node that has it among them',
      { kind: 'load-balancer-ip', sources: ['10.0.0.0/9', '10.96.0.1/32'] },
      [
        `services ${at}: goto lb-2`,
        `masquerade-services ${at}: goto masq`,
        `source-checks ${at}: goto sources-162bb43216090fe3037c32b7 10.0.0.0/9`,
        `own-sources ${at} . 10.96.0.1`,
      ],
    ],
    [
      'load balancer IP for nobody',
      { kind: 'load-balancer-ip', sources: [] },
      [`services ${at}: goto lb-2`, `masquerade-services ${at}: goto masq`, `source-checks ${at}: drop`],
    ],
    [
      'node port',
      { kind: 'node-port', affinitySeconds: 60 },
      [
        'nodeports tcp . 30080: goto nodeport-lb-2',
        'masquerade-nodeports tcp . 30080: goto masq',
        'affinity-nodeports tcp . 30080: goto learn-60-n/a',
        'recall-nodeports tcp . 30080: jump recall-n/a',
      ],
    ],
    [
      'node port, local endpoints for those outside',
      { kind: 'node-port', outside: 'local' },
      [
        'nodeports tcp . 30080: goto nodeport-lb-2',
        'local-nodeports tcp . 30080: goto nodeport-local-1',
        'masquerade-nodeports tcp . 30080: goto masq',
      ],
    ],
    ['node port that nobody serves', { kind: 'node-port', inside: 'refuse' }, ['no-endpoint-nodeports tcp . 30080: goto refuse']],
  ];
  for (const [name, shape, elements] of cases)
    test(name, () =>
      assert.deepEqual(
        told(undefined, plan(shape), /^\+/),
        elements.map((line) => `+ ${line}`),
      ),
    );
});

describe('a change of a Service', () => {
  test('takes away what no plan has any more, and wants the rest', () => {
    assert.deepEqual(told(plan({ kind: 'external-ip' }), plan({ kind: 'external-ip', inside: 'refuse' }), /^[-+]/), [
      `- services ${at}`,
      `- masquerade-services ${at}`,
      `+ no-endpoint-services ${at}: goto refuse`,
    ]);
    assert.deepEqual(told(plan({}), undefined), [
      `slot endpoints ${at} . 131072: 10.244.0.1 . 8080 → undefined`,
      `slot endpoints ${at} . 131073: 10.244.0.2 . 8080 → undefined`,
      '-1 cluster-ips 10.96.0.1',
    ]);
  });

  test('tells of slots that another endpoint has, in the list that is chosen from', () => {
    const [one, two] = [endpoints(['10.244.0.1', '10.244.0.2']), endpoints(['10.244.0.1', '10.244.0.9', '10.244.0.3'])];
    const kind = 'external-ip';
    assert.deepEqual(told(plan({ kind, cluster: one }), plan({ kind, cluster: two }), /^slot/), [
      `slot endpoints ${at} . 1: 10.244.0.2 . 8080 → 10.244.0.9 . 8080`,
      `slot endpoints ${at} . 2: undefined → 10.244.0.3 . 8080`,
    ]);
    assert.deepEqual(told(plan({ inside: 'local', local: one }), plan({ inside: 'local', local: two.slice(0, 1) }), /^slot/), [
      `slot endpoints ${at} . 65537: 10.244.0.2 . 8080 → undefined`,
    ]);
    assert.deepEqual(told(plan({ kind: 'node-port' }), plan({ kind: 'node-port', inside: 'local' }), /^slot/), [
      'slot nodeport-endpoints tcp . 30080 . 0: 10.244.0.1 . 8080 → undefined',
      'slot nodeport-endpoints tcp . 30080 . 1: 10.244.0.2 . 8080 → undefined',
      'slot nodeport-endpoints tcp . 30080 . 65536: undefined → 10.244.0.1 . 8080',
    ]);
    assert.deepEqual(told(plan({}), plan({ local: endpoints(['10.244.0.7']) }), /^slot/), [], 'the other list');
  });

  test('tells of both slots of few endpoints: one endpoint alone has both', () => {
    const of = (...ips: string[]): ServicePlan => plan({ cluster: endpoints(ips) });
    const [a, b, c] = ['10.244.0.1', '10.244.0.2', '10.244.0.3'] as const;
    const slots: readonly [before: ServicePlan | undefined, after: ServicePlan | undefined, lines: readonly string[]][] = [
      [undefined, of(a), [`131072: undefined → ${a} . 8080`, `131073: undefined → ${a} . 8080`]],
      [of(a), of(a, b), [`131073: ${a} . 8080 → ${b} . 8080`]],
      [of(a, b), of(a), [`131073: ${b} . 8080 → ${a} . 8080`]],
      [of(a), of(b), [`131072: ${a} . 8080 → ${b} . 8080`, `131073: ${a} . 8080 → ${b} . 8080`]],
      [of(a, b), of(a, c), [`131073: ${b} . 8080 → ${c} . 8080`]],
      [
        of(a, b),
        of(a, b, c),
        [
          ...[a, b, c].map((one, i) => `${i}: undefined → ${one} . 8080`),
          `131072: ${a} . 8080 → undefined`,
          `131073: ${b} . 8080 → undefined`,
        ],
      ],
    ];
    for (const [before, after, lines] of slots)
      assert.deepEqual(
        told(before, after, /^slot/),
        lines.map((line) => `slot endpoints ${at} . ${line}`),
      );
  });

  test('takes and lets go of addresses that others may want, too', () => {
    const [one, two] = [endpoints(['10.244.0.1', '10.244.0.2'], true), endpoints(['10.244.0.2', '10.244.0.3'], true)];
    const [had, has] = [plan({ cluster: one, local: [] }), plan({ cluster: [], local: two })];
    assert.deepEqual(told(undefined, had, /^-?1/), [
      '1 cluster-ips 10.96.0.1',
      '1 hairpin 10.244.0.1 . 10.244.0.1',
      '1 hairpin 10.244.0.2 . 10.244.0.2',
    ]);
    assert.deepEqual(told(had, has, /^-?1/), ['-1 hairpin 10.244.0.1 . 10.244.0.1', '1 hairpin 10.244.0.3 . 10.244.0.3']);
    assert.deepEqual(told(had, plan({ cluster: endpoints(['10.244.0.1']) }), /^-?1/), [
      '-1 hairpin 10.244.0.1 . 10.244.0.1',
      '-1 hairpin 10.244.0.2 . 10.244.0.2',
    ]);
  });

  test('takes and lets go of the look for who has affinity, of each transport', () => {
    const [without, sticky] = [plan({}), plan({ affinitySeconds: 60 })];
    assert.deepEqual(told(without, sticky, /learning/), ['1 learning tcp : jump learning-tcp']);
    assert.deepEqual(told(sticky, plan({ affinitySeconds: 90 }), /learning/), []);
    assert.deepEqual(told(sticky, without, /learning/), ['-1 learning tcp : jump learning-tcp']);
  });

  test('tells nothing of nothing', () => assert.deepEqual(told(undefined, undefined), []));
});

describe('SlotElements', () => {
  const plans = new Map([
    ['n/a', plan({ kind: 'external-ip', inside: 'cluster', outside: 'local' })],
    ['n/b', plan({ kind: 'node-port', inside: 'local' })],
    ['n/c', plan({ kind: 'node-port', inside: 'drop' })],
  ]);
  const onIp: readonly [string, string][] = [
    [`${at} . 0`, '10.244.0.1 . 8080'],
    [`${at} . 1`, '10.244.0.2 . 8080'],
    [`${at} . 65536`, '10.244.0.1 . 8080'],
  ];

  test('has the slots of all plans, each in the map of its frontend', () => {
    assert.deepEqual([...new SlotElements(plans, 'endpoints')], onIp);
    assert.deepEqual([...new SlotElements(plans, 'nodeport-endpoints')], [['tcp . 30080 . 65536', '10.244.0.1 . 8080']]);
  });

  test('has two slots of few endpoints, and one of each of more', () => {
    const slots = (ips: readonly string[]): string[] =>
      [...new SlotElements(new Map([['n/a', plan({ cluster: endpoints(ips) })]]), 'endpoints').entries()].map(
        ([key, endpoint]) => `${key.slice(at.length + 3)}: ${endpoint}`,
      );
    assert.deepEqual(slots(['10.244.0.1']), ['131072: 10.244.0.1 . 8080', '131073: 10.244.0.1 . 8080']);
    assert.deepEqual(slots(['10.244.0.1', '10.244.0.2']), ['131072: 10.244.0.1 . 8080', '131073: 10.244.0.2 . 8080']);
    assert.deepEqual(slots(['10.244.0.1', '10.244.0.2', '10.244.0.3']), [
      '0: 10.244.0.1 . 8080',
      '1: 10.244.0.2 . 8080',
      '2: 10.244.0.3 . 8080',
    ]);
  });

  test('is read as any map', () => {
    const elements = new SlotElements(plans, 'endpoints');
    const all = new Map(onIp);
    assert.equal(elements.size, 3);
    assert.deepEqual([...elements.keys()], [...all.keys()]);
    assert.deepEqual([...elements.values()], [...all.values()]);
    assert.deepEqual([elements.get(`${at} . 1`), elements.get('x')], ['10.244.0.2 . 8080', undefined]);
    assert.deepEqual([elements.has(`${at} . 1`), elements.has('x')], [true, false]);
    const visited: unknown[] = [];
    for (const each of [elements, all]) each.forEach((data, key, whole) => void visited.push([data, key, whole === each]));
    assert.deepEqual(visited.slice(0, 3), visited.slice(3));
    assert.equal(visited.length, 6);
  });
});
