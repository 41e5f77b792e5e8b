/** What is read from the kernel's answers, and which of them are passed over. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseAddress } from './address.ts';
import { type Attr, encodeAttrs, ip, mac, text, u8, u16be, u32, u32be } from './attribute.ts';
import { type Link, parseLink } from './link.ts';
import type { NetlinkMessage } from './message.ts';
import { isResolved, parseNeighbour } from './neighbour.ts';
import { parseRoute } from './route.ts';
import { parseListening } from './sock-diag.ts';
import { parseFlow } from './tracked-flow.ts';

function message(type: number, body: string | Uint8Array, attrs: readonly Attr[] = []): NetlinkMessage {
  const fixed = typeof body === 'string' ? Buffer.from(body, 'hex') : body;
  return { type, flags: 0, seq: 1, port: 0, data: Buffer.concat([fixed, encodeAttrs(attrs)]) };
}

describe('parseLink()', () => {
  /** ifinfomsg of link 7, up. */
  const up = '00000000070000000100000000000000';
  const attrs: readonly Attr[] = [
    [1, mac('02:00:00:00:00:01')],
    [3, text('eth0')],
    [4, u32(1450)],
    [5, u32(8)],
    [10, u32(9)],
    [20, text('an alias')],
  ];
  const plain: Link = {
    index: 7,
    name: 'eth0',
    kind: '',
    mac: '02:00:00:00:00:01',
    mtu: 1450,
    up: true,
    master: 9,
    parent: 8,
    alias: 'an alias',
    hairpin: false,
  };
  const info = (...of: Attr[]): Attr[] => [...attrs, [18, of]];
  const cases: readonly [what: string, attrs: readonly Attr[], link: Partial<Link>][] = [
    ['hardware', attrs, {}],
    ['a bridge', info([1, text('bridge')], [2, [[1, u32(5)]]]), { kind: 'bridge', details: { kind: 'bridge' } }],
    ['a port that may send back', info([1, text('veth')], [4, text('bridge')], [5, [[4, u8(1)]]]), { kind: 'veth', hairpin: true }],
    ['a port that may not', info([1, text('veth')], [4, text('bridge')], [5, [[4, u8(0)]]]), { kind: 'veth' }],
    [
      'a VXLAN, whose parent is another attribute',
      info(
        [1, text('vxlan')],
        [
          2,
          [
            [1, u32(70_000)],
            [3, u32(4)],
            [4, ip('192.0.2.1')],
            [7, u8(1)],
            [15, u16be(8472)],
          ],
        ],
      ),
      { kind: 'vxlan', parent: 4, details: { kind: 'vxlan', vni: 70_000, port: 8472, local: '192.0.2.1', learning: true } },
    ],
    [
      'a VXLAN over IPv6 that does not learn',
      info(
        [1, text('vxlan')],
        [
          2,
          [
            [1, u32(1)],
            [17, ip('2001:db8::1')],
            [7, u8(0)],
          ],
        ],
      ),
      { kind: 'vxlan', parent: 0, details: { kind: 'vxlan', vni: 1, port: 0, local: '2001:db8::1', learning: false } },
    ],
    [
      'a VXLAN that says nothing of itself',
      info([1, text('vxlan')]),
      { kind: 'vxlan', parent: 0, details: { kind: 'vxlan', vni: 0, port: 0, local: '', learning: false } },
    ],
  ];
  for (const [what, of, link] of cases)
    test(`reads ${what}`, () => assert.deepEqual(parseLink(message(16, up, of)), { ...plain, ...link }));

  test('reads a link that is down, and one without attributes', () => {
    // Only the first bit of the flags: others say broadcast, running …
    const down = parseLink(message(16, '000000000700000002100100ffffffff'));
    assert.deepEqual(down, { index: 7, name: '', kind: '', mac: '', mtu: 0, up: false, master: 0, parent: 0, alias: '', hairpin: false });
  });

  test('passes over other messages, and what is too short', () => {
    assert.equal(parseLink(message(17, up)), undefined);
    assert.equal(parseLink(message(16, up.slice(2))), undefined);
    assert.equal(parseLink(message(16, up))?.index, 7);
  });
});

