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
    const connections = new Connections({ ofAddress: 4, total: 100 });
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
    const connections = new Connections({ ofAddress: 3, total: 5 });
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

describe('Handshakes', () => {
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
