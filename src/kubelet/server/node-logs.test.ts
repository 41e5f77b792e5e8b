import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { HttpError } from './http-error.ts';
import { serveNodeLogs } from './node-logs.ts';

describe('the logs of a node', () => {
  let dir = '';
  const server = createServer((req, res) => {
    const [, ...path] = new URL(req.url ?? '/', 'http://kubelet').pathname.split('/').filter(Boolean).map(decodeURIComponent);
    serveNodeLogs(join(dir, 'log'), path, req, res).catch((err: unknown) => {
      res.writeHead(err instanceof HttpError ? err.code : 500).end(String(err));
    });
  });

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'node-logs-'));
    await mkdir(join(dir, 'log', 'pods', 'default_web'), { recursive: true });
    await mkdir(join(dir, 'log', 'containers'));
    await mkdir(join(dir, 'logs-of-another'));
    await writeFile(join(dir, 'secret'), 'not for you');
    await writeFile(join(dir, 'logs-of-another', 'x'), 'not for you');
    await writeFile(join(dir, 'log', 'a<b>.log'), 'hello\n');
    await writeFile(join(dir, 'log', 'binary'), Buffer.from([1, 0, 2]));
    await writeFile(join(dir, 'log', 'empty'), '');
    await writeFile(join(dir, 'log', 'pods', 'default_web', '0.log'), 'from the pod\n');
    await symlink('../pods/default_web/0.log', join(dir, 'log', 'containers', 'web.log'));
    await symlink('pods', join(dir, 'log', 'by-pod'));
    await symlink('../secret', join(dir, 'log', 'out'));
    await symlink('/', join(dir, 'log', 'root'));
    await symlink('../logs-of-another', join(dir, 'log', 'next'));
    execFileSync('mkfifo', [join(dir, 'log', 'pipe')]);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  after(async () => {
    server.close();
    server.closeAllConnections();
    await rm(dir, { recursive: true });
  });

  /** Not `fetch`, which takes `..` out of paths by itself. */
  async function ask(path: string, method = 'GET'): Promise<{ status: number; headers: IncomingHttpHeaders; text: string }> {
    const req = request({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', method, path: `/logs${path}` });
    req.end();
    const [res] = await once(req, 'response');
    const chunks: Buffer[] = [];
    for await (const chunk of res) chunks.push(chunk as Buffer);
    return { status: res.statusCode, headers: res.headers, text: Buffer.concat(chunks).toString() };
  }

  test('are listed, with links that lead to them', async () => {
    const { status, text, headers } = await ask('/');
    assert.equal(status, 200);
    assert.equal(headers['content-type'], 'text/html; charset=utf-8');
    for (const line of ['<a href="a%3Cb%3E.log">a&lt;b&gt;.log</a>', '<a href="containers/">containers/</a>', '<a href="pods/">pods/</a>'])
      assert.ok(text.includes(`${line}\n`), text);
  });

  test('are listed with a slash where a link leads to a directory', async () => {
    assert.ok((await ask('/')).text.includes('<a href="by-pod/">by-pod/</a>\n'));
  });

  test('are read, also by the links that a runtime lays within them', async () => {
    assert.deepEqual([(await ask('/a%3Cb%3E.log')).text, (await ask('/containers/web.log')).text], ['hello\n', 'from the pod\n']);
    assert.equal((await ask('/empty')).status, 200);
    assert.equal((await ask('/binary')).headers['content-type'], 'application/octet-stream');
    const head = await ask('/a%3Cb%3E.log', 'HEAD');
    assert.deepEqual([head.status, head.headers['content-length'], head.text], [200, '6', '']);
  });

  test('send who forgets the slash of a directory to it', async () => {
    for (const [path, location] of [
      ['', 'logs/'],
      ['/pods', 'pods/'],
    ] as const) {
      const { status, headers } = await ask(path);
      assert.deepEqual([status, headers.location], [301, location]);
    }
  });

  for (const path of [
    '/none',
    '/a%3Cb%3E.log/',
    '/..%2fsecret',
    '/pods/%2e%2e/none',
    '/pods/..%2f..%2fsecret',
    '/%00',
    '/out',
    '/root/',
    '/root/etc/passwd',
    '/next/x',
    '/pipe',
  ])
    test(`are all there is: ${path} is a 404`, async () => assert.equal((await ask(path)).status, 404));

  test('cannot be written', async () => assert.equal((await ask('/a%3Cb%3E.log', 'DELETE')).status, 405));
});