describe('parseAddress()', () => {
  const body = '0218000003000000';
  test('reads the own address of a link, not that of its other end', () => {
    const attrs: Attr[] = [
      [1, ip('10.0.0.2')],
      [2, ip('10.0.0.1')],
    ];
    assert.deepEqual(parseAddress(message(20, body, attrs)), { index: 3, ip: '10.0.0.1', prefix: 24 });
    assert.deepEqual(parseAddress(message(20, body, attrs.slice(0, 1))), { index: 3, ip: '10.0.0.2', prefix: 24 });
    assert.deepEqual(parseAddress(message(20, '0a40000003000000', [[1, ip('fd00::1')]])), { index: 3, ip: 'fd00::1', prefix: 64 });
  });

  test('reads the notice of one that went', () =>
    assert.deepEqual(parseAddress(message(21, body, [[2, ip('10.0.0.1')]])), { index: 3, ip: '10.0.0.1', prefix: 24 }));

  test('passes over other messages, and what says no address', () => {
    for (const type of [19, 22]) assert.equal(parseAddress(message(type, body, [[2, ip('10.0.0.1')]])), undefined);
    assert.equal(parseAddress(message(20, body)), undefined);
    assert.equal(parseAddress(message(20, body.slice(2))), undefined);
  });
});

describe('parseRoute()', () => {
  /** rtmsg: family, prefix, table, protocol, kind and flags. */
  const rtmsg = ({ family = 2, prefix = 24, table = 254, protocol = 4, kind = 1, flags = 0 } = {}): Uint8Array =>
    Uint8Array.of(family, prefix, 0, 0, table, protocol, 0, kind, ...u32(flags));
  const oif: Attr = [4, u32(3)];
  const dst: Attr = [1, ip('10.1.0.0')];
  const least = { dst: '10.1.0.0/24', index: 3, protocol: 4 };
  const cases: readonly [what: string, body: Uint8Array, attrs: readonly Attr[], route: object | undefined][] = [
    ['reads what each has', rtmsg(), [dst, oif], least],
    ['reads who made it', rtmsg({ protocol: 70 }), [dst, oif], { ...least, protocol: 70 }],
    [
      'reads all there is',
      rtmsg({ flags: 4 }),
      [dst, oif, [5, ip('10.0.0.1')], [7, ip('10.0.0.2')], [6, u32(100)]],
      { ...least, gateway: '10.0.0.1', source: '10.0.0.2', metric: 100, onlink: true },
    ],
    ['takes no other flag for onlink', rtmsg({ flags: 0xfffffffb }), [dst, oif], least],
    ['reads the default route', rtmsg({ prefix: 0 }), [oif], { ...least, dst: '0.0.0.0/0' }],
    ['reads the default route of IPv6', rtmsg({ family: 10, prefix: 0 }), [oif], { ...least, dst: '::/0' }],
    ['reads a table number that has more than a byte', rtmsg({ table: 0 }), [dst, oif, [15, u32(254)]], least],
    ['passes over another table', rtmsg({ table: 255 }), [dst, oif], undefined],
    ['passes over another table with a large number', rtmsg(), [dst, oif, [15, u32(1000)]], undefined],
    ['passes over what is no unicast: an address of the node, a black hole', rtmsg({ kind: 2 }), [dst, oif], undefined],
    ['passes over several next hops', rtmsg(), [dst], undefined],
    ['passes over other families', rtmsg({ family: 7 }), [dst, oif], undefined],
  ];
  for (const [what, body, attrs, route] of cases) test(what, () => assert.deepEqual(parseRoute(message(24, body, attrs)), route));

  test('passes over other messages, and what is too short', () => {
    assert.equal(parseRoute(message(25, rtmsg(), [dst, oif])), undefined);
    assert.equal(parseRoute(message(24, rtmsg().slice(1))), undefined);
  });
});

