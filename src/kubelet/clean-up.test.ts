import assert from 'node:assert/strict';
import { test } from 'node:test';
import { removePods } from './clean-up.ts';
import { CriError } from './cri/cri.ts';

test('removePods() stops every sandbox before it is removed, and minds none that is gone meanwhile', async () => {
  const calls: string[] = [];
  const gone = new CriError(5, 'not found');
  const count = await removePods({
    listPodSandboxes: async () => [{ id: 'a' }, { id: 'b' }] as never,
    stopPodSandbox: async (id) => {
      calls.push(`stop ${id}`);
      if (id === 'b') throw gone;
    },
    removePodSandbox: async (id) => {
      calls.push(`remove ${id}`);
      if (id === 'b') throw gone;
    },
  });
  assert.equal(count, 2);
  assert.deepEqual(calls.toSorted(), ['remove a', 'remove b', 'stop a', 'stop b']);
  assert.ok(calls.indexOf('stop a') < calls.indexOf('remove a'));
});
