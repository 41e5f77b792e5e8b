import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseListeners } from './listeners.ts';

const head = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';

test('parseListeners() reads who listens over TCP, and leaves out connections', () => {
  const text = `${head}   0: 3500007F:0035 00000000:0000 0A 00000000:00000000 00:00000000 00000000   101        0 1 1
   1: 0A38A8C0:192B 0138A8C0:C350 01 00000000:00000000 00:00000000 00000000     0        0 2 1
`;
  assert.deepEqual(parseListeners('tcp', text), [{ protocol: 'tcp', address: '127.0.0.53', port: 53 }]);
});

test('parseListeners() reads IPv6, word by word', () => {
  const local = 'B80D0120000000000000000001000000';
  const text = `${head}   0: 00000000000000000000000000000000:280A 0:0 0A 0\n   1: ${local}:192B 0:0 0A 0\n`;
  assert.deepEqual(
    parseListeners('tcp6', text).map(({ address, port }) => `${address} ${port}`),
    [':: 10250', '2001:db8::1 6443'],
  );
});

test('parseListeners() takes sockets of UDP without a peer for listeners', () => {
  const text = `${head}  12: 00000000:2118 00000000:0000 07 0\n  13: 0A38A8C0:A000 0138A8C0:0035 01 0\n`;
  assert.deepEqual(parseListeners('udp', text), [{ protocol: 'udp', address: '0.0.0.0', port: 8472 }]);
});

test('parseListeners() gives nothing for a table that is not there', () => assert.deepEqual(parseListeners('tcp6', ''), []));
