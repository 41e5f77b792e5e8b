import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Endpoint, EndpointSlice } from '../../api/schema/types.ts';
import { bareNode } from '../testing/sample-node.ts';
import { candidatesOf, clusterEndpoints, drainingEndpoints, localEndpoints } from './endpoints.ts';
import type { NodeContext } from './node-context.ts';

const node: NodeContext = { ...bareNode, nodeName: 'here', zone: 'a' };

const states = {
  ready: { ready: true, serving: true, terminating: false },
  unready: { ready: false, serving: false, terminating: false },
  // Not ready yet serving, as nobody says it but somebody may.
  odd: { ready: false, serving: true, terminating: false },
  ending: { ready: false, serving: true, terminating: true },
  gone: { ready: false, serving: false, terminating: true },
} as const;

/** `2 ready there zone=a,b node=here`: the last octet, its state, its node, its hints. */
function endpoint(text: string): Endpoint {
  const [octet, state = '', nodeName = '', ...hints] = text.split(' ');
  const named = (kind: string): { name: string }[] =>
    hints.flatMap((hint) => (hint.startsWith(`${kind}=`) ? hint.slice(kind.length + 1).split(',') : [])).map((name) => ({ name }));
  return {
    addresses: [`10.244.0.${octet}`],
    conditions: states[state as keyof typeof states],
    nodeName,
    hints: { forZones: named('zone'), forNodes: named('node') },
  };
}

function slice(texts: readonly string[], more: Partial<EndpointSlice> = {}): EndpointSlice {
  const ports = [{ name: 'p', port: 80, protocol: 'TCP' }];
  return {
    apiVersion: 'v1',
    kind: 'EndpointSlice',
    metadata: { name: 's' },
    addressType: 'IPv4',
    ports,
    endpoints: texts.map(endpoint),
    ...more,
  };
}

describe('the endpoints of a Service', () => {
  const cases: [what: string, endpoints: string[], cluster: string, local: string][] = [
    ['are the ready ones', ['1 ready there', '2 unready there', '3 ready here'], '1 3', '3'],
    ['are those that end but serve, when none is ready', ['1 ending there', '2 unready there', '3 gone here'], '1', ''],
    ['are never those that serve but do not end and are not ready', ['1 odd there', '2 odd here'], '', ''],
    ['are never those that end and do not serve', ['1 gone there', '2 gone here'], '', ''],
    ['are not those that end, as long as one is ready', ['1 ending here', '2 ready there'], '2', '1'],
    ['are those that mean this zone', ['1 ready there zone=a', '2 ready there zone=b', '3 ready here zone=a,b'], '1 3', '3'],
    ['are all, when one has no hint of a zone', ['1 ready there zone=a', '2 ready there', '3 ready here zone=b'], '1 2 3', '3'],
    ['are all, when none means this zone', ['1 ready there zone=b', '2 ready here zone=c'], '1 2', '2'],
    ['are those that mean this node', ['1 ready there node=there', '2 ready there node=here,there'], '2', ''],
    ['are all, when one has no hint of a node', ['1 ready there node=here', '2 ready there'], '1 2', ''],
    ['heed hints of nodes before those of zones', ['1 ready there node=here zone=b', '2 ready there node=there zone=a'], '1', ''],
    ['heed no hints of those that are not ready', ['1 ready there zone=a', '2 unready there', '3 ready there zone=b'], '1', ''],
  ];
  for (const [what, texts, cluster, local] of cases)
    test(what, () => {
      const found = [...candidatesOf([slice(texts)], 'p', 'tcp', node).values()];
      const octets = (list: readonly { ip: string }[]): string => list.map((c) => c.ip.slice('10.244.0.'.length)).join(' ');
      assert.deepEqual([octets(clusterEndpoints(found, node)), octets(localEndpoints(found, node))], [cluster, local]);
    });

  test('that end and still serve are draining, but for those in use', () => {
    const found = [
      ...candidatesOf([slice(['1 ready there', '2 ending here', '3 gone here', '4 ending there'])], 'p', 'tcp', node).values(),
    ];
    const draining = (inUse: string[]): string[] =>
      drainingEndpoints(
        found,
        inUse.map((name) => ({ name })),
      ).map((c) => c.name);
    assert.deepEqual(draining([]), ['10.244.0.2 . 80', '10.244.0.4 . 80']);
    assert.deepEqual(draining(['10.244.0.2 . 80']), ['10.244.0.4 . 80']);
  });

  test('that two slices name are taken from the one in which they do not end, whichever comes first', () => {
    const [ready, ending] = [slice(['1 ready there']), slice(['1 ending there'])];
    for (const slices of [
      [ready, ending],
      [ending, ready],
    ])
      assert.deepEqual(
        [...candidatesOf(slices, 'p', 'tcp', node).values()].map((c) => [c.name, c.terminating]),
        [['10.244.0.1 . 80', false]],
      );
  });

  // As a list without any may be written.
  const nothing = null as unknown as string[];
  const others: [what: string, more: Partial<EndpointSlice>][] = [
    ['of the other family', { addressType: 'IPv6' }],
    ['of names', { addressType: 'FQDN' }],
    ['of another port', { ports: [{ name: 'q', port: 80, protocol: 'TCP' }] }],
    ['of a port without a name', { ports: [{ port: 80, protocol: 'TCP' }] }],
    ['of a port without a number', { ports: [{ name: 'p', protocol: 'TCP' }] }],
    ['of another protocol', { ports: [{ name: 'p', port: 80, protocol: 'UDP' }] }],
    ['with an address of the other family', { endpoints: [{ addresses: ['fd00::1'] }] }],
    ['with what is no address', { endpoints: [{ addresses: ['10.244.0.300'] }, { addresses: [] }, { addresses: nothing }] }],
  ];
  for (const [what, more] of others)
    test(`are none in a slice ${what}`, () => assert.equal(candidatesOf([slice(['1 ready there'], more)], 'p', 'tcp', node).size, 0));
});
