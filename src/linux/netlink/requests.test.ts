/** What is asked of the kernel, byte by byte. That the kernel understands it is in rtnetlink.test.ts. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { addAddress, deleteAddress, getAddresses } from './address.ts';
import type { Attr } from './attribute.ts';
import { addLink, changeLink, deleteLink, getLink, getLinks } from './link.ts';
import type { NetlinkRequest } from './message.ts';
import { deleteNeighbour, forgetNeighbour, getFdb, getNeighbour, getNeighbours, replaceNeighbour, solicitNeighbour } from './neighbour.ts';
import { addRoute, deleteRoute, getRoutes, replaceRoute } from './route.ts';
import { getListening } from './sock-diag.ts';
import { deleteFlow, getFlows, IPPROTO } from './tracked-flow.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

function showAttr([type, value]: Attr): string {
  return value instanceof Uint8Array ? `${type}:${hex(value)}` : `${type}:(${value.map(showAttr).join(' ')})`;
}

/** `TYPE/FLAGS BODY ATTRIBUTES`, all but the type in hex. Flags: 4 create, 2 exclusive, 1 replace. */
function show({ type, flags = 0, body, attrs = [] }: NetlinkRequest): string {
  return [`${type}/${flags.toString(16)}`, hex(body), ...attrs.map(showAttr)].join(' ');
}

const vxlan = { kind: 'vxlan', vni: 70_000, port: 8472, local: '192.0.2.1', learning: false } as const;
const mac = '02:00:00:00:00:01';
const peer = { name: 'eth0', netnsFd: 5, mac, mtu: 1380 };
const address = { index: 3, ip: '10.0.0.1', prefix: 24 };
const wholeRoute = { gateway: '10.0.0.1', onlink: true, source: '10.0.0.2', metric: 100, protocol: 70 };
const neighbour = { kind: 'neighbour', index: 3, ip: '10.0.0.1', mac } as const;
const flow = {
  protocol: IPPROTO.udp,
  orig: { src: '10.0.0.1', dst: '10.96.0.10', srcPort: 40_000, dstPort: 53 },
  reply: { src: '10.244.1.2', dst: '10.0.0.1', srcPort: 5353, dstPort: 40_000 },
  mark: 0,
  id: 1,
  isAnswered: true,
  isClosing: false,
};
/** An ifinfomsg of index 0, or 9, of which nothing is changed. */
const any = '0'.repeat(32);
const nine = `0000000009${'0'.repeat(22)}`;

