import { onFakeClock, testStore } from '../testing/conformance.ts';
import { MemoryStore } from './memory-store.ts';

testStore(
  'MemoryStore',
  onFakeClock(async (clock) => new MemoryStore({ clock })),
);
