/** The maintainer's scripts, by dpkg itself in a root of its own: what an upgrade, a removal and a purge leave. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, globSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { file, type TarEntry } from '../lab/images/tar.ts';
import { mustRun, start, systemExec } from '../linux/exec.ts';
import { debianOf } from './build.ts';

const root = mkdtempSync(join(tmpdir(), 'dpkg-'));
after(() => rmSync(root, { recursive: true, force: true }));
const skip = (await systemExec.run('dpkg', ['--version']).catch(() => undefined)) ? false : 'needs dpkg';

function put(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

async function dpkg(...args: readonly string[]): Promise<void> {
  const here = [`--root=${root}`, '--force-script-chrootless', '--force-not-root', '--force-depends', `--log=${root}/dpkg.log`];
  await mustRun(systemExec, 'dpkg', [...here, ...args], { env: { PATH: `${process.env.PATH}:/usr/sbin:/sbin` } });
}

/** A release whose modules have this sum. */
async function install(version: string, id: string): Promise<void> {
  const entries: TarEntry[] = [file(`lib/${id}/early.js`, id), file(`lib/${id}/late.js`, id), file('package.json', version)];
  put('x.deb', '');
  writeFileSync(join(root, 'x.deb'), debianOf({ arch: process.arch as 'x64', version, seconds: 0 }, entries, id));
  await dpkg('--install', join(root, 'x.deb'));
  rmSync(join(root, 'x.deb'));
}

const modules = (): string[] => globSync('opt/fairlead/lib/{*,.*}/*', { cwd: root }).toSorted();
const of = (...ids: readonly string[]): string[] =>
  ids.flatMap((id) => [`opt/fairlead/lib/${id}/early.js`, `opt/fairlead/lib/${id}/late.js`]);

test('an upgrade leaves modules that a process runs from, and a purge nothing', { skip }, async () => {
  put('var/lib/dpkg/status', '');
  await install('1.0', 'aaaaaaaaaaaa');
  assert.deepEqual(modules(), of('aaaaaaaaaaaa'));
  assert.ok(!existsSync(join(root, 'etc/systemd')), 'nothing is enabled');

  // Known by its command line, as Node.js is.
  const running = start('sh', ['-c', 'read -r line', join(root, 'opt/fairlead/lib/aaaaaaaaaaaa/fairlead.js')], {
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  const ended = new Promise((resolve) => running.on('exit', resolve));
  try {
    await install('1.1', 'bbbbbbbbbbbb');
    assert.deepEqual(modules(), of('aaaaaaaaaaaa', 'bbbbbbbbbbbb'));
    await install('1.2', 'cccccccccccc');
    assert.deepEqual(modules(), of('aaaaaaaaaaaa', 'cccccccccccc'), 'those of the release between run nowhere');
    await install('1.2', 'cccccccccccc');
    assert.deepEqual(modules(), of('aaaaaaaaaaaa', 'cccccccccccc'), 'the same release again');
  } finally {
    running.stdin?.end();
    await ended;
  }
  await install('1.3', 'dddddddddddd');
  assert.deepEqual(modules(), of('dddddddddddd'));

  put('etc/fairlead/agent.env', 'FAIRLEAD_NODE_IP=192.0.2.1\n');
  put('var/lib/fairlead/server/state.db', '');
  const enabled = 'etc/systemd/system/multi-user.target.wants/fairlead-agent.service';
  put(enabled, '');
  put('var/cache/fairlead/compile/x', '');
  put('etc/sysctl.d/99-fairlead.conf', '');
  put('etc/modules-load.d/fairlead.conf', '');
  put('opt/cni/bin/fairlead', '#!/bin/sh\n# Written by the Fairlead agent.\n');
  put('opt/cni/bin/loopback', 'of another plugin');
  await dpkg('--remove', 'fairlead');
  assert.ok(existsSync(join(root, 'etc/fairlead/agent.env')), 'a removal leaves settings and state');
  assert.ok(existsSync(join(root, enabled)), 'and what is enabled');
  assert.ok(!existsSync(join(root, 'opt/fairlead')));
  await dpkg('--purge', 'fairlead');
  const left = globSync('**/*', { cwd: root, withFileTypes: true }).filter(
    (entry) => !entry.isDirectory() && !entry.parentPath.includes('/var/lib/dpkg'),
  );
  assert.deepEqual(left.map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1)).toSorted(), [
    'dpkg.log',
    'opt/cni/bin/loopback',
  ]);
});

const canUnshare = (await systemExec.run('unshare', ['--mount', 'true']).catch(() => undefined))?.code === 0;

test('a removal ends the units, and leaves them enabled', { skip: canUnshare ? false : 'needs root' }, async () => {
  put('bin/systemctl', '#!/bin/sh\necho "$@"\n');
  chmodSync(join(root, 'bin/systemctl'), 0o755);
  // As on a machine that systemd runs, for this one command alone.
  const booted = 'mount -t tmpfs none /run && mkdir -p /run/systemd/system && PATH="$1:$PATH" sh "$2" remove';
  const prerm = join(import.meta.dirname, 'debian/prerm');
  const said = await mustRun(systemExec, 'unshare', [
    '--mount',
    '--propagation=private',
    'sh',
    '-ec',
    booted,
    'sh',
    join(root, 'bin'),
    prerm,
  ]);
  assert.equal(said, '--quiet stop fairlead-agent.service fairlead-server.service\n');
});
