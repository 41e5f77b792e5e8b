import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { test } from 'node:test';
import { isTaken, placesOf } from './look.ts';

test('placesOf() looks where server and agent listen', () => {
  assert.deepEqual(placesOf({ server: undefined }), {
    server: { host: '127.0.0.1', port: 6443 },
    agent: { host: '127.0.0.1', port: 10_250 },
  });
  const server = { FAIRLEAD_BIND_ADDRESS: '192.0.2.1', FAIRLEAD_SECURE_PORT: '6444' };
  assert.deepEqual(placesOf({ server }).server, { host: '192.0.2.1', port: 6444 });
  assert.equal(placesOf({ server: { FAIRLEAD_BIND_ADDRESS: '::' } }).server.host, '127.0.0.1');
});

test('isTaken() finds who listens at another address than loopback alone', async () => {
  const server = createServer().listen(0, '127.0.0.2');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  assert.equal(await isTaken({ host: '127.0.0.2', port }), true);
  server.close();
  await once(server, 'close');
  assert.equal(await isTaken({ host: '127.0.0.2', port }), false);
});
