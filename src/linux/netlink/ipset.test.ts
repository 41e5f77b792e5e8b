/** What is asked of ipset, byte by byte. That the kernel understands it, and how it answers, is in ../ipset/kernel-ipset.test.ts. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { IpsetOp } from '../ipset/ipset.ts';
import type { Attr } from './attribute.ts';
import { askProtocol, changeIpsets, ipsetErrno, listSet, listSetNames } from './ipset.ts';
import type { NetlinkRequest } from './message.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

function changeIpset(op: IpsetOp): NetlinkRequest {
  const [request] = changeIpsets([op]);
  assert.ok(request);
  return request;
}

/** Types in which the byte order is said end with `b`. */
function showAttr([type, value]: Attr): string {
  const name = `${type & 0x3fff}${(type & 0x4000) === 0 ? '' : 'b'}`;
  return value instanceof Uint8Array ? `${name}:${hex(value)}` : `${name}:(${value.map(showAttr).join(' ')})`;
}

/** `COMMAND/FLAGS BODY ATTRIBUTES` behind the number of the subsystem and the protocol, which all have. */
function show({ type, flags = 0, body, attrs = [] }: NetlinkRequest): string {
  assert.equal(type >> 8, 6);
  assert.equal(showAttr(attrs[0] as Attr), '1:06');
  return [`${type & 0xff}/${flags}`, hex(body), ...attrs.slice(1).map(showAttr)].join(' ');
}

const four = { name: 'S', type: 'hash:ip,port', family: 4 } as const;
const six = { name: 'S', type: 'hash:ip,port,net', family: 6 } as const;
const ports = { name: 'P', type: 'bitmap:port' } as const;
const sizes = '18b:00000400 19b:00010000';

const cases: readonly [what: string, request: NetlinkRequest, shown: string][] = [
  ['ask for the protocol', askProtocol, '1/0 02000000'],
  ['list names', listSetNames, '7/0 02000000 6b:00000002'],
  ['list a set', listSet('S'), '7/0 02000000 2:5300'],
  ['create a set', changeIpset({ op: 'create', set: four }), `2/0 02000000 2:5300 3:686173683a69702c706f727400 4:01 5:02 7:(${sizes})`],
  [
    'create a set of IPv6',
    changeIpset({ op: 'create', set: six }),
    `2/0 0a000000 2:5300 3:686173683a69702c706f72742c6e657400 4:03 5:0a 7:(${sizes})`,
  ],
  [
    'create a bitmap of ports',
    changeIpset({ op: 'create', set: ports }),
    '2/0 02000000 2:5000 3:6269746d61703a706f727400 4:00 5:00 7:(4b:0000 5b:ffff)',
  ],
  ['destroy a set', changeIpset({ op: 'destroy', name: 'S' }), '3/0 02000000 2:5300'],
  ['flush a set', changeIpset({ op: 'flush', name: 'S' }), '4/0 02000000 2:5300'],
  ['swap two sets', changeIpset({ op: 'swap', name: 'S', other: 'T' }), '6/0 02000000 2:5300 3:5400'],
  [
    'add an address and port',
    changeIpset({ op: 'add', set: four, entry: '10.96.0.1,udp:53' }),
    '9/0 02000000 2:5300 7:(1:(1b:0a600001) 4b:0035 7:11)',
  ],
  [
    'delete an address and port with a range',
    changeIpset({ op: 'del', set: six, entry: 'fd00::1,tcp:80,2001:db8::/32' }),
    '10/0 0a000000 2:5300 7:(1:(2b:fd000000000000000000000000000001) 4b:0050 7:06 20:(2b:20010db8000000000000000000000000) 21:20)',
  ],
  [
    'add one with a single address as its range',
    changeIpset({ op: 'add', set: { ...six, family: 4 }, entry: '10.96.0.1,tcp:80,10.0.0.1' }),
    '9/0 02000000 2:5300 7:(1:(1b:0a600001) 4b:0050 7:06 20:(1b:0a000001) 21:20)',
  ],
  [
    'add two addresses and a port',
    changeIpset({ op: 'add', set: { ...four, type: 'hash:ip,port,ip' }, entry: '10.96.0.1,sctp:80,10.0.0.1' }),
    '9/0 02000000 2:5300 7:(1:(1b:0a600001) 4b:0050 7:84 20:(1b:0a000001))',
  ],
  [
    'add an address',
    changeIpset({ op: 'add', set: { ...four, type: 'hash:ip' }, entry: '10.96.0.1' }),
    '9/0 02000000 2:5300 7:(1:(1b:0a600001))',
  ],
  ['add a port', changeIpset({ op: 'add', set: ports, entry: '30080' }), '9/0 02000000 2:5000 7:(4b:7580)'],
];

describe('ipset requests', () => {
  test('are the same for many at once, which share parts, as for each alone', () => {
    const types = ['hash:ip,port', 'hash:ip,port,ip', 'hash:ip,port,net'] as const;
    const ops = ['S', 'T'].flatMap((name) =>
      types.flatMap((type) =>
        ['10.96.0.1,tcp:80', '10.96.0.1,udp:80', '10.96.0.2,tcp:80', '10.96.0.1,tcp:81'].flatMap((place) =>
          (type === 'hash:ip,port'
            ? ['']
            : type === 'hash:ip,port,ip'
              ? [',10.0.0.1', ',10.0.0.2']
              : [',10.0.0.1', ',10.0.0.0/8', ',10.0.0.0/9']
          ).flatMap((second) =>
            (['add', 'del'] as const).map((op): IpsetOp => ({ op, set: { name, type, family: 4 }, entry: `${place}${second}` })),
          ),
        ),
      ),
    );
    const shown = changeIpsets(ops).map(show);
    assert.deepEqual(shown, ops.map(changeIpset).map(show));
    assert.equal(new Set(shown).size, ops.length);
  });

  for (const [what, request, shown] of cases) test(what, () => assert.equal(show(request), shown));

  test('have no entry of a protocol that is none', () => {
    assert.throws(() => changeIpset({ op: 'add', set: four, entry: '10.96.0.1,icmp:8' }), /not PROTOCOL:PORT/);
  });

  test('are refused by names', () => assert.deepEqual([ipsetErrno('errno 4100'), ipsetErrno('EPERM')], ['IPSET_ERR_BUSY', 'EPERM']));
});
