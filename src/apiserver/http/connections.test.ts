import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { describe, test } from 'node:test';
import { Pace } from '../flow/pace.ts';
import { Connections } from './connections.ts';
import { Handshakes } from './handshakes.ts';

class FakeSocket extends EventEmitter {
  readonly remoteAddress: string;
  readonly remotePort: number;
  destroyed = false;
  timeout = 0;

  constructor(remoteAddress: string, remotePort: number) {
    super();
    this.remoteAddress = remoteAddress;
    this.remotePort = remotePort;
  }

  destroy(): void {
    this.destroyed = true;
    this.emit('close');
  }

  setTimeout(ms: number, fn?: () => void): void {
    this.timeout = ms;
    if (fn) this.once('timeout', fn);
  }

  get socket(): Socket {
    return this as unknown as Socket;
  }
}

function opened(connections: Connections, address: string, ports: readonly number[]): FakeSocket[] {
  return ports.map((port) => {
    const fake = new FakeSocket(address, port);
    connections.add(fake.socket);
    return fake;
  });
}

const left = (sockets: readonly FakeSocket[]): number[] => sockets.filter((s) => !s.destroyed).map((s) => s.remotePort);

describe('Connections', () => {
  test('close those of an address that were never used, the oldest first, then the idlest, never one with a request', () => {
    const connections = new Connections({ ofAddress: 4, ofNetwork: 100, total: 100 });
    const [busy, used, idle, unused] = opened(connections, 'a', [1, 2, 3, 4]) as [FakeSocket, FakeSocket, FakeSocket, FakeSocket];
    connections.begin(busy.socket);
    const end = connections.begin(used.socket);
    connections.begin(idle.socket)();
    end();
    const all = [busy, used, idle, unused];
    all.push(...opened(connections, 'a', [5]));
    assert.deepEqual(left(all), [1, 2, 3, 5]);
    all.push(...opened(connections, 'a', [6]));
    assert.deepEqual(left(all), [1, 2, 3, 6]);
    connections.begin(all.at(-1)!.socket);
    all.push(...opened(connections, 'a', [7]));
    assert.deepEqual(left(all), [1, 2, 3, 6]);
    connections.begin(idle.socket);
    connections.begin(used.socket);
    all.push(...opened(connections, 'a', [8]));
    assert.deepEqual(left(all), [1, 2, 3, 6], 'nothing makes room but the new one itself');
    assert.equal(connections.count, 4);
  });

  test('of other addresses stay, until there are too many of all', () => {
    const connections = new Connections({ ofAddress: 3, ofNetwork: 5, total: 5 });
    const [a, b] = [opened(connections, 'a', [1, 2]), opened(connections, 'b', [1, 2, 3, 4])];
    assert.deepEqual(
      [left(a), left(b)],
      [
        [1, 2],
        [2, 3, 4],
      ],
    );
    const c = opened(connections, 'c', [1]);
    assert.deepEqual([left(a), left(b), left(c)], [[2], [2, 3, 4], [1]]);
    for (const socket of [...a, ...b, ...c]) socket.destroy();
    assert.equal(connections.count, 0);
  });
});

describe('Connections of IPv6', () => {
  test('of a /64 make room for each other from its limit on, whatever addresses they have, and an address keeps its own', () => {
    const connections = new Connections({ ofAddress: 2, ofNetwork: 3, total: 100 });
    const from = (address: string, ports: readonly number[]): FakeSocket[] => opened(connections, address, ports);
    const node = from('fd00::1', [1]);
    const attacker = ['2001:db8::1', '2001:db8::2', '2001:db8::3', '2001:db8::4', '2001:db8::f:0:0:5'].flatMap((ip, i) => from(ip, [i]));
    assert.deepEqual([left(node), left(attacker)], [[1], [2, 3, 4]]);
    const one = from('2001:db8:0:1::1', [1, 2, 3]);
    assert.deepEqual(
      [left(one), left(attacker)],
      [
        [2, 3],
        [2, 3, 4],
      ],
    );
    for (const socket of [...node, ...attacker, ...one]) socket.destroy();
    assert.equal(connections.count, 0);
    assert.deepEqual(
      left(['::1', '::2', '::3'].flatMap((ip, i) => from(`2001:db8:${ip}`, [i]))),
      [0, 1, 2],
      'what was closed counts no more',
    );
  });

  test('that are of IPv4, at a listener of both families, are of no common network', () => {
    const connections = new Connections({ ofAddress: 1, ofNetwork: 1, total: 100 });
    const all = ['::ffff:10.0.0.1', '::ffff:10.0.0.2', '::ffff:10.0.0.2'].flatMap((ip, i) => opened(connections, ip, [i]));
    assert.deepEqual(left(all), [0, 2]);
  });
});

describe('Handshakes', () => {
  test('are those of a /64 in one turn, and in it of each address', async () => {
    let now = 0;
    const began: string[] = [];
    const handshakes = new Handshakes(new Pace({ monotonic: () => now }));
    for (const [address, port] of [
      ['2001:db8::1', 1],
      ['2001:db8::1', 2],
      ['2001:db8::1', 3],
      ['2001:db8::1', 4],
      ['2001:db8::2', 5],
      ['2001:db8::3', 6],
      ['fd00::1', 7],
      ['fd00::1', 8],
    ] as const) {
      const fake = new FakeSocket(address, port);
      handshakes.add(fake.socket, () => {
        began.push(`${address} ${port}`);
        now += 3;
      });
      fake.emit('readable');
    }
    while (began.length < 8) await new Promise((resolve) => setImmediate(resolve));
    // The first two were alone when they came.
    assert.deepEqual(began, [
      '2001:db8::1 1',
      '2001:db8::1 2',
      '2001:db8::1 3',
      'fd00::1 7',
      '2001:db8::2 5',
      'fd00::1 8',
      '2001:db8::3 6',
      '2001:db8::1 4',
    ]);
  });

  test('begin for some milliseconds of a round, each address in its turn, and only where something was said', async () => {
    let now = 0;
    const began: string[] = [];
    const handshakes = new Handshakes(new Pace({ monotonic: () => now }));
    const connect = (address: string, port: number): FakeSocket => {
      const fake = new FakeSocket(address, port);
      handshakes.add(fake.socket, () => {
        began.push(`${address}${port}`);
        now += 3;
      });
      return fake;
    };
    const silent = connect('a', 0);
    for (const [address, port] of [
      ['a', 1],
      ['a', 2],
      ['a', 3],
      ['a', 4],
      ['b', 1],
    ] as const)
      connect(address, port).emit('readable');
    assert.deepEqual(began, ['a1', 'a2']);
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(began.slice(0, 4), ['a1', 'a2', 'a3', 'b1']);
    assert.equal(silent.timeout, 10_000);
    silent.emit('timeout');
    assert.equal(silent.destroyed, true);
  });
});
