import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mountsBelow } from './reset.ts';

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
