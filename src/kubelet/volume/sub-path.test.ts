import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readlinkSync, realpathSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { handlePath, openInside } from '../../linux/open-inside.ts';
import { placeOf } from './sub-path.ts';

describe('a subPath', () => {
  let root: string;
  let volume: string;
  let outside: string;
  beforeEach(() => {
    root = realpathSync(mkdtempSync(join(tmpdir(), 'fairlead-subpath-')));
    volume = join(root, 'volume');
    outside = join(root, 'outside');
    mkdirSync(join(volume, 'a/b'), { recursive: true });
    mkdirSync(outside);
  });
  afterEach(() => rmSync(root, { recursive: true }));

  async function opened(subPath: string, meanwhile = (): void => {}): Promise<string> {
    const place = await placeOf(volume, subPath);
    meanwhile();
    await using handle = await openInside(place);
    return readlinkSync(handlePath(handle));
  }

  for (const [subPath, wanted] of [
    ['a', 'a'],
    ['a/b', 'a/b'],
    ['./a//b/', 'a/b'],
    ['new', 'new'],
    ['a/new/deep', 'a/new/deep'],
    ['link/new', 'a/new'],
  ] as const)
    test(`opens ${subPath}`, async () => {
      symlinkSync('a', join(volume, 'link'));
      assert.equal(await opened(subPath), join(volume, wanted));
    });

  test('opens a file', async () => {
    writeFileSync(join(volume, 'a/file'), 'x');
    assert.equal(await opened('a/file'), join(volume, 'a/file'));
  });

  for (const subPath of ['/etc', '../outside', 'a/../../outside', 'out', 'out/new', 'a/dangling'])
    test(`refuses ${subPath}`, async () => {
      symlinkSync(outside, join(volume, 'out'));
      symlinkSync(join(outside, 'nothing'), join(volume, 'a/dangling'));
      await assert.rejects(opened(subPath));
      assert.equal(existsSync(join(outside, 'new')), false);
      assert.equal(existsSync(join(outside, 'nothing')), false);
    });

  test('makes nothing behind a link that a container puts in the way', async () => {
    const swap = (): void => {
      renameSync(join(volume, 'a'), join(volume, 'aside'));
      symlinkSync(outside, join(volume, 'a'));
    };
    await assert.rejects(opened('a/made', swap));
    assert.equal(existsSync(join(outside, 'made')), false);
  });
});
