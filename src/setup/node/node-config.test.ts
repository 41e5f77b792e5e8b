import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readNodeConfig } from './node-config.ts';

test('a kubelet.conf that a power cut has left empty is as if there were none; one that cannot be used is named', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'node-config-'));
  const path = join(dir, 'kubelet.conf');
  try {
    assert.equal(await readNodeConfig(path), undefined);
    await writeFile(path, '');
    assert.equal(await readNodeConfig(path), undefined);
    await writeFile(path, '{}');
    await assert.rejects(readNodeConfig(path), {
      code: 'BAD_CONFIG',
      hint: `Take it away, then run the same command again, which makes another: rm ${path}`,
    });
  } finally {
    await rm(dir, { recursive: true });
  }
});
