import assert from 'node:assert/strict';
import { test } from 'node:test';
import { printTable } from '../../../linux/nftables/print.ts';
import type { NodeContext } from '../../plan/node-context.ts';
import type { Frontend, ServicePlan } from '../../plan/service-plan.ts';
import { bareNode } from '../../testing/sample-node.ts';
import { renderTable } from './render-table.ts';

const node: NodeContext = { ...bareNode, nodePortIps: [] };
const frontend = { kind: 'external-ip', ip: '198.51.100.1', port: 80, inside: 'drop', outside: 'drop', masquerade: 'always' } as const;
const port = { name: '', protocol: 'tcp', frontends: [frontend as Frontend], cluster: [], local: [], serving: new Set<string>() } as const;
const plan: ServicePlan = { key: 'n/web', rank: '', ports: [port] };

test('counting adds sets, chains and the ways there, and takes nothing away', () => {
  const lines = (context: NodeContext): string[] => printTable(renderTable([plan], context)).split('\n');
  const without = lines(node);
  const counted = lines({ ...node, countsConnections: true });
  const left = [...without];
  const added = counted.filter((line) => {
    const at = left.indexOf(line);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
  assert.deepEqual(
    left.map((line) => line.trim()),
    ['elements = { 198.51.100.1 . tcp . 80 : drop }'],
  );
  const asked = 'ct original ip daddr . meta l4proto . ct original proto-dst';
  const each = (rule: (protocol: string) => string): string[] => ['tcp', 'udp', 'sctp'].map(rule);
  assert.deepEqual(
    added.map((line) => line.trim()).filter((line) => line !== '' && line !== '}'),
    [
      'elements = { 198.51.100.1 . tcp . 80 : goto discard }',
      'set connections {',
      'type ipv4_addr . inet_proto . inet_service . ipv4_addr . inet_service',
      'size 65535',
      'flags dynamic',
      'set refusals {',
      'type ipv4_addr . inet_proto . inet_service',
      'size 65535',
      'flags dynamic',
      'jump refusals',
      ...each((protocol) => `meta l4proto ${protocol} update @connections { ${asked} . ip daddr . th dport counter }`),
      'chain refusals {',
      ...each((protocol) => `meta l4proto ${protocol} update @refusals { ip daddr . meta l4proto . th dport counter }`),
      'chain discard {',
      'jump refusals',
      'drop',
    ],
  );
});
