import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { type ExecResult, systemExec } from '../../linux/exec.ts';
import { wgetScript } from './wget.ts';

const missing = await systemExec.run('busybox', ['timeout', '1', 'true']).then(
  ({ code }) => code !== 0 && 'busybox has no timeout',
  () => 'busybox is not installed',
);

suite('wget of the box', { skip: missing }, () => {
  let dir = '';
  let server: Server;
  let url = '';
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'wget-'));
    await writeFile(join(dir, 'wget'), wgetScript);
    // It answers "/" and keeps everything else waiting.
    server = createServer((request, response) => {
      if (request.url === '/') response.end('page');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(async () => {
    server.closeAllConnections();
    server.close();
    await rm(dir, { recursive: true });
  });

  const wget = (...args: string[]): Promise<ExecResult> =>
    systemExec.run('busybox', ['sh', join(dir, 'wget'), ...args], { timeoutMs: 60_000 });

  const spellings = [['-T', '9'], ['-T9'], ['--timeout=9'], ['--timeout', '9'], ['-T', '0'], ['-t', '1', '-T', '9'], ['--tries=1'], []];
  for (const words of spellings)
    test(`fetches with ${words.join(' ') || 'no limit'}, before and behind the address`, async () => {
      for (const line of [
        ['-qO-', ...words, `${url}/`],
        [...words, '-q', '-O', '-', `${url}/`],
        [`${url}/`, '-qO-', ...words],
      ])
        assert.deepEqual(await wget(...line), { code: 0, stdout: 'page', stderr: '' }, line.join(' '));
    });

  for (const words of [['-qT', '1'], ['-qT1'], ['-q', '-T', '1'], ['-q', '--timeout=1']])
    test(`gives up with ${words.join(' ')}`, async () => {
      const { code, stdout, stderr } = await wget(...words, '-O-', `${url}/never`);
      assert.deepEqual([code, stdout], [1, '']);
      assert.match(stderr, /^wget: download timed out\n$/m);
    });

  test('leaves alone what only looks like a limit', async () => {
    assert.equal((await wget('-T', '9', '--header', 'X: -T 1', '-q', '-O', join(dir, '-T7'), `${url}/`)).code, 0);
    assert.match((await wget('-T', 'x', `${url}/`)).stderr, /invalid number 'x'/);
  });
});
