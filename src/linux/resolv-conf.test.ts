import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseResolvConf, type ResolvConf } from './resolv-conf.ts';

const table: readonly (readonly [string, string, Partial<ResolvConf>])[] = [
  ['an empty file', '', {}],
  [
    'servers in their order, more than glibc asks too',
    'nameserver 9.9.9.9\nnameserver 1.1.1.1\nnameserver 8.8.8.8\nnameserver 8.8.4.4\n',
    { servers: ['9.9.9.9', '1.1.1.1', '8.8.8.8', '8.8.4.4'] },
  ],
  ['a last line without an end', 'nameserver 9.9.9.9', { servers: ['9.9.9.9'] }],
  ['lines of Windows', 'nameserver 9.9.9.9\r\nsearch a.example\r\n', { servers: ['9.9.9.9'], searches: ['a.example'] }],
  [
    'tabs, and spaces in front',
    '\tnameserver\t \t9.9.9.9 \n  search\ta.example\tb.example',
    { servers: ['9.9.9.9'], searches: ['a.example', 'b.example'] },
  ],
  ['comments of both kinds', '# nameserver 1.1.1.1\n;nameserver 1.1.1.1\n ; search x\n#search x', {}],
  ['what stands behind a server', 'nameserver 9.9.9.9 # ours\n', { servers: ['9.9.9.9'] }],
  ['IPv6, also with a zone', 'nameserver 2001:DB8::1\nnameserver fe80::1%eth0\n', { servers: ['2001:DB8::1', 'fe80::1%eth0'] }],
  [
    'no server that is no address, nor one with a port',
    'nameserver\nnameserver ns.example\nnameserver 9.9.9.9:53\nnameserver [::1]:53\nnameserver %eth0\n',
    {},
  ],
  ['no keyword that only begins alike', 'nameservers 9.9.9.9\nsearchx a\noptionsx b\ndomainx c', {}],
  ['the last search', 'search a.example b.example\nsearch c.example\n', { searches: ['c.example'] }],
  ['domain as a search of one', 'domain a.example b.example\n', { searches: ['a.example'] }],
  ['the last of search and domain', 'search a.example\ndomain b.example\n', { searches: ['b.example'] }],
  ['the last of domain and search', 'domain b.example\nsearch a.example\n', { searches: ['a.example'] }],
  ['no empty search', 'search a.example\nsearch\ndomain\n', { searches: ['a.example'] }],
  ['the root as no search, and no dot at an end', 'search . a.example.\n', { searches: ['a.example'] }],
  ['options of several lines', 'options ndots:5 rotate\noptions timeout:1\n', { options: ['ndots:5', 'rotate', 'timeout:1'] }],
  ['the last of two options with one name', 'options ndots:5 rotate\noptions ndots:2\n', { options: ['rotate', 'ndots:2'] }],
];

for (const [sentence, text, wanted] of table) {
  test(`parseResolvConf() gives ${sentence}`, () =>
    assert.deepEqual(parseResolvConf(text), { servers: [], searches: [], options: [], ...wanted }));
}
