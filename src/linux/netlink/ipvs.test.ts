/** What is asked of IPVS, byte by byte, and its answers. That the kernel understands it is in test/guest. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { IpvsOp, VirtualAddress } from '../ipvs/ipvs.ts';
import { type Attr, encodeAttrs } from './attribute.ts';
import {
  changeIpvs,
  type IpvsCommand,
  listReal,
  parseReal,
  parseRealTraffic,
  parseServer,
  parseTimeouts,
  parseTraffic,
  parseVersion,
  setTimeouts,
} from './ipvs.ts';
import type { NetlinkMessage } from './message.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

function showAttr([type, value]: Attr): string {
  return value instanceof Uint8Array ? `${type}:${hex(value)}` : `${type}:(${value.map(showAttr).join(' ')})`;
}

function show({ command, attrs }: IpvsCommand): string {
  return [command, ...attrs.map(showAttr)].join(' ');
}

const web: VirtualAddress = { kind: 'address', ip: '10.96.0.1', port: 80, protocol: 'tcp' };
const dns: VirtualAddress = { kind: 'address', ip: 'fd00::1', port: 53, protocol: 'udp' };
const mark: VirtualAddress = { kind: 'mark', mark: 77, family: 4 };
const mark6: VirtualAddress = { ...mark, family: 6 };
const real = { ip: '10.244.1.2', port: 8080, weight: 1 };
const zeros = '0'.repeat(24);
const webIs = `1:0200 2:0600 3:0a600001${zeros} 4:0050`;
const dnsIs = '1:0a00 2:1100 3:fd000000000000000000000000000001 4:0035';
const realIs = `1:0af40102${zeros} 2:1f90 11:0200`;
const plain = '8:00000000 9:ffffffff';

const cases: readonly [what: string, op: IpvsOp, shown: string][] = [
  [
    'adds a virtual server',
    { op: 'add-server', server: { address: web, scheduler: 'rr' } },
    `1 1:(${webIs} 6:727200 7:00000000ffffffff ${plain})`,
  ],
  [
    'changes one of IPv6, which then keeps its clients',
    { op: 'set-server', server: { address: dns, scheduler: 'wlc', persistentSeconds: 300 } },
    `2 1:(${dnsIs} 6:776c6300 7:01000000ffffffff 8:2c010000 9:80000000)`,
  ],
  [
    'adds one that hashes, with both flags, and keeps its clients',
    { op: 'add-server', server: { address: web, scheduler: 'mh', persistentSeconds: 10, hash: ['port', 'fallback'] } },
    `1 1:(${webIs} 6:6d6800 7:19000000ffffffff 8:0a000000 9:ffffffff)`,
  ],
  [
    'adds one that hashes and falls back',
    { op: 'add-server', server: { address: web, scheduler: 'sh', hash: ['fallback'] } },
    `1 1:(${webIs} 6:736800 7:08000000ffffffff ${plain})`,
  ],
  [
    'adds one of a firewall mark',
    { op: 'add-server', server: { address: mark, scheduler: 'rr' } },
    `1 1:(1:0200 5:4d000000 6:727200 7:00000000ffffffff ${plain})`,
  ],
  [
    'adds one of a firewall mark in IPv6',
    { op: 'add-server', server: { address: mark6, scheduler: 'rr' } },
    '1 1:(1:0a00 5:4d000000 6:727200 7:00000000ffffffff 8:00000000 9:80000000)',
  ],
  ['deletes a virtual server', { op: 'delete-server', address: dns }, `3 1:(${dnsIs})`],
  [
    'adds a real server',
    { op: 'add-real', address: web, real },
    `5 1:(${webIs}) 2:(${realIs} 3:00000000 4:01000000 5:00000000 6:00000000)`,
  ],
  [
    'sets the weight of one',
    { op: 'set-real', address: web, real: { ...real, weight: 0 } },
    `6 1:(${webIs}) 2:(${realIs} 3:00000000 4:00000000 5:00000000 6:00000000)`,
  ],
  ['deletes a real server', { op: 'delete-real', address: web, real }, `7 1:(${webIs}) 2:(${realIs})`],
];

/** An answer, as the kernel would send it. */
function answer(attrs: readonly Attr[]): NetlinkMessage {
  return { type: 30, flags: 0, seq: 1, port: 0, data: Buffer.concat([Buffer.alloc(4), encodeAttrs(attrs)]) };
}

const bytes = (text: string): Buffer => Buffer.from(text, 'hex');

