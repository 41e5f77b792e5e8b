import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { file, symlink } from '../lab/images/tar.ts';
import { mustRun, systemExec } from '../linux/exec.ts';
import { debOf, installedSize } from './deb.ts';

const deb = {
  entries: [file('opt/x/run', 'odd', 0o755), file('opt/x/data', 'text'), symlink('usr/bin/x', '/opt/x/run')],
  control: {
    control: 'Package: x\nVersion: 1\nArchitecture: all\nMaintainer: Ann <ann@example.com>\nDescription: a thing\n',
    postinst: '#!/bin/sh\n',
  },
  seconds: 1_000_000_000,
};
const hasDpkg = (await systemExec.run('dpkg-deb', ['--version']).catch(() => undefined)) !== undefined;

describe('debOf()', { skip: hasDpkg ? false : 'no dpkg-deb here' }, () => {
  test('makes what dpkg-deb reads: control, folders before what is in them, modes, owners, times, links', async () => {
    using dir = temporary();
    const path = join(dir.path, 'x.deb');
    writeFileSync(path, debOf(deb));
    assert.equal(await mustRun(systemExec, 'dpkg-deb', ['--field', path, 'Package', 'Version']), 'Package: x\nVersion: 1\n');
    const listed = await mustRun(systemExec, 'dpkg-deb', ['--contents', path], { env: { TZ: 'UTC' } });
    assert.deepEqual(
      listed
        .trimEnd()
        .split('\n')
        .map((line) => line.replace(/ +/g, ' ')),
      [
        'drwxr-xr-x 0/0 0 2001-09-09 01:46 ./',
        'drwxr-xr-x 0/0 0 2001-09-09 01:46 ./opt/',
        'drwxr-xr-x 0/0 0 2001-09-09 01:46 ./opt/x/',
        '-rw-r--r-- 0/0 4 2001-09-09 01:46 ./opt/x/data',
        '-rwxr-xr-x 0/0 3 2001-09-09 01:46 ./opt/x/run',
        'drwxr-xr-x 0/0 0 2001-09-09 01:46 ./usr/',
        'drwxr-xr-x 0/0 0 2001-09-09 01:46 ./usr/bin/',
        'lrwxrwxrwx 0/0 0 2001-09-09 01:46 ./usr/bin/x -> /opt/x/run',
      ],
    );
    await mustRun(systemExec, 'dpkg-deb', ['--raw-extract', path, join(dir.path, 'x')]);
    const sums = await mustRun(systemExec, 'md5sum', ['-c', 'DEBIAN/md5sums'], { cwd: join(dir.path, 'x') });
    assert.equal(sums, 'opt/x/run: OK\nopt/x/data: OK\n');
    assert.equal(statSync(join(dir.path, 'x/DEBIAN/postinst')).mode & 0o777, 0o755);
    assert.equal(statSync(join(dir.path, 'x/DEBIAN/control')).mode & 0o777, 0o644);
    assert.equal(readFileSync(join(dir.path, 'x/opt/x/run'), 'utf8'), 'odd');
  });
});

test('debOf() gives the same bytes for the same contents', () => assert.deepEqual(debOf(deb), debOf(deb)));

test('installedSize() counts each file in whole KiB', () => {
  assert.equal(installedSize([file('a', 'x'), file('b', 'x'.repeat(1025)), symlink('c', 'a'), file('d', '')]), 3);
});

function temporary(): { readonly path: string; [Symbol.dispose](): void } {
  const path = mkdtempSync(join(tmpdir(), 'deb-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}
