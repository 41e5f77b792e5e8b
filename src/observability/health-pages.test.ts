import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isKnownError } from '../errors/known-error.ts';
import { boundAddress, PageServer, servePages } from './health-pages.ts';

async function answer(url: string): Promise<[number, string | null, string]> {
  const response = await fetch(url);
  return [response.status, response.headers.get('content-type'), await response.text()];
}

const plain = 'text/plain; charset=utf-8';

describe('PageServer', () => {
  test('answers by path, whatever the query, and what is not there as Go servers do', async () => {
    const server = new PageServer({
      '/healthz': () => ({ code: 503, body: 'stopping' }),
      '/json': async () => ({ code: 200, body: '{}', type: 'application/json', headers: { 'x-weight': '3' } }),
      '/broken': () => Promise.reject(new Error('no metrics')),
    });
    const base = `http://127.0.0.1:${await server.listen('127.0.0.1:0')}`;
    try {
      assert.deepEqual(await answer(`${base}/healthz?verbose`), [503, plain, 'stopping']);
      assert.deepEqual(await answer(`${base}/json`), [200, 'application/json', '{}']);
      assert.deepEqual(await answer(`${base}/broken`), [500, plain, 'no metrics\n']);
      for (const path of ['/', '/toString', '/healthz/x'])
        assert.deepEqual(await answer(base + path), [404, plain, '404 page not found\n'], path);
      const { headers } = await fetch(`${base}/json`);
      assert.deepEqual([headers.get('x-weight'), headers.get('x-content-type-options')], ['3', 'nosniff']);
    } finally {
      await server.close();
    }
  });

  for (const everywhere of [':0', '0.0.0.0:0', '[::]:0'])
    test(`answers at ${everywhere} in both families`, async () => {
      const server = new PageServer({ '*': () => ({ code: 200, body: 'here' }) });
      const port = await server.listen(everywhere);
      try {
        for (const host of ['127.0.0.1', '[::1]']) assert.deepEqual(await answer(`http://${host}:${port}/`), [200, plain, 'here'], host);
      } finally {
        await server.close();
      }
    });

  test('answers every path with one page when that is all it has', async () => {
    const server = new PageServer({ '*': () => ({ code: 200, body: 'here' }) });
    const port = await server.listen('[::1]:0');
    try {
      assert.deepEqual(await answer(`http://[::1]:${port}/any`), [200, plain, 'here']);
    } finally {
      await server.close();
    }
  });
});

describe('servePages()', () => {
  const ok = (): { code: number; body: string } => ({ code: 200, body: 'ok' });

  test('puts pages of one address on one port, and leaves out those without an address', async () => {
    const pages = await servePages([
      ['127.0.0.1:0', '/health', ok],
      ['127.0.0.1:0', '/ready', ok],
      [undefined, '/metrics', ok],
    ]);
    try {
      assert.deepEqual([...pages.ports.keys()], ['127.0.0.1:0']);
      const base = `http://127.0.0.1:${pages.ports.get('127.0.0.1:0')}`;
      const codes = await Promise.all(['/health', '/ready', '/metrics'].map(async (path) => (await answer(base + path))[0]));
      assert.deepEqual(codes, [200, 200, 404]);
    } finally {
      await pages.close();
    }
  });

  test('names the address that another program has, and lets go of those that it had taken', async () => {
    const other = new PageServer({ '*': ok });
    const taken = boundAddress('127.0.0.1:0', await other.listen('127.0.0.1:0'));
    const free = new PageServer({ '*': ok });
    const own = boundAddress('127.0.0.1:0', await free.listen('127.0.0.1:0'));
    await free.close();
    try {
      await assert.rejects(
        servePages([
          [own, '/a', ok],
          [taken, '/b', ok],
        ]),
        (err) => isKnownError(err, 'PORT_TAKEN') && err.message.includes(`"${taken}"`),
      );
      await assert.rejects(fetch(`http://${own}/a`));
    } finally {
      await other.close();
    }
  });
});

test('boundAddress() tells where a client on this machine finds it', () => {
  assert.equal(boundAddress(':0', 8080), '127.0.0.1:8080');
  assert.equal(boundAddress('192.0.2.1:80', 80), '192.0.2.1:80');
  assert.equal(boundAddress('[::1]:0', 8080), '[::1]:8080');
});
