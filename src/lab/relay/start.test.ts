import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { LabPlan } from '../plan.ts';
import { relayCredential } from './start.ts';

test('the credential of the relay is made once, also by two at once, and anew where a power cut has left it empty', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'relay-'));
  const plan = { dir } as LabPlan;
  try {
    const [one, two] = await Promise.all([relayCredential(plan), relayCredential(plan)]);
    assert.match(one, /^[0-9a-f]{48}$/);
    assert.deepEqual([two, await relayCredential(plan)], [one, one]);
    await writeFile(join(dir, 'relay', 'credential'), '');
    const next = await relayCredential(plan);
    assert.match(next, /^[0-9a-f]{48}$/);
    assert.notEqual(next, one);
    assert.deepEqual(await readdir(join(dir, 'relay')), ['credential']);
  } finally {
    await rm(dir, { recursive: true });
  }
});
