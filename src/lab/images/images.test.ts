import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { promisify } from 'node:util';
import { boxImage, pauseImage } from './lab-images.ts';
import { ociArchive } from './oci-image.ts';
import { pauseProgram, tcpEchoProgram, udpEchoProgram } from './programs.ts';
import { tarOf } from './tar.ts';
import { assemble, call } from './tiny-program.ts';

const run = promisify(execFile);

suite('assemble()', () => {
  // Words checked by hand against the Arm ARM and by disassembly.
  test('encodes arm64 as the manual says', () => {
    const image = assemble(
      { code: [call('rt_sigtimedwait', { address: 'm' }, 0, -1, { kept: 1 })], data: { m: Uint8Array.of(1) }, space: {} },
      'arm64',
    );
    const words = new Uint32Array(image.buffer.slice(120, 144));
    assert.deepEqual(
      [...words].map((w) => w.toString(16)),
      ['100000c0', 'd2800001', '92800002', 'aa1403e3', 'd2801128', 'd4000001'],
    );
  });

  test('encodes x86-64 as the manual says', () => {
    const image = assemble({ code: [call('wait4', -1, { kept: 0 }, 1, 0)], data: {}, space: {} }, 'amd64');
    assert.equal(Buffer.from(image.subarray(120, 150)).toString('hex'), '48c7c7ffffffff4889de48c7c20100000049c7c200000000b83d0000000f');
  });

  test('names a label that is not there', () => {
    assert.throws(() => assemble({ code: [call('close', { address: 'x' })], data: {}, space: {} }, 'amd64'), /no label "x"/);
  });
});

suite('the tiny programs', { skip: process.arch !== 'x64' && process.arch !== 'arm64' }, () => {
  const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';

  test('pause ends with 0 on SIGTERM', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'pause-'));
    const file = join(dir, 'pause');
    await writeFile(file, assemble(pauseProgram, architecture), { mode: 0o755 });
    const child = spawn(file);
    const ended = new Promise((resolve) => child.on('exit', (code, signal) => resolve([code, signal])));
    await new Promise((resolve) => child.on('spawn', resolve));
    // Asleep in its own wait: sent any earlier, SIGTERM would simply end it.
    const waits = async (): Promise<boolean> => /Name:\tpause\n[\s\S]*State:\tS/.test(await readFile(`/proc/${child.pid}/status`, 'utf8'));
    const deadline = performance.now() + 30_000;
    while (!(await waits()) && performance.now() < deadline) await new Promise((resolve) => setImmediate(resolve));
    child.kill('SIGTERM');
    assert.deepEqual(await ended, [0, null]);
    await rm(dir, { recursive: true });
  });

  test('every program is less than a kilobyte on both processors', () => {
    for (const cpu of ['amd64', 'arm64'] as const)
      for (const program of [pauseProgram, udpEchoProgram(7), tcpEchoProgram(7)]) assert.ok(assemble(program, cpu).length < 1024);
  });
});

suite('images', () => {
  test('tar reads what tarOf() wrote', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'tar-'));
    const archive = tarOf([
      { path: 'bin', kind: 'directory', mode: 0o755 },
      { path: 'bin/tool', kind: 'file', mode: 0o755, content: Buffer.from('x'.repeat(513)) },
      { path: 'bin/other', kind: 'symlink', mode: 0o777, target: 'tool' },
    ]);
    await writeFile(join(dir, 'a.tar'), archive);
    const { stdout } = await run('tar', ['-tvf', join(dir, 'a.tar')]);
    assert.match(stdout, /drwxr-xr-x .* bin\/\n-rwxr-xr-x .* 513 .* bin\/tool\nlrwxrwxrwx .* bin\/other -> tool\n/);
    await rm(dir, { recursive: true });
  });

  test('the same content gives the same bytes, so that a prepared store is found again', () => {
    const build = (): Uint8Array => ociArchive(boxImage('amd64', Buffer.from('busybox'), ['sh', 'httpd', 'bad/name']));
    assert.deepEqual(build(), build());
    assert.notDeepEqual(ociArchive(pauseImage('amd64')), ociArchive(pauseImage('arm64')));
  });
});
