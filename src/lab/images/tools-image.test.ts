import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { Exec, ExecResult } from '../../linux/exec.ts';
import { findProgram, type Program, parseLdd, unpackMissing } from './programs-of-debian.ts';
import { placeOfLibrary, toolsImage } from './tools-image.ts';

describe('parseLdd()', () => {
  test('finds libraries and the loader, and not what the kernel brings', () => {
    const text = `\tlinux-vdso.so.1 (0x00007ffc0)
\tlibcurl.so.4 => /lib/x86_64-linux-gnu/libcurl.so.4 (0x00007f1)
\tlibprivate.so => /usr/lib/a/b/libprivate.so (0x00007f2)
\t/lib64/ld-linux-x86-64.so.2 (0x00007f3)
`;
    assert.deepEqual(parseLdd(text), ['/lib/x86_64-linux-gnu/libcurl.so.4', '/usr/lib/a/b/libprivate.so', '/lib64/ld-linux-x86-64.so.2']);
  });

  test('finds none in a static program, and names one that is missing', () => {
    assert.deepEqual(parseLdd('\tstatically linked\n'), []);
    assert.throws(() => parseLdd('\tlibx.so.1 => not found\n'), /libx\.so\.1 => not found/);
  });
});

describe('the place of a library in the image', () => {
  for (const [path, want] of [
    ['/lib/x86_64-linux-gnu/libc.so.6', 'usr/lib/x86_64-linux-gnu/libc.so.6'],
    ['/usr/lib/x86_64-linux-gnu/libz.so.1', 'usr/lib/x86_64-linux-gnu/libz.so.1'],
    ['/lib64/ld-linux-x86-64.so.2', 'usr/lib64/ld-linux-x86-64.so.2'],
    ['/cache/tools/usr/lib/x86_64-linux-gnu/libpcap.so.0.8', 'usr/lib/x86_64-linux-gnu/libpcap.so.0.8'],
    ['/usr/local/lib/libmine.so', 'usr/lib/libmine.so'],
  ] as const)
    test(`of ${path}`, () => assert.equal(placeOfLibrary(path, '/cache/tools'), want));
});

test('the tools image has each path once, directories before what is in them, and no applet in place of a program', () => {
  const bytes = Buffer.from('x');
  const { rootfs } = toolsImage('amd64', {
    busybox: bytes,
    applets: ['sh', 'wget', 'nc'],
    programs: new Map([
      ['wget', bytes],
      ['nc', bytes],
    ]),
    libraries: new Map([['usr/lib64/ld.so', bytes]]),
    authorities: bytes,
  });
  const paths = rootfs.map((entry) => entry.path);
  assert.equal(new Set(paths).size, paths.length);
  for (const [i, path] of paths.entries()) {
    const dir = path.split('/').slice(0, -1).join('/');
    assert.ok(dir === '' || paths.indexOf(dir) < i, `${dir} comes before ${path}`);
  }
  const shell = rootfs.find((entry) => entry.path === 'bin/sh');
  assert.equal(shell?.kind === 'symlink' && shell.target, '../usr/bin/bash', "busybox's shell prefers its own programs");
  assert.deepEqual(
    paths.filter((path) => /^bin\/|^usr\/bin\//.test(path)),
    ['bin/busybox', 'bin/sh', 'bin/bash', 'usr/bin/wget', 'usr/bin/nc'],
  );
});

describe('programs that are not installed', () => {
  const program: Program = { name: 'no-such-program', package: 'its-package' };

  /** A machine on which every line of apt-get does as told, and dpkg-deb does nothing. */
  function machine(codes: number[]): { exec: Exec; lines: string[] } {
    const lines: string[] = [];
    const run = async (file: string, args: readonly string[]): Promise<ExecResult> => {
      lines.push([file, args[0]].join(' '));
      const target = args.find((word) => word.startsWith('Dir::Cache::archives='))?.split('=')[1];
      const code = file === 'apt-get' ? (codes.shift() ?? 0) : 0;
      if (target !== undefined && code === 0) await writeFile(join(target, 'its-package.deb'), '');
      return { code, stdout: '', stderr: 'no' };
    };
    return { exec: { run }, lines };
  }

  let dir = '';
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'tools-'));
  });
  afterEach(() => rm(dir, { recursive: true }));
  const skip = !existsSync('/usr/bin/apt-get') && 'there is no apt-get';

  test('are downloaded and unpacked, with fresh lists when the old ones do not do', { skip }, async () => {
    const { exec, lines } = machine([100, 0, 0]);
    assert.deepEqual(await unpackMissing(exec, [program, program], join(dir, 'x')), ['its-package']);
    assert.deepEqual(lines, ['apt-get install', 'apt-get update', 'apt-get install', 'dpkg-deb -x']);
    assert.deepEqual(await readdir(dir), ['x']);
  });

  test('that were unpacked before are not downloaded again', async () => {
    const { exec, lines } = machine([]);
    await mkdir(join(dir, 'x/usr/bin'), { recursive: true });
    await writeFile(join(dir, 'x/usr/bin/no-such-program'), '', { mode: 0o755 });
    assert.deepEqual(await unpackMissing(exec, [program], join(dir, 'x')), []);
    assert.deepEqual(lines, []);
    assert.equal(await findProgram(program, join(dir, 'x')), join(dir, 'x/usr/bin/no-such-program'));
  });

  test('are named, with what installs them, where nothing may be downloaded', async () => {
    const before = process.env.FAIRLEAD_NO_INSTALL;
    process.env.FAIRLEAD_NO_INSTALL = '1';
    try {
      const { exec, lines } = machine([]);
      await assert.rejects(unpackMissing(exec, [program], join(dir, 'x')), {
        code: 'TOOL_MISSING',
        hint: /apt-get install .* its-package$/,
      });
      assert.deepEqual(lines, []);
    } finally {
      if (before === undefined) delete process.env.FAIRLEAD_NO_INSTALL;
      else process.env.FAIRLEAD_NO_INSTALL = before;
    }
  });
});
