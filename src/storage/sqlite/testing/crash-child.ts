/** Started by checkpoints.test.ts: opens the store, writes 2 MB, and dies without closing it. */
import { openSqliteStore } from '../sqlite-store.ts';

const store = await openSqliteStore(process.argv[2]!);
for (let i = 0; i < 100; i++) await store.put(`/k/${i}`, new Uint8Array(20_000).fill(i));
process.kill(process.pid, 'SIGKILL');
