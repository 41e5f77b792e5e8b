import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { FlagReader } from './flag-reader.ts';
import { viewedConfiguration } from './proxy-view.ts';

async function proxyThat(t: TestContext, answers: RequestListener): Promise<FlagReader> {
  const server = createServer(answers).listen(0, '127.0.0.1');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  await once(server, 'listening');
  return new FlagReader({ 'proxy-metrics-address': `127.0.0.1:${(server.address() as AddressInfo).port}` });
}

test('the mode is that of the proxy that runs here', async (t) => {
  const read = await proxyThat(t, ({ url }, res) => res.writeHead(url === '/proxyMode' ? 200 : 404).end('ipvs\n'));
  assert.equal((await viewedConfiguration(read, true)).mode, 'ipvs');
});

test('a proxy that listens and does not answer is no missing one, whose mode would be the preset', async (t) => {
  const read = await proxyThat(t, () => {});
  await assert.rejects(viewedConfiguration(read, true, 100), { code: 'PROXY_UNREACHABLE', message: /it has not answered$/ });
});

test('nor is one whose machine is too busy to take a connection before fetch gives up', async (t) => {
  const cause = Object.assign(new Error('Connect Timeout Error'), { code: 'UND_ERR_CONNECT_TIMEOUT' });
  t.mock.method(globalThis, 'fetch', () => Promise.reject(new TypeError('fetch failed', { cause })));
  const read = new FlagReader({ 'proxy-metrics-address': '127.0.0.1:10249' });
  await assert.rejects(viewedConfiguration(read, true), { code: 'PROXY_UNREACHABLE' });
});

test('where nothing listens the preset holds', async () => {
  assert.equal((await viewedConfiguration(new FlagReader({ 'proxy-metrics-address': '127.0.0.1:1' }), true)).mode, 'nftables');
});
