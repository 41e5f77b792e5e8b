import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeIpvs } from '../testing/fake-ipvs.ts';
import { isSameServer, serverName, type VirtualServer } from './ipvs.ts';
import { printIpvs } from './print.ts';
import { parseProcTable } from './proc-table.ts';
import { parseIpvs } from './testing/parse.ts';

const saved = `-A --sctp-service 10.96.0.1:99 -s wlc
-A -f 77 -6 -s rr
-A -f 78 -s rr
-a -f 78 -r 10.244.1.2:0 -m -w 1
-A -t 10.96.0.1:80 -s sh -p 10800 -b sh-fallback,sh-port
-a -t 10.96.0.1:80 -r 10.244.1.2:8080 -m -w 1
-a -t 10.96.0.1:80 -r 10.244.1.3:8080 -m -w 0
-A -u [fd00::1]:53 -s mh -p 300 -b mh-fallback
-a -u [fd00::1]:53 -r [fd00::2]:53 -m -w 3
`;

const proc = `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
SCTP  0A600001:0063 wlc
TCP  0A600001:0050 sh persistent 1080000 FFFFFFFF
  -> 0AF40102:1F90      Masq    1      2          3
  -> C0A8780B:1F90      Masq    0      0          0
UDP  [fd00:0000:0000:0000:0000:0000:0000:0001]:0035 mh
  -> [fd00:0000:0000:0000:0000:0000:0000:0002]:0035      Masq    3      0          0
AH  0A600001:0063 wlc
  -> 0AF40102:1F90      Masq    1      2          3
FWM  0000004D rr ops
  -> 0AF40102:0000      Masq    1      0          0
`;

describe('virtual servers', () => {
  test('are printed and read as by ipvsadm', () => assert.equal(printIpvs(parseIpvs(saved)), saved));

  for (const [what, text] of [
    ['a line that is no option', 'x'],
    ['no address', '-A -s rr'],
    ['a real server of none', '-a -t 10.96.0.1:80 -r 10.244.1.2:8080 -m -w 1'],
  ] as const)
    test(`are not read from ${what}`, () => assert.throws(() => parseIpvs(text), SyntaxError));

  test('are read from the text of /proc, with the connections of each real server', () => {
    const idle = { activeConnections: 0, inactiveConnections: 0 };
    assert.deepEqual(
      [...parseProcTable(proc)],
      [
        ['sctp 10.96.0.1 99', []],
        [
          'tcp 10.96.0.1 80',
          [
            { ip: '10.244.1.2', port: 8080, weight: 1, activeConnections: 2, inactiveConnections: 3 },
            { ip: '192.168.120.11', port: 8080, weight: 0, ...idle },
          ],
        ],
        ['udp fd00::1 53', [{ ip: 'fd00::2', port: 53, weight: 3, ...idle }]],
        ['mark 77', [{ ip: '10.244.1.2', port: 0, weight: 1, ...idle }]],
      ],
    );
    assert.deepEqual([...parseProcTable('')], []);
  });

  const server: VirtualServer = {
    address: { kind: 'mark', mark: 1, family: 4 },
    scheduler: 'sh',
    persistentSeconds: 1,
    hash: ['port', 'fallback'],
  };
  for (const [what, other, isSame] of [
    ['the same flags in another order', { ...server, hash: ['fallback', 'port'] }, true],
    ['another scheduler', { ...server, scheduler: 'mh' }, false],
    ['another time', { ...server, persistentSeconds: 2 }, false],
    ['fewer flags', { ...server, hash: ['port'] }, false],
  ] as const)
    test(`differ or not: ${what}`, () => assert.equal(isSameServer(server, other), isSame));

  test('have names of their own', () => {
    const names = [...parseIpvs(saved)].map(({ address }) => serverName(address));
    assert.equal(new Set(names).size, 5);
  });
});

describe('FakeIpvs', () => {
  test('takes what it gave, and refuses as the kernel does', async () => {
    const fake = new FakeIpvs({ schedulers: ['rr', 'sh', 'mh', 'wlc'] });
    fake.load(saved);
    assert.equal(fake.dump(), saved);
    const address = { kind: 'mark', mark: 78, family: 4 } as const;
    const none = { kind: 'mark', mark: 79, family: 4 } as const;
    const real = { ip: '10.244.1.2', port: 0, weight: 2 };
    const errors = await fake.apply([
      { op: 'add-server', server: { address, scheduler: 'rr' } },
      { op: 'set-server', server: { address: none, scheduler: 'rr' } },
      { op: 'set-server', server: { address, scheduler: 'lc' } },
      { op: 'delete-server', address: none },
      { op: 'add-real', address, real },
      { op: 'set-real', address, real: { ...real, port: 1 } },
      { op: 'delete-real', address, real: { ...real, port: 1 } },
      { op: 'set-real', address, real },
      { op: 'set-server', server: { address, scheduler: 'sh' } },
    ]);
    assert.deepEqual(
      errors.map((error) => error?.errno),
      ['EEXIST', 'ESRCH', 'ENOENT', 'ESRCH', 'EEXIST', 'ENOENT', 'ENOENT', undefined, undefined],
    );
    assert.match(fake.dump(), /-A -f 78 -s sh\n-a -f 78 -r 10.244.1.2:0 -m -w 2\n/);
    fake.connections(address, real, 3, 4);
    assert.deepEqual(await fake.realServers(address), [{ ...real, activeConnections: 3, inactiveConnections: 4 }]);
    assert.deepEqual(await fake.realServers(none), []);
    assert.throws(() => fake.connections(address, { ip: '1.1.1.1', port: 1 }, 1), /no such real server/);
    await fake.setTimeouts({ tcp: 0, tcpFin: 5, udp: 0 });
    assert.deepEqual(await fake.timeouts(), { tcp: 900, tcpFin: 5, udp: 300 });
    await fake.flush();
    assert.deepEqual(await fake.read(), []);
  });
});
