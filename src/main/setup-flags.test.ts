import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { documentsOf } from './setup-flags.ts';

/** It keeps its lines in a private field, as the real one does its clock. */
class Told {
  readonly #lines: string[] = [];
  warn(text: string): void {
    this.#lines.push(text);
  }
  get lines(): readonly string[] {
    return this.#lines;
  }
}

test('a document for another command is warned of, and left aside', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'documents-'));
  try {
    const file = join(dir, 'kubeadm.yaml');
    const head = 'apiVersion: kubeadm.k8s.io/v1beta4\nkind: ';
    await writeFile(file, `${head}JoinConfiguration\n---\n${head}ClusterConfiguration\nclusterName: mine\n`);
    const told = new Told();
    assert.deepEqual((await documentsOf(file, ['init', 'cluster', 'proxy'], told)).cluster, { clusterName: 'mine' });
    assert.deepEqual(told.lines, [`JoinConfiguration in ${file} is not for this command, and is left aside`]);
    assert.deepEqual(await documentsOf(undefined, ['join'], told), {});
  } finally {
    await rm(dir, { recursive: true });
  }
});
