import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Exec } from '../../linux/exec.ts';
import { mountsBelow, removeUnfinished, runtimeFlags, unmountBelow } from './reset.ts';

const mountinfo = `22 1 254:0 / / rw,relatime - ext4 /dev/root rw
40 22 254:0 /x /var/lib/kubelet rw - ext4 /dev/root rw
41 40 0:50 / /var/lib/kubelet/pods/a/volumes/token rw - tmpfs tmpfs rw
42 41 0:51 / /var/lib/kubelet/pods/a/volumes/token/sub\\040path\\134x rw - tmpfs tmpfs rw
43 22 0:52 / /var/lib/kubelet-of-others rw - tmpfs tmpfs rw
`;

test('mountsBelow() gives the mounts below a directory, the deepest first, by their names', () => {
  assert.deepEqual(mountsBelow(mountinfo, '/var/lib/kubelet'), [
    '/var/lib/kubelet/pods/a/volumes/token/sub path\\x',
    '/var/lib/kubelet/pods/a/volumes/token',
  ]);
});

test('mountsBelow() gives none where nothing is mounted', () => assert.deepEqual(mountsBelow('', '/var/lib/kubelet'), []));

/** A machine on which umount does what it says, but for the paths that are busy. */
function machine(busy: readonly string[]): { readonly exec: Exec; readonly read: () => Promise<string> } {
  let lines = mountinfo.split('\n');
  const exec: Exec = {
    run: async (_file, [, path = '']) => {
      if (busy.includes(path)) return { code: 32, stdout: '', stderr: `umount: ${path}: no permission\n` };
      const at = lines.findIndex((line) => mountsBelow(line, '/var/lib/kubelet')[0] === path);
      lines = lines.toSpliced(at, 1);
      return { code: 0, stdout: '', stderr: '' };
    },
  };
  return { exec, read: async () => lines.join('\n') };
}

test('unmountBelow() unmounts all of them, and says whether there were any', async () => {
  const { exec, read } = machine([]);
  assert.equal(await unmountBelow(exec, '/var/lib/kubelet', read), true);
  assert.equal(await unmountBelow(exec, '/var/lib/kubelet', read), false);
  assert.match(await read(), /kubelet-of-others/);
});

test('unmountBelow() ends before files are removed where a volume stays mounted', async () => {
  const { exec, read } = machine(['/var/lib/kubelet/pods/a/volumes/token']);
  await assert.rejects(unmountBelow(exec, '/var/lib/kubelet', read), {
    code: 'COMMAND_FAILED',
    message: /"\/var\/lib\/kubelet\/pods\/a\/volumes\/token" is mounted there: umount: .*no permission/,
    hint: /umount .* && fairlead reset/,
  });
});

test('runtimeFlags() go by the agent, unless somebody names another runtime', () => {
  const agent = { FAIRLEAD_RUNTIME_ENDPOINT: 'unix:///run/crio/crio.sock', FAIRLEAD_CNI_BIN_DIR: '/usr/libexec/cni' };
  assert.deepEqual(runtimeFlags(agent, undefined), {
    endpoint: 'unix:///run/crio/crio.sock',
    cniBinDir: '/usr/libexec/cni',
    cniConfDir: '/etc/cni/net.d',
  });
  assert.equal(runtimeFlags(agent, 'unix:///x.sock').endpoint, 'unix:///x.sock');
  assert.equal(runtimeFlags({}, undefined).endpoint, 'unix:///run/containerd/containerd.sock');
});

test('removeUnfinished() takes what a killed writer of a file has left, and nothing else', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'fl-reset-'));
  try {
    const others = ['server.env', 'server.env.new', 'server.env.68fce237b2e3311f', 'x.server.env.68fce237b2e3311f.new'];
    for (const name of [...others, 'server.env.68fce237b2e3311f.new']) await writeFile(join(dir, name), '');
    await removeUnfinished(join(dir, 'server.env'));
    assert.deepEqual((await readdir(dir)).toSorted(), others.toSorted());
    await removeUnfinished(join(dir, 'nowhere', 'server.env'));
  } finally {
    await rm(dir, { recursive: true });
  }
});
