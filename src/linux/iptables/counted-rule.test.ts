import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCounted } from './counted-rule.ts';

test('a rule and its counts are told apart, wherever the tool writes them', () => {
  const text = [
    '-N KUBE-SERVICES',
    '-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m comment --comment "n/web cluster IP" -m tcp --dport 80 -c 12 720 -j KUBE-SVC-A',
    '-A KUBE-SERVICES -m comment --comment "x -c 1 2 -j Y" -c 3 180 -j REJECT --reject-with tcp-reset',
    '-A KUBE-SERVICES -p udp -c 5 300',
    '-A KUBE-SERVICES -c 4 200 -j RETURN',
    '',
  ];
  assert.deepEqual(parseCounted(text.join('\n')), [
    {
      chain: 'KUBE-SERVICES',
      rule: '-d 10.96.0.1/32 -p tcp -m comment --comment "n/web cluster IP" -m tcp --dport 80 -j KUBE-SVC-A',
      packets: 12,
      bytes: 720,
    },
    { chain: 'KUBE-SERVICES', rule: '-m comment --comment "x -c 1 2 -j Y" -j REJECT --reject-with tcp-reset', packets: 3, bytes: 180 },
    { chain: 'KUBE-SERVICES', rule: '-p udp', packets: 5, bytes: 300 },
    { chain: 'KUBE-SERVICES', rule: '-j RETURN', packets: 4, bytes: 200 },
  ]);
});
