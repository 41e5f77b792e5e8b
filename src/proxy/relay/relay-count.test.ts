import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RelayCount } from './relay-count.ts';

const endpoint = '10.244.1.2 . 8080';

test('nothing is counted at first', () => {
  const { connections, refused, received, sent } = new RelayCount();
  assert.deepEqual([connections, refused, received, sent], [0, 0, 0, 0]);
});

test('bytes of connections count while they are open, and once when they have ended', () => {
  const count = new RelayCount();
  const meter = count.of(endpoint);
  const [one, other] = [
    { bytesRead: 1, bytesWritten: 10 },
    { bytesRead: 2, bytesWritten: 20 },
  ];
  for (const client of [one, other]) {
    meter.opened();
    meter.follow(client);
  }
  assert.deepEqual([count.received, count.sent], [3, 30]);
  one.bytesRead = 5;
  meter.closed(one);
  assert.deepEqual([count.received, count.sent], [7, 30]);
  meter.closed(one);
  other.bytesWritten = 21;
  assert.deepEqual([count.connections, count.received, count.sent, count.refused], [2, 7, 31, 0]);
});

test('datagrams count by their direction, and what was refused for itself', () => {
  const count = new RelayCount();
  count.of(endpoint).datagram('received', 3);
  count.of(endpoint).datagram('sent', 40);
  count.of(endpoint).datagram('received', 4);
  count.refuse();
  assert.deepEqual([count.connections, count.received, count.sent, count.refused], [0, 7, 40, 1]);
});

test('each endpoint counts for itself, and stays in the sum when it is forgotten', () => {
  const count = new RelayCount();
  count.of(endpoint).opened();
  count.of('b').opened();
  count.of('b').datagram('received', 5);
  count.of('b').datagram('sent', 6);
  assert.deepEqual(
    [...count.endpoints].map(([name, { connections, received }]) => [name, connections, received]),
    [
      [endpoint, 1, 0],
      ['b', 1, 5],
    ],
  );
  count.forget('b');
  count.forget('never seen');
  assert.deepEqual([...count.endpoints.keys()], [endpoint]);
  count.of('b').opened();
  assert.deepEqual([count.connections, count.received, count.sent], [3, 5, 6]);
});
