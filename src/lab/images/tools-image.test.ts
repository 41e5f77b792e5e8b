import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { parseLdd } from './programs-of-debian.ts';
import { placeOfLibrary, toolsImage } from './tools-image.ts';

suite('parseLdd()', () => {
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

suite('the place of a library in the image', () => {
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
  assert.deepEqual(
    paths.filter((path) => /^bin\/|^usr\/bin\//.test(path)),
    ['bin/busybox', 'bin/sh', 'usr/bin/wget', 'usr/bin/nc'],
  );
});