const cases: readonly [what: string, request: NetlinkRequest, shown: string][] = [
  ['make a bridge', addLink('br0', { kind: 'bridge' }), `16/600 ${any} 3:62723000 18:(1:62726964676500)`],
  ['make a dummy', addLink('d0', { kind: 'dummy' }), `16/600 ${any} 3:643000 18:(1:64756d6d7900)`],
  [
    'make a bridge with all settings, up',
    addLink('br0', { kind: 'bridge' }, { mac, mtu: 1400, up: true, master: 7 }),
    '16/600 00000000000000000100000001000000 3:62723000 1:020000000001 4:78050000 10:07000000 18:(1:62726964676500)',
  ],
  [
    'make a veth, whose peer is in another namespace',
    addLink('v0', { kind: 'veth', peer }, { up: false }),
    `16/600 00000000000000000000000001000000 3:763000 18:(1:7665746800 2:(1:${any}0900030065746830000000000a0001000200000000010000080004006405000008001c0005000000))`,
  ],
  [
    'make a veth whose peer stays here',
    addLink('v0', { kind: 'veth', peer: { name: 'p' } }),
    `16/600 ${any} 3:763000 18:(1:7665746800 2:(1:${any}0600030070000000))`,
  ],
  [
    'make a VXLAN on another link',
    addLink('vx', vxlan, { parent: 3 }),
    `16/600 ${any} 3:767800 18:(1:76786c616e00 2:(1:70110100 3:03000000 7:00 15:2118 4:c0000201))`,
  ],
  [
    'make a VXLAN over IPv6 that learns',
    addLink('vx', { ...vxlan, local: '2001:db8::1', learning: true }),
    `16/600 ${any} 3:767800 18:(1:76786c616e00 2:(1:70110100 7:01 15:2118 17:20010db8000000000000000000000001))`,
  ],
  ['change a link by its index', changeLink(9, { mtu: 1280, up: true }), '16/0 00000000090000000100000001000000 4:00050000'],
  ['set a link down', changeLink(9, { up: false }), '16/0 00000000090000000000000001000000'],
  [
    'change a link by its name',
    changeLink('v0', { alias: 'ä', hairpin: true }),
    `16/0 ${any} 3:763000 20:c3a4 18:(4:62726964676500 5:(4:01))`,
  ],
  [
    'take a link out of its bridge, without hairpin',
    changeLink(9, { hairpin: false, master: 0 }),
    `16/0 ${nine} 10:00000000 18:(4:62726964676500 5:(4:00))`,
  ],
  [
    'change what only a VXLAN has',
    changeLink('vx', { kind: { kind: 'vxlan', learning: true } }),
    `16/0 ${any} 3:767800 18:(1:76786c616e00 2:(7:01))`,
  ],
  ['delete a link by its index', deleteLink(9), `17/0 ${nine}`],
  ['delete a link by its name', deleteLink('v0'), `17/0 ${any} 3:763000`],
  ['read a link by its index', getLink(9), `18/0 ${nine}`],
  ['read a link by its name', getLink('v0'), `18/0 ${any} 3:763000`],
  ['list links', getLinks, `18/0 ${any}`],
  ['add an address', addAddress(address), '20/600 0218000003000000 2:0a000001 1:0a000001'],
  ['add an address with its route', addAddress(address, { prefixRoute: true }), '20/600 0218000003000000 2:0a000001 1:0a000001'],
  [
    'add an address of IPv6 without the route to its range, which is used at once',
    addAddress({ index: 3, ip: 'fd00::1', prefix: 64 }, { prefixRoute: false }),
    '20/600 0a40000003000000 2:fd000000000000000000000000000001 1:fd000000000000000000000000000001 8:02020000',
  ],
  ['delete an address', deleteAddress(address), '21/0 0218000003000000 2:0a000001 1:0a000001'],
  ['list addresses', getAddresses, '22/0 0000000000000000'],
  // The scope of a target that is reached directly is the link (253).
  [
    'add a route to what is on the link',
    addRoute({ dst: '10.1.0.0/16', index: 3 }),
    '24/600 02100000fe04fd0100000000 1:0a010000 4:03000000',
  ],
  [
    'add a route with all there is',
    addRoute({ dst: '10.1.0.0/16', index: 3, ...wholeRoute }),
    '24/600 02100000fe46000104000000 1:0a010000 4:03000000 5:0a000001 7:0a000002 6:64000000',
  ],
  [
    'replace the default route',
    replaceRoute({ dst: '0.0.0.0/0', index: 3, gateway: '10.0.0.1' }),
    '24/500 02000000fe04000100000000 4:03000000 5:0a000001',
  ],
  [
    'replace a route of IPv6, which knows no scopes',
    replaceRoute({ dst: 'fd00::/64', index: 3 }),
    '24/500 0a400000fe04000100000000 1:fd000000000000000000000000000000 4:03000000',
  ],
  [
    'delete a route',
    deleteRoute({ dst: '10.1.2.3/16', index: 3, gateway: '10.0.0.1' }),
    '25/0 02100000fe04000100000000 1:0a010000 4:03000000 5:0a000001',
  ],
  ['add a route to half of all', addRoute({ dst: '128.0.0.0/1', index: 3 }), '24/600 02010000fe04fd0100000000 1:80000000 4:03000000'],
  ['list routes', getRoutes, '26/0 00000000fe00000100000000'],
  ['replace a neighbour', replaceNeighbour(neighbour), '28/500 020000000300000080000000 1:0a000001 2:020000000001'],
  [
    'replace a neighbour of IPv6',
    replaceNeighbour({ ...neighbour, ip: 'fd00::1' }),
    '28/500 0a0000000300000080000000 1:fd000000000000000000000000000001 2:020000000001',
  ],
  [
    'replace a forwarding entry',
    replaceNeighbour({ ...neighbour, kind: 'fdb' }),
    '28/500 070000000300000080000200 1:0a000001 2:020000000001',
  ],
  ['delete a neighbour', deleteNeighbour(neighbour), '29/0 020000000300000080000000 1:0a000001 2:020000000001'],
  ['let the kernel ask for a neighbour', solicitNeighbour(address), '28/400 020000000300000000000100 1:0a000001'],
  [
    'read a neighbour of IPv6',
    getNeighbour({ index: 3, ip: 'fd00::1' }),
    '30/0 0a0000000300000000000000 1:fd000000000000000000000000000001',
  ],
  ['forget a neighbour', forgetNeighbour(address), '29/0 020000000300000000000000 1:0a000001'],
  ['list neighbours', getNeighbours, '30/0 000000000000000000000000'],
  ['list forwarding entries', getFdb, '30/0 070000000000000000000000'],
  ['list TCP sockets that listen', getListening(4, 'tcp'), `20/0 0206000000040000${'0'.repeat(96)}`],
  ['list UDP sockets of IPv6', getListening(6, 'udp'), `20/0 0a11000080000000${'0'.repeat(96)}`],
  ['list flows', getFlows(4), '257/0 02000000'],
  ['list flows of IPv6', getFlows(6), '257/0 0a000000'],
  ['list translated flows', getFlows(4, 'translated'), '257/0 02000000 3:00000020 26:00000020'],
  ['list flows without an answer', getFlows(4, 'unanswered'), '257/0 02000000 3:00000000 26:00000002'],
  ['list flows of a protocol', getFlows(4, { protocol: 17 }), '257/0 02000000 1:(2:(1:11)) 25:(1:08000000 2:00000000)'],
  ['list flows to an address', getFlows(4, { to: '10.96.0.1' }), '257/0 02000000 1:(1:(2:0a600001)) 25:(1:02000000 2:00000000)'],
  [
    'list flows to an address of IPv6',
    getFlows(6, { to: 'fd00::1' }),
    '257/0 0a000000 1:(1:(4:fd000000000000000000000000000001)) 25:(1:02000000 2:00000000)',
  ],
  ['list flows to a port', getFlows(4, { protocol: 6, port: 80 }), '257/0 02000000 1:(2:(1:06 3:0050)) 25:(1:28000000 2:00000000)'],
  ['forget a flow', deleteFlow({ ...flow, family: 4 }), '258/0 02000000 1:(1:(1:0a000001 2:0a60000a) 2:(1:11 2:9c40 3:0035))'],
  [
    'forget a flow of IPv6',
    deleteFlow({ ...flow, family: 6, orig: { ...flow.orig, src: 'fd00::1', dst: 'fd00::2' } }),
    '258/0 0a000000 1:(1:(3:fd000000000000000000000000000001 4:fd000000000000000000000000000002) 2:(1:11 2:9c40 3:0035))',
  ],
];

describe('requests', () => {
  for (const [what, request, shown] of cases) test(what, () => assert.equal(show(request), shown));

  test('to a target that is no range are refused', () => {
    assert.throws(() => addRoute({ dst: 'x', index: 1 }), /Cannot make a route to "x": not a CIDR/);
  });
});
