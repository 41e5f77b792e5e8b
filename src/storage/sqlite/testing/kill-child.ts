/** Started by kill.test.ts: writes for ever, prints each write once it is acknowledged, and waits to be killed. */
import { writeSync } from 'node:fs';
import { systemCode } from '../../../errors/known-error.ts';
import { openSqliteStore } from '../sqlite-store.ts';

const store = await openSqliteStore(process.argv[2]!, { maxLogEvents: 500 });
const start = await store.revision();

async function write(writer: number): Promise<void> {
  for (let i = 0; ; i++) {
    const key = `/w${writer}/${i % 50}`;
    const value = `${start}-${i}`;
    const result = await store.put(key, new TextEncoder().encode(value));
    if (result.ok) say(`${key} ${result.record.modRevision} ${value}\n`);
  }
}

/** Straight to the pipe: a line in a buffer of this process would die with it. A reader that is slow fills the pipe (EAGAIN). */
function say(line: string): void {
  for (let rest = Buffer.from(line); rest.length > 0; ) {
    try {
      rest = rest.subarray(writeSync(1, rest));
    } catch (err) {
      if (systemCode(err) !== 'EAGAIN') throw err;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

await Promise.all(Array.from({ length: 16 }, (_, writer) => write(writer)));
