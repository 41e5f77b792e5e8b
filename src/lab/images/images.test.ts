import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setImmediate as immediate } from 'node:timers/promises';
import { promisify } from 'node:util';
import { architecture } from './image-store.ts';
import { boxImage, pauseImage, waiting } from './lab-images.ts';
import { ociArchive } from './oci-image.ts';
import { tarOf } from './tar.ts';
import { udpEcho } from './udp-echo.ts';

const run = promisify(execFile);
const asRoot = process.getuid?.() === 0 ? {} : { skip: 'needs root' };

let dir = '';
before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'images-'));
});
after(() => rm(dir, { recursive: true }));

describe('what the images run', () => {
  async function childrenOf(pid: number): Promise<number[]> {
    const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
    return children.split(' ').filter(Boolean).map(Number);
  }

  test('pause ends with 0 on SIGTERM', async () => {
    const child = spawn('busybox', ['sh', '-c', waiting], { stdio: 'ignore' });
    const ended = new Promise((resolve) => child.on('exit', (code, signal) => resolve([code, signal])));
    await new Promise((resolve) => child.on('spawn', resolve));
    // The trap is set before the child that it waits for is there.
    while ((await childrenOf(child.pid!)).length === 0) await immediate();
    const [sleep] = await childrenOf(child.pid!);
    child.kill('SIGTERM');
    assert.deepEqual(await ended, [0, null]);
    // In a container it ends with PID 1.
    process.kill(sleep!);
  });

  test('pause reaps what is left to it', asRoot, async () => {
    // The orphan ends when its standard input does, and is gone only when PID 1 has read how it ended.
    const script = `(sh -c 'read line; echo done' <&3 &) 3<&0; ${waiting}`;
    const child = spawn('unshare', ['--pid', '--fork', '--kill-child', '--mount-proc', 'busybox', 'sh', '-c', script], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    try {
      await new Promise((resolve) => child.on('spawn', resolve));
      while ((await childrenOf(child.pid!)).length === 0) await immediate();
      const [first] = await childrenOf(child.pid!);
      while ((await childrenOf(first!)).length < 2) await immediate();
      child.stdin!.end('\n');
      while ((await childrenOf(first!)).length > 1) await immediate();
    } finally {
      child.kill('SIGKILL');
    }
  });

  test('datagrams come back, also to several who ask', asRoot, async () => {
    await writeFile(join(dir, 'udp-echo'), udpEcho(architecture()), { mode: 0o755 });
    await writeFile(
      join(dir, 'ask.mjs'),
      `import { createSocket } from 'node:dgram';
       const answers = ['one', 'two', 'x'.repeat(1400)].map((text) => new Promise((resolve) => {
         const socket = createSocket('udp4');
         const ask = () => socket.send(text, 7, '127.0.0.1');
         const again = setInterval(ask, 100);
         socket.on('message', (message) => (clearInterval(again), socket.close(), resolve(message.toString() === text)));
         socket.on('error', () => {});
         ask();
       }));
       console.log((await Promise.all(answers)).join());`,
    );
    const script = `ip link set lo up; ${dir}/udp-echo & "$0" ${dir}/ask.mjs; kill $!`;
    const { stdout } = await run('unshare', ['--net', 'sh', '-c', script, process.execPath]);
    assert.equal(stdout, 'true,true,true\n');
  });
});

describe('images', () => {
  test('tar reads what tarOf() wrote', async () => {
    const archive = tarOf([
      { path: 'bin', kind: 'directory', mode: 0o755 },
      { path: 'bin/tool', kind: 'file', mode: 0o755, content: Buffer.from('x'.repeat(513)) },
      { path: 'bin/other', kind: 'symlink', mode: 0o777, target: 'tool' },
    ]);
    await writeFile(join(dir, 'a.tar'), archive);
    const { stdout } = await run('tar', ['-tvf', join(dir, 'a.tar')]);
    assert.match(stdout, /drwxr-xr-x .* bin\/\n-rwxr-xr-x .* 513 .* bin\/tool\nlrwxrwxrwx .* bin\/other -> tool\n/);
  });

  const box = (cpu: 'amd64' | 'arm64') => boxImage(cpu, Buffer.from('busybox'), ['sh', 'httpd', 'bad/name']);

  test('the same content gives the same bytes, so that a prepared store is found again', () => {
    assert.deepEqual(ociArchive(box('amd64')), ociArchive(box('amd64')));
    assert.notDeepEqual(ociArchive(box('amd64')), ociArchive(box('arm64')));
  });

  test('the box has what its script runs, and each may be run', async () => {
    await writeFile(join(dir, 'box.tar'), tarOf(box('amd64').rootfs));
    const { stdout } = await run('tar', ['-tvf', join(dir, 'box.tar')]);
    const listed = stdout.split('\n').map((line) => line.replace(/ +\d+ +\d{4}-.* \d\d:\d\d /, ' ').replace(/ \S+\/\S+ /, ' '));
    for (const line of [
      '-rwxr-xr-x bin/busybox',
      'lrwxrwxrwx bin/httpd -> busybox',
      '-rwxr-xr-x bin/box',
      '-rwxr-xr-x bin/wget',
      '-rwxr-xr-x bin/udp-echo',
      '-rwxr-xr-x www/cgi-bin/index.cgi',
      '-rwxr-xr-x www/cgi-bin/client',
      'drwxrwxrwt tmp/',
      'drwx------ root/',
      '-rw-r--r-- etc/passwd',
    ])
      assert.ok(listed.includes(line), `${line} is not in ${stdout}`);
    assert.deepEqual(box('amd64').command, ['/bin/box']);
  });

  test('an archive leads from its index by digests to the layer and the command', async () => {
    await writeFile(join(dir, 'oci.tar'), ociArchive(box('arm64')));
    const read = async (path: string): Promise<Buffer> =>
      (await run('tar', ['-xOf', join(dir, 'oci.tar'), path], { encoding: 'buffer', maxBuffer: 1 << 24 })).stdout;
    const blob = async ({ digest, size }: { digest: string; size: number }): Promise<Buffer> => {
      const bytes = await read(`blobs/${digest.replace(':', '/')}`);
      assert.equal(`sha256:${createHash('sha256').update(bytes).digest('hex')}`, digest);
      assert.equal(bytes.length, size);
      return bytes;
    };
    const parse = (bytes: Buffer) => JSON.parse(bytes.toString());
    assert.deepEqual(parse(await read('oci-layout')), { imageLayoutVersion: '1.0.0' });
    const [entry] = parse(await read('index.json')).manifests;
    const manifest = parse(await blob(entry));
    const config = parse(await blob(manifest.config));
    assert.deepEqual([config.architecture, config.os, config.config.Cmd], ['arm64', 'linux', ['/bin/box']]);
    assert.deepEqual(config.rootfs, { type: 'layers', diff_ids: [manifest.layers[0].digest] });
    assert.deepEqual(await blob(manifest.layers[0]), Buffer.from(tarOf(box('arm64').rootfs)));
  });

  test('the UDP echo is a static program for either processor, as it was tried', () => {
    const digestOf = (cpu: 'amd64' | 'arm64'): string => createHash('sha256').update(udpEcho(cpu)).digest('hex').slice(0, 16);
    assert.deepEqual([digestOf('amd64'), digestOf('arm64')], ['9e3945fb6a7b13fe', '5bc5108293910533']);
  });

  test('pause is the box under another name and with another command', () => {
    const pause = pauseImage(box('amd64'));
    assert.deepEqual(pause.rootfs, box('amd64').rootfs);
    assert.equal(pause.reference, 'fairlead.local/pause:1');
    assert.deepEqual(pause.command, ['/bin/sh', '-c', waiting]);
  });
});
