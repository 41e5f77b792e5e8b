/** What the kernel tells of a traced packet, as bytes and as a way. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ipToBytes } from '../../ip/ip.ts';
import { type Attr, encodeAttrs, text, u32be } from '../netlink/attribute.ts';
import type { NetlinkMessage } from '../netlink/message.ts';
import { journeyOf, type TraceEvent, traceEvent } from './trace-event.ts';

const handleOf = (n: number): Uint8Array => Uint8Array.of(0, 0, 0, 0, 0, 0, 0, n);

function message(attrs: readonly Attr[], family = 2, type = 0x0a11): NetlinkMessage {
  return { type, flags: 0, seq: 0, port: 0, data: Buffer.concat([Buffer.from([family, 0, 0, 0]), encodeAttrs(attrs)]) };
}

function ipv4(from: string, to: string): Uint8Array {
  return Buffer.concat([Buffer.from([0x45]), Buffer.alloc(11), ipToBytes(from), ipToBytes(to)]);
}

function ipv6(from: string, to: string): Uint8Array {
  return Buffer.concat([Buffer.from([0x60]), Buffer.alloc(7), ipToBytes(from), ipToBytes(to)]);
}

const ports = Uint8Array.of(0xa0, 0x28, 0, 80, 0, 0, 0, 0);
const common: readonly Attr[] = [
  [1, text('kube-proxy')],
  [2, text('services')],
  [6, u32be(7)],
];
const rule: readonly Attr[] = [...common, [4, u32be(3)], [3, handleOf(9)]];
const verdict = (code: number, chain?: string): Attr => [
  5,
  [[1, u32be(code)], ...(chain === undefined ? [] : [[2, text(chain)] as const])],
];

describe('traceEvent()', () => {
  test('reads a rule, with where the packet is and what it is by then', () => {
    const header: Attr[] = [
      [8, ipv4('10.244.1.9', '10.96.0.10')],
      [9, ports],
      [10, u32be(3)],
      [12, u32be(4)],
    ];
    assert.deepEqual(traceEvent(message([...rule, verdict(-4, 'lb-1'), ...header])), {
      id: 7,
      family: 2,
      table: 'kube-proxy',
      chain: 'services',
      kind: 'rule',
      handle: '9',
      verdict: { kind: 'goto', chain: 'lb-1' },
      iif: 3,
      oif: 4,
      header: { from: '10.244.1.9', sourcePort: 41_000, to: '10.96.0.10', port: 80 },
    });
  });

  test('reads addresses of IPv6', () => {
    const { header, family } = traceEvent(message([...rule, [8, ipv6('fd00::9', 'fd00:10:96::10')], [9, ports]], 10)) ?? assert.fail();
    assert.deepEqual([header, family], [{ from: 'fd00::9', sourcePort: 41_000, to: 'fd00:10:96::10', port: 80 }, 10]);
  });

  const verdicts: readonly [code: number, kind: string][] = [
    [0, 'drop'],
    [1, 'accept'],
    [-1, 'continue'],
    [-3, 'jump'],
    [-5, 'return'],
    [3, 'other'],
  ];
  for (const [code, kind] of verdicts)
    test(`reads verdict ${code} as "${kind}"`, () => assert.deepEqual(traceEvent(message([...rule, verdict(code)]))?.verdict, { kind }));

  test('reads the policy at the end of a base chain', () => {
    const end = traceEvent(message([...common, [4, u32be(1)], [16, u32be(0)]]));
    assert.deepEqual([end?.kind, end?.verdict, end?.handle], ['end', { kind: 'drop' }, '0']);
  });

  const noHeader: readonly [name: string, attrs: Attr[]][] = [
    ['no header', []],
    ['no ports', [[8, ipv4('10.0.0.1', '10.0.0.2')]]],
    [
      'ports cut off',
      [
        [8, ipv4('10.0.0.1', '10.0.0.2')],
        [9, ports.subarray(0, 3)],
      ],
    ],
    [
      'addresses cut off',
      [
        [8, ipv4('10.0.0.1', '10.0.0.2').subarray(0, 19)],
        [9, ports],
      ],
    ],
  ];
  for (const [name, attrs] of noHeader)
    test(`has no header of a message with ${name}`, () => assert.equal(traceEvent(message([...rule, ...attrs]))?.header, undefined));

  test('passes over other messages, and ends of chains that are no base chains', () => {
    assert.equal(traceEvent(message(rule, 2, 0x0a06)), undefined);
    assert.equal(traceEvent(message([...common, [4, u32be(2)]])), undefined);
  });
});

describe('journeyOf()', () => {
  const table = 'fairlead-trace-1';
  const event = (more: Partial<TraceEvent>): TraceEvent => ({
    ...{ id: 1, family: 2, table: 'kube-proxy', chain: 'a', kind: 'rule', handle: '5', iif: 0, oif: 0 },
    verdict: { kind: 'accept' },
    ...more,
  });
  const asked = { from: '10.244.1.9', sourcePort: 41_000, to: '10.96.0.10', port: 80 };
  const sent = { ...asked, to: '10.244.1.2', port: 8080 };
  const marked = event({ table, chain: 'prerouting', header: asked });
  const ended = (chain: string, more: Partial<TraceEvent>): TraceEvent => event({ table, chain, kind: 'end', handle: '0', ...more });

  test('has the rules of the first packet alone, and how it left', () => {
    const own = event({ chain: 'services' });
    const events = [
      event({ id: 9, chain: 'of somebody who traces, too' }),
      marked,
      event({ id: 9, chain: 'of somebody who traces, too', header: { ...asked, sourcePort: 1 } }),
      event({ handle: '0', chain: 'an end' }),
      event({ kind: 'end', handle: '0' }),
      own,
      ended('postrouting', { header: sent, oif: 4 }),
      event({ id: 2, table, chain: 'prerouting', header: asked }),
      event({ id: 2, chain: 'of the next packet' }),
      ended('postrouting', { id: 2, header: { ...sent, port: 1 }, oif: 9 }),
    ];
    assert.deepEqual(journeyOf(events, table), { met: [own], end: { header: sent, oif: 4 } });
  });

  test('tells the next packet apart that the kernel gave the same number', () => {
    const own = event({ chain: 'services' });
    const left = ended('postrouting', { header: sent, oif: 4 });
    const next = [marked, event({ chain: 'of the next packet' }), ended('postrouting', { header: { ...sent, port: 1 }, oif: 9 })];
    assert.deepEqual(journeyOf([marked, own, left, ...next], table), { met: [own], end: { header: sent, oif: 4 } });
  });

  test('follows what no rule changed, and is marked again, through loopback', () => {
    const first = event({ table, chain: 'output', header: asked });
    const again = event({ id: 2, table, chain: 'prerouting', header: asked, iif: 1 });
    const inside = event({ id: 2, chain: 'INPUT' });
    const events = [
      first,
      ended('postrouting', { header: asked, oif: 1 }),
      again,
      inside,
      ended('input', { id: 2, header: asked, iif: 1 }),
    ];
    assert.deepEqual(journeyOf(events, table), { met: [inside], end: { header: asked, oif: 0 } });
  });

  test('has a policy that drops it, and no end', () => {
    const policy = event({ kind: 'end', handle: '0', verdict: { kind: 'drop' } });
    assert.deepEqual(journeyOf([marked, policy], table), { met: [policy] });
  });

  test('follows it through loopback to the node itself', () => {
    const left = { ...sent, from: '192.0.2.1', sourcePort: 2 };
    const inside = event({ id: 2, chain: 'INPUT' });
    const events = [
      event({ table, chain: 'output', header: asked }),
      ended('postrouting', { header: left, oif: 1 }),
      ended('prerouting', { id: 4, header: { ...left, port: 1 }, iif: 1 }),
      ended('prerouting', { id: 2, header: left, iif: 1 }),
      inside,
      ended('input', { id: 2, header: left, iif: 1 }),
    ];
    assert.deepEqual(journeyOf(events, table), { met: [inside], end: { header: left, oif: 0 } });
  });

  test('follows it through a bridge, behind which it has another number', () => {
    const behind = event({ id: 2, chain: 'forward', header: sent });
    const events = [marked, behind, ended('postrouting', { id: 2, header: sent, oif: 4 })];
    assert.deepEqual(journeyOf(events, table), { met: [behind], end: { header: sent, oif: 4 } });
  });

  test('is empty when nothing was told', () => assert.deepEqual(journeyOf([event({}), ended('output', {})], table), { met: [] }));
});
