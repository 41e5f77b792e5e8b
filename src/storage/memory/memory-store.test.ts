import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { onFakeClock, testStore } from '../testing/conformance.ts';
import { MemoryStore } from './memory-store.ts';

testStore(
  'MemoryStore',
  onFakeClock(async (clock) => new MemoryStore({ clock })),
);

test('a MemoryStore that is closed leaves no timer behind', async () => {
  const clock = new FakeClock();
  const store = new MemoryStore({ clock });
  await store.put('/a', Buffer.from('x'), { ttlSeconds: 60 });
  assert.equal(clock.pending, 1);
  await store.close();
  assert.equal(clock.pending, 0);
});
