/** What people read of rules and packets. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Fate, FirstPacket } from '../mode/view.ts';
import { explainText } from './explain-text.ts';
import { distinctSteps, traceText } from './trace-text.ts';

const packet: FirstPacket = { from: '10.244.1.9', sourcePort: 40_000, to: '10.96.0.10', port: 80, protocol: 'tcp', interface: 'veth0' };

describe('traceText()', () => {
  test('has each rule once, under the place where it stands, with what a map gave', () => {
    const services = { place: 'services', rule: 'a vmap @b', found: 'goto lb-2' };
    const masq = { place: 'masq', rule: 'masquerade' };
    assert.deepEqual(distinctSteps([services, masq, { ...masq }]), [services, masq]);
    assert.equal(
      traceText(packet, [services, masq, masq], { kind: 'dropped' }),
      'tcp 10.244.1.9:40000 to 10.96.0.10:80, coming in by veth0\n\n' +
        'services  a vmap @b\n            → goto lb-2\nmasq      masquerade\n\nDropped: the client waits until it gives up\n',
    );
  });

  const reached = (...ends: readonly (readonly [to: string, masqueraded: boolean])[]): Fate => ({
    kind: 'passed',
    destinations: ends.map(([to, masqueraded]) => ({ to, port: 8080, masqueraded })),
  });
  const fates: readonly [fate: Fate, text: string][] = [
    [{ kind: 'refused', with: 'tcp reset' }, 'Refused, by a TCP reset'],
    [{ kind: 'refused', with: 'icmp' }, 'Refused, by ICMP'],
    [reached(['10.244.1.2', false], ['fd00::2', false]), 'Reaches 10.244.1.2:8080 or [fd00::2]:8080 from 10.244.1.9'],
    [
      reached(['10.244.1.2', true], ['10.244.2.2', false]),
      "Reaches 10.244.2.2:8080 from 10.244.1.9\nReaches 10.244.1.2:8080 from the node's address",
    ],
    [
      { kind: 'passed', destinations: [{ to: '10.96.0.10', port: 80, masqueraded: false }] },
      'Goes on as it is: no rule sends it to an endpoint',
    ],
    // Another port of the same address is an endpoint.
    [reached(['10.96.0.10', false]), 'Reaches 10.96.0.10:8080 from 10.244.1.9'],
  ];
  for (const [fate, text] of fates)
    test(`ends with "${text.split('\n')[0]}"`, () =>
      assert.ok(traceText(packet, [], fate).endsWith(`\n\n${text}\n`), traceText(packet, [], fate)));

  test('says of a packet without an interface that the node sends it', () => {
    const { interface: _, ...own } = packet;
    assert.match(traceText(own, [], { kind: 'dropped' }), /^tcp .* to 10\.96\.0\.10:80, sent by the node itself\n/);
  });
});

test('explainText() says once what neighbours are for', () => {
  const rules = [
    { text: 'a', why: 'first' },
    { text: 'b', why: 'first' },
    { text: 'c', why: 'second' },
    { text: 'd', why: 'first' },
  ];
  assert.equal(explainText('Service x', rules), '# Service x\n# first\na\nb\n# second\nc\n# first\nd\n');
});
