import { onFakeClock, testStore } from '../conformance.ts';
import { MemoryStore } from './memory-store.ts';

testStore(
  'MemoryStore',
  onFakeClock(async (clock) => new MemoryStore({ clock })),
);
