import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RelayCount } from './relay-count.ts';

test('nothing is counted at first', () => {
  const { connections, refused, received, sent } = new RelayCount();
  assert.deepEqual([connections, refused, received, sent], [0, 0, 0, 0]);
});

test('bytes of connections count while they are open, and once when they have ended', () => {
  const count = new RelayCount();
  const [one, other] = [
    { bytesRead: 1, bytesWritten: 10 },
    { bytesRead: 2, bytesWritten: 20 },
  ];
  for (const client of [one, other]) {
    count.opened();
    count.follow(client);
  }
  assert.deepEqual([count.received, count.sent], [3, 30]);
  one.bytesRead = 5;
  count.closed(one);
  assert.deepEqual([count.received, count.sent], [7, 30]);
  count.closed(one);
  other.bytesWritten = 21;
  assert.deepEqual([count.connections, count.received, count.sent, count.refused], [2, 7, 31, 0]);
});

test('datagrams count by their direction, and what was refused for itself', () => {
  const count = new RelayCount();
  count.datagram('received', 3);
  count.datagram('sent', 40);
  count.datagram('received', 4);
  count.refuse();
  assert.deepEqual([count.connections, count.received, count.sent, count.refused], [0, 7, 40, 1]);
});
