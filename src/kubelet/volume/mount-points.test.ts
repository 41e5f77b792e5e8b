import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bindsOf, parseMountInfo } from './mount-points.ts';

const text = `22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 8:2 / /mnt rw - xfs /dev/sdb rw
31 30 8:3 /sub /mnt/disk rw - ext4 /dev/sdc rw
40 22 8:3 /sub /pods/a rw - ext4 /dev/sdc rw
41 22 8:2 /data /pods/b\\040b rw - xfs /dev/sdb rw
42 22 8:1 /srv/data /pods/c rw - ext4 /dev/sda1 rw
43 22 8:2 /data/deeper /pods/d rw - xfs /dev/sdb rw
`;

test('parseMountInfo() reads file systems, what of them is mounted, and where', () => {
  const mounts = parseMountInfo(text);
  assert.equal(mounts.length, 7);
  assert.deepEqual(mounts[2], { device: '8:3', root: '/sub', path: '/mnt/disk' });
  assert.equal(mounts[4]?.path, '/pods/b b');
});

test('bindsOf() finds the other places where a directory lies', () => {
  const found = (path: string): string[] => bindsOf(path, parseMountInfo(text)).map((mount) => mount.path);
  assert.deepEqual(found('/mnt/disk'), ['/pods/a'], 'a mount itself');
  assert.deepEqual(found('/mnt/data'), ['/pods/b b'], 'below a mount');
  assert.deepEqual(found('/srv/data'), ['/pods/c'], 'of the root');
  assert.deepEqual(found('/mnt/other'), []);
  assert.deepEqual(bindsOf('/x', []), []);
});

test('bindsOf() goes by what was mounted last at a place', () => {
  const over = `${text}50 30 8:9 / /mnt/disk rw - ext4 /dev/sdd rw\n51 22 8:9 / /pods/e rw - ext4 /dev/sdd rw\n`;
  assert.deepEqual(
    bindsOf('/mnt/disk', parseMountInfo(over)).map(({ path }) => path),
    ['/pods/e'],
  );
});
