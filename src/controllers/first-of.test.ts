import assert from 'node:assert/strict';
import { test } from 'node:test';
import { persistentVolumeClaims, persistentVolumes } from '../api/resource-types.ts';
import { firstOf } from './first-of.ts';
import { TestBed } from './testing/test-bed.ts';

const types = [persistentVolumeClaims, persistentVolumes] as const;

test('firstOf() waits for the first object of one of the types', async () => {
  await using bed = new TestBed();
  let came = false;
  const first = firstOf(bed.context, ...types).then((is) => {
    came = is;
  });
  await bed.deliver();
  assert.equal(came, false);
  bed.put(persistentVolumes, { apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name: 'pv' } });
  await bed.deliver();
  await first;
  assert.equal(came, true);
});

test('firstOf() gives up when the signal aborts', async () => {
  const bed = new TestBed();
  const first = firstOf(bed.context, ...types);
  await bed[Symbol.asyncDispose]();
  assert.equal(await first, false);
});
