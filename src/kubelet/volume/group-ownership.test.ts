import assert from 'node:assert/strict';
import { chmodSync, chownSync, lstatSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { giveToGroup } from './group-ownership.ts';

describe('giveToGroup()', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'fairlead-group-'));
    chmodSync(root, 0o750);
    mkdirSync(join(root, 'a'), { mode: 0o700 });
    writeFileSync(join(root, 'a/file'), '', { mode: 0o600 });
    writeFileSync(join(root, 'run'), '', { mode: 0o755 });
    symlinkSync('/etc/passwd', join(root, 'link'));
  });
  afterEach(() => rmSync(root, { recursive: true }));
  const stateOf = (path: string): string => {
    const { mode, uid, gid } = lstatSync(join(root, path));
    return `${(mode & 0o7777).toString(8)} ${uid}:${gid}`;
  };

  test('lets the group read and write all that is there, and what will be; owners stay', async () => {
    chownSync(join(root, 'a/file'), 55, 66);
    const before = lstatSync('/etc/passwd').mode;
    await giveToGroup(root, 1234, undefined);
    assert.deepEqual(['', 'a', 'a/file', 'run'].map(stateOf), ['2770 0:1234', '2770 0:1234', '660 55:1234', '775 0:1234']);
    assert.equal(lstatSync(join(root, 'link')).gid, 1234);
    assert.equal(lstatSync('/etc/passwd').mode, before);
    assert.equal(lstatSync('/etc/passwd').gid, 0);
  });

  test('looks at the root alone where the policy is OnRootMismatch and nothing is wrong with that', async () => {
    chownSync(root, 0, 1234);
    chmodSync(root, 0o2775);
    await giveToGroup(root, 1234, 'OnRootMismatch');
    assert.deepEqual(['', 'a'].map(stateOf), ['2775 0:1234', '700 0:0']);
    await giveToGroup(root, 1234, 'Always');
    assert.equal(stateOf('a'), '2770 0:1234');
  });

  for (const [what, mode, gid] of [
    ['another group', 0o2770, 1235],
    ['no setgid bit', 0o770, 1234],
    ['no right to write', 0o2750, 1234],
  ] as const)
    test(`does all where the root has ${what}, whatever the policy`, async () => {
      chownSync(root, 0, gid);
      chmodSync(root, mode);
      await giveToGroup(root, 1234, 'OnRootMismatch');
      assert.deepEqual(['', 'a/file'].map(stateOf), ['2770 0:1234', '660 0:1234']);
    });
});
