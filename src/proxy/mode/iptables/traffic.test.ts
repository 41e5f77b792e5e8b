import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PortPlan, ServicePlan } from '../../plan/service-plan.ts';
import { talliesOf } from '../tallies.ts';
import { chainsOf } from './chain-names.ts';
import { trafficChains, trafficOf } from './traffic.ts';

const port = (name: string): PortPlan => ({ name, protocol: 'tcp', frontends: [], cluster: [], local: [], serving: new Set() });
const plan = (key: string, ...ports: string[]): ServicePlan => ({ key, rank: '', ports: ports.map(port) });

test('rules that lead to chains of a port count its connections, rules that name it count what they refuse', () => {
  const web = chainsOf('n/web:http', 'tcp');
  const guarded = chainsOf('n/guarded', 'tcp');
  const to = (target: string, packets: number) => ({ chain: '', rule: `-d 10.96.0.1/32 -p tcp -j ${target}`, packets, bytes: 0 });
  const saying = (comment: string, packets: number) => ({
    chain: '',
    rule: `-m comment --comment "${comment}" -j REJECT`,
    packets,
    bytes: 0,
  });
  const counted = new Map([
    [
      'nat KUBE-SERVICES',
      [to(web.cluster, 1), to(web.external, 2), to(guarded.firewall, 10), to('KUBE-NODEPORTS', 100), to('KUBE-SVC-X', 9)],
    ],
    ['nat KUBE-NODEPORTS', [to(web.local, 4), { ...saying('n/web:http cluster IP', 1000), rule: '-p tcp' }]],
    ['filter KUBE-SERVICES', [saying('n/none:a has no endpoints', 3)]],
    ['filter KUBE-EXTERNAL-SERVICES', [saying('n/none:a has no local endpoints', 4), saying('other/none:a has no endpoints', 5)]],
    ['filter KUBE-PROXY-FIREWALL', [saying(`n/guarded traffic not accepted by ${guarded.firewall}`, 6)]],
  ] as const);
  assert.deepEqual([...counted.keys()].sort(), [...trafficChains].sort());
  const count = (service: string, name: string, connections: number, refused: number) => ({
    service,
    port: name,
    protocol: 'tcp',
    connections,
    refused,
    endpoints: [],
  });
  assert.deepEqual(trafficOf(talliesOf([plan('n/web', 'http', 'idle'), plan('n/none', 'a'), plan('n/guarded', '')]), counted), [
    count('n/web', 'http', 7, 0),
    count('n/web', 'idle', 0, 0),
    count('n/none', 'a', 0, 7),
    count('n/guarded', '', 4, 6),
  ]);
});

test('a rule that was written anew after the other never makes less than no connections', () => {
  const { firewall } = chainsOf('n/guarded', 'tcp');
  const rule = `-m comment --comment "n/guarded traffic not accepted by ${firewall}" -j DROP`;
  const [count] = trafficOf(
    talliesOf([plan('n/guarded', '')]),
    new Map([['filter KUBE-PROXY-FIREWALL', [{ chain: '', rule, packets: 2, bytes: 0 }]]]),
  );
  assert.deepEqual([count?.connections, count?.refused], [0, 2]);
});

test('the rule that translates counts the connections of an endpoint', () => {
  const at = (ip: string) => ({ name: `${ip} . 8080`, ip, port: 8080, mayBeHere: false });
  const web: ServicePlan = {
    key: 'n/web',
    rank: '',
    ports: [{ ...port('http'), cluster: [at('10.244.1.2'), at('fd00::2')], local: [at('10.244.1.2')] }],
  };
  const { endpoint } = chainsOf('n/web:http', 'tcp');
  const rule = (address: string, text: string, packets: number) => ({ chain: endpoint(address), rule: text, packets, bytes: 0 });
  const counted = [
    rule('10.244.1.2:8080', '-s 10.244.1.2/32 -j KUBE-MARK-MASQ', 1),
    rule('10.244.1.2:8080', '-p tcp -m tcp -j DNAT --to-destination 10.244.1.2:8080', 5),
    rule('[fd00::2]:8080', '-p tcp -m tcp -j DNAT --to-destination [fd00::2]:8080', 7),
    rule('10.244.1.9:8080', '-p tcp -m tcp -j DNAT --to-destination 10.244.1.9:8080', 50),
  ];
  assert.deepEqual(trafficOf(talliesOf([web]), new Map(), counted)[0]?.endpoints, [
    { endpoint: '10.244.1.2:8080', connections: 5 },
    { endpoint: '[fd00::2]:8080', connections: 7 },
  ]);
});