describe('parseNeighbour()', () => {
  /** ndmsg: family, state and flags. */
  const ndmsg = (family: number, state: number): Uint8Array => Uint8Array.of(family, 0, 0, 0, ...u32(3), state, 0, 0, 0);
  const attrs: readonly Attr[] = [
    [1, ip('10.0.0.1')],
    [2, mac('02:00:00:00:00:01')],
  ];
  const read = { kind: 'neighbour', index: 3, ip: '10.0.0.1', mac: '02:00:00:00:00:01' };
  const cases: readonly [what: string, message: NetlinkMessage, neighbour: object | undefined][] = [
    ['reads a permanent neighbour', message(28, ndmsg(2, 0x80), attrs), read],
    ['reads a forwarding entry', message(28, ndmsg(7, 0x80), attrs), { ...read, kind: 'fdb' }],
    ['passes over what the kernel learnt', message(28, ndmsg(2, 0x7f), attrs), undefined],
    ['passes over one without an address', message(28, ndmsg(7, 0x80), attrs.slice(1)), undefined],
    ['passes over one without a MAC', message(28, ndmsg(2, 0x80), attrs.slice(0, 1)), undefined],
    [
      'passes over a MAC of another length',
      message(28, ndmsg(2, 0x80), [
        [1, ip('10.0.0.1')],
        [2, ip('10.0.0.1')],
      ]),
      undefined,
    ],
    ['passes over one that went', message(29, ndmsg(2, 0x80), attrs), undefined],
    ['passes over what is too short', message(28, ndmsg(2, 0x80).slice(1)), undefined],
  ];
  for (const [what, of, neighbour] of cases) test(what, () => assert.deepEqual(parseNeighbour(of), neighbour));

  /** NUD_*: who answered is in some state in which its MAC is known. */
  const states: readonly [state: number, name: string, known: boolean][] = [
    [0x00, 'NONE', false],
    [0x01, 'INCOMPLETE', false],
    [0x02, 'REACHABLE', true],
    [0x04, 'STALE', true],
    [0x08, 'DELAY', true],
    [0x10, 'PROBE', true],
    [0x20, 'FAILED', false],
    [0x40, 'NOARP', true],
    [0x80, 'PERMANENT', true],
  ];
  for (const [state, name, known] of states)
    test(`isResolved() ${known ? 'knows' : 'does not know'} a MAC in ${name}`, () => {
      assert.equal(isResolved(message(28, ndmsg(2, state))), known);
    });

  test('isResolved() passes over other messages, and what is too short', () => {
    assert.equal(isResolved(message(29, ndmsg(2, 2))), false);
    assert.equal(isResolved(message(28, ndmsg(2, 2).slice(1))), false);
  });
});

describe('parseListening()', () => {
  const socket = (family: number, port: number, address: string): Uint8Array => {
    const body = Buffer.alloc(72);
    body[0] = family;
    body.writeUInt16BE(port, 4);
    body.set(ip(address), 8);
    return body;
  };
  test('reads sockets of both families', () => {
    assert.deepEqual(parseListening(message(20, socket(2, 80, '127.0.0.1')), 'tcp'), { ip: '127.0.0.1', protocol: 'tcp', port: 80 });
    assert.deepEqual(parseListening(message(20, socket(10, 53, '::')), 'udp'), { ip: '::', protocol: 'udp', port: 53 });
    assert.equal(parseListening(message(20, socket(2, 1, '0.0.0.0')), 'tcp')?.port, 1);
  });

  test('passes over sockets without a port, other messages, and what is too short', () => {
    assert.equal(parseListening(message(20, socket(2, 0, '0.0.0.0')), 'udp'), undefined);
    assert.equal(parseListening(message(21, socket(2, 80, '127.0.0.1')), 'tcp'), undefined);
    assert.equal(parseListening(message(20, socket(2, 80, '127.0.0.1').slice(1)), 'tcp'), undefined);
  });
});

