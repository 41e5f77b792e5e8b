import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Link } from '../../linux/netlink/link.ts';
import { type Attachment, hostLinkOf, type PodNetwork } from '../attachment.ts';
import { routesOf, wrongInPod, wrongOnNode } from './check.ts';

const network: PodNetwork = { podCidr: '10.244.1.0/24', gateway: '10.244.1.1', bridge: 'cni0', mtu: 1450 };
const a: Attachment = { containerId: 'c', ifName: 'eth0', network: 'n', netns: '/n', ip: '10.244.1.5', pod: 'ns/p', hostPorts: [] };
const name = hostLinkOf(a);
const link: Link = { index: 7, name, kind: 'veth', mac: '', mtu: 1450, up: true, master: 3, parent: 2, alias: '', hairpin: true };
const bridge: Link = { ...link, index: 3, name: 'cni0', kind: 'bridge', master: 0 };
const inside: Link = { ...link, index: 2, name: 'eth0', mac: '0a:58:0a:f4:01:05', master: 0, parent: 7 };
const addresses = [{ index: 2, ip: '10.244.1.5', prefix: 24 }];
const routes = routesOf(network, 2);

test("routesOf() leads to the gateway first, then through it to the node's other pods and to the world", () => {
  assert.deepEqual(routes, [
    { dst: '10.244.1.1/32', index: 2 },
    { dst: '10.244.1.0/24', index: 2, gateway: '10.244.1.1' },
    { dst: '0.0.0.0/0', index: 2, gateway: '10.244.1.1' },
  ]);
});

describe('wrongOnNode()', () => {
  const cases: readonly [what: string, host: Link | undefined, bridge: Link | undefined, wrong: string[]][] = [
    ['nothing', link, bridge, []],
    ['a link that is not there', undefined, bridge, [`the node has no link "${name}"`]],
    ['a link that is down', { ...link, up: false }, bridge, [`link "${name}" is down`]],
    ['a link in another bridge', { ...link, master: 4 }, bridge, [`link "${name}" is not in bridge "cni0"`]],
    ['no bridge', link, undefined, [`link "${name}" is not in bridge "cni0"`]],
    ['a link without hairpin mode', { ...link, hairpin: false }, bridge, [`link "${name}" lost its hairpin mode`]],
    ['both', { ...link, up: false, hairpin: false }, bridge, [`link "${name}" is down`, `link "${name}" lost its hairpin mode`]],
  ];
  for (const [what, host, of, wrong] of cases) test(`finds ${what}`, () => assert.deepEqual(wrongOnNode(a, network, host, of), wrong));
});

describe('wrongInPod()', () => {
  type Found = Parameters<typeof wrongInPod> extends [unknown, unknown, ...infer Rest] ? Rest : never;
  const cases: readonly [what: string, found: Found, wrong: string[]][] = [
    ['nothing', [link, inside, addresses, routes], []],
    ['a link that is not there', [link, undefined, [], []], ['the pod has no link "eth0"']],
    ['a link that is down', [link, { ...inside, up: false }, addresses, routes], ['link "eth0" is down']],
    ['another end', [link, { ...inside, parent: 8 }, addresses, routes], [`link "eth0" is not the other end of "${name}"`]],
    ['nothing about its end where the node has none', [undefined, { ...inside, parent: 8 }, addresses, routes], []],
    ['another MAC', [link, { ...inside, mac: '02:00:00:00:00:01' }, addresses, routes], ['link "eth0" has MAC 02:00:00:00:00:01']],
    ['no address', [link, inside, [], routes], ['link "eth0" has not the address 10.244.1.5']],
    [
      'its address on another link',
      [link, inside, [{ index: 1, ip: a.ip, prefix: 24 }], routes],
      ['link "eth0" has not the address 10.244.1.5'],
    ],
    [
      'another address',
      [link, inside, [{ index: 2, ip: '10.244.1.6', prefix: 24 }], routes],
      ['link "eth0" has not the address 10.244.1.5'],
    ],
    ['a missing route', [link, inside, addresses, routes.slice(0, 2)], ['the route to 0.0.0.0/0 is missing']],
    [
      'a route elsewhere',
      [link, inside, addresses, routes.map((r) => ({ ...r, index: 1 }))],
      routes.map((r) => `the route to ${r.dst} is missing`),
    ],
    [
      'a route through another gateway',
      [link, inside, addresses, [...routes.slice(0, 2), { dst: '0.0.0.0/0', index: 2, gateway: '10.244.1.9' }]],
      ['the route to 0.0.0.0/0 is missing'],
    ],
  ];
  for (const [what, found, wrong] of cases) test(`finds ${what}`, () => assert.deepEqual(wrongInPod(a, network, ...found), wrong));
});
