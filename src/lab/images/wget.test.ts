import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type ExecResult, systemExec } from '../../linux/exec.ts';
import { hideWget, wgetScript } from './wget.ts';

const missing = await systemExec.run('busybox', ['timeout', '1', 'true']).then(
  ({ code }) => code !== 0 && 'busybox has no timeout',
  () => 'busybox is not installed',
);

describe('wget of the box', { skip: missing }, () => {
  let dir = '';
  let server: Server;
  let url = '';
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'wget-'));
    const { busybox, applet } = hideWget(await readFile((await systemExec.run('sh', ['-c', 'command -v busybox'])).stdout.trim()));
    assert.notEqual(applet, 'wget', 'its table of names was found');
    await writeFile(join(dir, 'busybox'), busybox, { mode: 0o755 });
    await writeFile(join(dir, 'wget'), wgetScript(applet), { mode: 0o755 });
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

  const sh = (...args: string[]): Promise<ExecResult> =>
    systemExec.run(join(dir, 'busybox'), ['sh', ...args], { timeoutMs: 60_000, env: { PATH: `${dir}:/usr/bin:/bin` } });
  const wget = (...args: string[]): Promise<ExecResult> => sh(join(dir, 'wget'), ...args);

  test('is what a shell in the box means by wget', async () => {
    for (const line of ['wget -T 9 -qO- "$0"', 'exec wget --timeout=9 -qO- "$0"', 'wget -qO- -T9 "$0" | cat'])
      assert.deepEqual(await sh('-c', line, `${url}/`), { code: 0, stdout: 'page', stderr: '' }, line);
  });

  test('hides one applet, and none in a file that is not understood', () => {
    const names = (...all: string[]): Buffer => Buffer.from(`\0${all.join('\0')}\0`);
    assert.deepEqual(hideWget(names('wc', 'wget', 'which')), { busybox: names('wc', 'wgeT', 'which'), applet: 'wgeT' });
    for (const odd of [names('wc'), names('wget', 'x', 'wget')]) assert.deepEqual(hideWget(odd), { busybox: odd, applet: 'wget' });
  });

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
