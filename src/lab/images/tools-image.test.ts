import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { Exec, ExecResult } from '../../linux/exec.ts';
import { type Apt, findProgram, type Program, parseLdd, patientlyNoting, unpackMissing } from './programs-of-debian.ts';
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

  /** A machine on which every line of apt-get fails as told, or does well, and dpkg-deb does nothing. */
  function machine(failures: (string | undefined)[]): { exec: Exec; apt: Apt; lines: string[]; notes: string[] } {
    const lines: string[] = [];
    const notes: string[] = [];
    const run = async (file: string, args: readonly string[]): Promise<ExecResult> => {
      lines.push([file, args[0]].join(' '));
      return { code: 0, stdout: '', stderr: '' };
    };
    const apt = patientlyNoting((text) => notes.push(text), {
      run(args) {
        lines.push(`apt-get ${args[0]}`);
        const target = args.find((word) => word.startsWith('Dir::Cache::archives='))?.split('=')[1];
        const stderr = failures.shift();
        if (target !== undefined && stderr === undefined) writeFileSync(join(target, 'its-package.deb'), '');
        return { isDone: stderr === undefined, stderr: stderr ?? '' };
      },
      pause: (seconds) => void lines.push(`sleep ${seconds}`),
      say: () => assert.fail('it notes instead'),
      show: () => assert.fail('it gives it instead'),
    });
    return { exec: { run }, apt, lines, notes };
  }
  const isHeld = 'E: Could not get lock /var/lib/apt/lists/lock. It is held by process 4711 (apt-get)\n';

  let dir = '';
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'tools-'));
  });
  afterEach(() => rm(dir, { recursive: true }));
  const skip = !existsSync('/usr/bin/apt-get') && 'there is no apt-get';

  test('are downloaded and unpacked, with fresh lists when the old ones do not do', { skip }, async () => {
    const { exec, apt, lines } = machine(['E: Unable to locate package its-package\n']);
    assert.deepEqual(await unpackMissing(exec, [program, program], join(dir, 'x'), apt), ['its-package']);
    assert.deepEqual(lines, ['apt-get install', 'apt-get update', 'apt-get install', 'dpkg-deb -x']);
    assert.deepEqual(await readdir(dir), ['x']);
  });

  test('wait for another apt-get at work on the lists', { skip }, async () => {
    const { exec, apt, lines, notes } = machine([isHeld, undefined]);
    await unpackMissing(exec, [program], join(dir, 'x'), apt);
    assert.deepEqual(lines, ['apt-get install', 'sleep 2', 'apt-get install', 'dpkg-deb -x']);
    assert.deepEqual(notes, ['Waiting for process 4711 (apt-get), which holds /var/lib/apt/lists/lock (300 s at most)']);
  });

  test('name what apt-get says, or who holds its lists for too long', { skip }, async () => {
    const lost = machine(['', 'E: Failed to fetch a\nE: Some index files failed\n']);
    await assert.rejects(unpackMissing(lost.exec, [program], join(dir, 'x'), lost.apt), {
      code: 'COMMAND_FAILED',
      message: 'Cannot run "apt-get update": E: Failed to fetch a; E: Some index files failed',
    });
    const held = machine(Array.from({ length: 1000 }, () => isHeld));
    await assert.rejects(unpackMissing(held.exec, [program], join(dir, 'x'), held.apt), {
      code: 'COMMAND_FAILED',
      message: /process 4711 \(apt-get\) has held .* for 300 s$/,
      hint: /ps -fp 4711/,
    });
    assert.deepEqual(await readdir(dir), [], 'nothing is left');
  });

  test('that were unpacked before are not downloaded again', async () => {
    const { exec, apt, lines } = machine([]);
    await mkdir(join(dir, 'x/usr/bin'), { recursive: true });
    await writeFile(join(dir, 'x/usr/bin/no-such-program'), '', { mode: 0o755 });
    assert.deepEqual(await unpackMissing(exec, [program], join(dir, 'x'), apt), []);
    assert.deepEqual(lines, []);
    assert.equal(await findProgram(program, join(dir, 'x')), join(dir, 'x/usr/bin/no-such-program'));
  });

  test('are named, with what installs them, where nothing may be downloaded', async () => {
    const before = process.env.FAIRLEAD_NO_INSTALL;
    process.env.FAIRLEAD_NO_INSTALL = '1';
    try {
      const { exec, apt, lines } = machine([]);
      await assert.rejects(unpackMissing(exec, [program], join(dir, 'x'), apt), {
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