describe('IPVS', () => {
  for (const [what, op, shown] of cases) test(what, () => assert.equal(show(changeIpvs(op)), shown));

  test('lists the real servers of a virtual server', () => assert.equal(show(listReal(web)), `8 1:(${webIs})`));

  test('sets how long connections are remembered', () => {
    assert.equal(show(setTimeouts({ tcp: 900, tcpFin: 120, udp: 300 })), '12 4:84030000 5:78000000 6:2c010000');
  });

  for (const server of [
    { address: web, scheduler: 'rr' },
    { address: dns, scheduler: 'sh', persistentSeconds: 10_800, hash: ['fallback', 'port'] as const },
    { address: { ...web, protocol: 'sctp' as const }, scheduler: 'mh', hash: ['port'] as const },
    { address: mark, scheduler: 'lc' },
    { address: mark6, scheduler: 'lc' },
  ])
    test(`reads back what it wrote: ${JSON.stringify(server)}`, () => {
      assert.deepEqual(parseServer(answer(changeIpvs({ op: 'add-server', server }).attrs)), server);
    });

  test('leaves out a virtual server of another protocol', () => {
    const service: Attr[] = [
      [1, bytes('0200')],
      [2, bytes('2f00')],
      [3, bytes(`0a600001${zeros}`)],
      [4, bytes('0000')],
    ];
    assert.equal(parseServer(answer([[1, service]])), undefined);
  });

  test('reads real servers, with their connections', () => {
    const dest: Attr[] = [
      [1, bytes(`0af40102${zeros}`)],
      [2, bytes('1f90')],
      [4, bytes('02000000')],
      [7, bytes('03000000')],
      [8, bytes('04000000')],
    ];
    const read = { ip: '10.244.1.2', port: 8080, weight: 2, activeConnections: 3, inactiveConnections: 4 };
    assert.deepEqual(parseReal(answer([[2, dest]]), 4), read);
    const six: Attr[] = [...dest.slice(1), [1, bytes('fd000000000000000000000000000002')], [11, bytes('0a00')]];
    assert.deepEqual(parseReal(answer([[2, six]]), 4), { ...read, ip: 'fd00::2' });
  });

  test('reads what a virtual server counted, in 64 bits where the kernel has them', () => {
    const identity: Attr[] = [
      [1, bytes('0200')],
      [2, bytes('0600')],
      [3, bytes(`0a600001${zeros}`)],
      [4, bytes('0050')],
    ];
    const narrow: Attr = [
      10,
      [
        [1, bytes('05000000')],
        [2, bytes('09000000')],
        [4, bytes('0600000001000000')],
        [5, bytes('0700000000000000')],
      ],
    ];
    const wide: Attr = [
      12,
      [
        [1, bytes('0500000001000000')],
        [4, bytes('0600000002000000')],
        [5, bytes('0700000000000000')],
      ],
    ];
    const read = { address: web, connections: 5, bytesIn: 2 ** 32 + 6, bytesOut: 7 };
    assert.deepEqual(parseTraffic(answer([[1, [...identity, narrow]]])), read);
    assert.deepEqual(parseTraffic(answer([[1, [...identity, narrow, wide]]])), {
      ...read,
      connections: 2 ** 32 + 5,
      bytesIn: 2 ** 33 + 6,
    });
    assert.equal(parseTraffic(answer([[1, [...identity, [2, bytes('2f00')], wide]]])), undefined);
    const dest: Attr[] = [
      [1, bytes(`0af40102${zeros}`)],
      [2, bytes('1f90')],
    ];
    const counted = { ip: '10.244.1.2', port: 8080, bytesOut: 7 };
    assert.deepEqual(parseRealTraffic(answer([[2, [...dest, narrow]]]), 4), { ...counted, connections: 5, bytesIn: 2 ** 32 + 6 });
    assert.deepEqual(parseRealTraffic(answer([[2, [...dest, narrow, wide]]]), 4), {
      ...counted,
      connections: 2 ** 32 + 5,
      bytesIn: 2 ** 33 + 6,
    });
  });

  test('reads the timeouts and the version', () => {
    assert.deepEqual(parseTimeouts(answer(setTimeouts({ tcp: 1, tcpFin: 2, udp: 3 }).attrs)), { tcp: 1, tcpFin: 2, udp: 3 });
    assert.equal(parseVersion(answer([[1, bytes('01020100')]])), '1.2.1');
  });
});