describe('parseFlow()', () => {
  const tuple = (src: string, dst: string, ports: readonly Attr[], protocol = 17): Attr[] => {
    const [from, to] = src.includes(':') ? [3, 4] : [1, 2];
    return [
      [
        1,
        [
          [from, ip(src)],
          [to, ip(dst)],
        ],
      ],
      [2, [[1, u8(protocol)], ...ports]],
    ];
  };
  const there: Attr[] = [
    [2, u16be(40_000)],
    [3, u16be(53)],
  ];
  const back: Attr[] = [
    [2, u16be(5353)],
    [3, u16be(40_000)],
  ];
  const attrs: Attr[] = [
    [1, tuple('10.0.0.1', '10.96.0.10', there)],
    [2, tuple('10.244.1.2', '10.0.0.1', back)],
    [3, u32be(0b1010)],
    [8, u32be(0x4000)],
    [12, u32be(77)],
  ];
  const told = (of: readonly Attr[], type = 256): NetlinkMessage => message(type, '02000000', of);
  const flow = {
    family: 4,
    protocol: 17,
    orig: { src: '10.0.0.1', dst: '10.96.0.10', srcPort: 40_000, dstPort: 53 },
    reply: { src: '10.244.1.2', dst: '10.0.0.1', srcPort: 5353, dstPort: 40_000 },
    mark: 0x4000,
    id: 77,
    isAnswered: true,
    isClosing: false,
  };

  test('reads both directions, and the mark', () => {
    assert.deepEqual(parseFlow(told(attrs), 4, undefined), flow);
    assert.deepEqual(parseFlow(told(attrs), 4, 17), flow);
    assert.equal(parseFlow(told(attrs.slice(0, 2)), 4, 17)?.mark, 0);
  });

  test('reads flows of IPv6, and of protocols without ports', () => {
    const six: Attr[] = [
      [1, tuple('fd00::1', 'fd00::2', [], 58)],
      [2, tuple('fd00::2', 'fd00::1', [], 58)],
    ];
    const none = { srcPort: 0, dstPort: 0 };
    assert.deepEqual(parseFlow(told(six), 6, undefined), {
      family: 6,
      protocol: 58,
      orig: { src: 'fd00::1', dst: 'fd00::2', ...none },
      reply: { src: 'fd00::2', dst: 'fd00::1', ...none },
      mark: 0,
      id: 0,
      isAnswered: false,
      isClosing: false,
    });
  });

  test('tells a TCP connection that ends from one that is open', () => {
    const inState = (state: number): boolean | undefined =>
      parseFlow(told([...attrs, [4, [[1, [[1, u8(state)]]]]]]), 4, undefined)?.isClosing;
    assert.deepEqual([1, 3, 4, 7, 8].map(inState), [false, false, true, true, true]);
  });

  test('passes over another protocol, other messages, and what lacks a direction or an address', () => {
    assert.equal(parseFlow(told(attrs), 4, 6), undefined);
    assert.equal(parseFlow(told(attrs, 257), 4, 17), undefined);
    assert.equal(parseFlow(told(attrs.slice(0, 1)), 4, 17), undefined);
    assert.equal(parseFlow(told(attrs.slice(1)), 4, 17), undefined);
    for (const missing of [1, 2]) {
      const half = tuple('10.0.0.1', '10.96.0.10', there).map(([type, value]): Attr => {
        return type === 1 ? [1, (value as readonly Attr[]).filter(([side]) => side !== missing)] : [type, value];
      });
      assert.equal(parseFlow(told([[1, half], ...attrs.slice(1)]), 4, 17), undefined);
    }
  });
});
