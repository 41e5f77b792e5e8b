/** Files of a store as a crash would leave them, taken while it is open, with what had been acknowledged by then. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { openSqliteStore } from '../sqlite-store.ts';

export const parts = ['', '-wal', '-mark'] as const;
export type Part = (typeof parts)[number];
/** By what follows the store's path; absent: no such file. */
export type Files = Partial<Record<Part, Buffer>>;

export interface CrashImage {
  readonly files: Files;
  /** Key → value. */
  readonly records: ReadonlyMap<string, string>;
  readonly revision: number;
}

export function takeFiles(path: string): Files {
  return Object.fromEntries(parts.filter((p) => existsSync(path + p)).map((p) => [p, readFileSync(path + p)]));
}

export function putFiles(path: string, files: Files): void {
  rmSync(dirname(path), { recursive: true, force: true });
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  for (const [part, bytes] of Object.entries(files)) writeFileSync(path + part, bytes, { mode: 0o600 });
}

/** A checkpoint as the checkpointer's thread makes it, which copies only what no reader needs as it was. */
export function checkpoint(path: string): void {
  const db = new DatabaseSync(path);
  db.exec('PRAGMA wal_checkpoint(PASSIVE)');
  db.close();
}

/** Writes to a new store, restarts and checkpoints it by chance, and takes an image every now and then. */
export async function crashImages(path: string, random: (n: number) => number, count: number): Promise<CrashImage[]> {
  const open = () => openSqliteStore(path, { maxLogEvents: 60 });
  const images: CrashImage[] = [];
  const records = new Map<string, string>();
  let store = await open();
  let reader: DatabaseSync | undefined;
  const release = (): void => {
    reader?.close();
    reader = undefined;
  };
  try {
    while (images.length < count) {
      for (let i = random(30); i >= 0; i--) {
        const key = `/k/${random(40)}`;
        if (random(4) > 0 || !records.has(key)) {
          const value = `${images.length}-${i}`.padEnd(random(9_000), '.');
          await store.put(key, Buffer.from(value));
          records.set(key, value);
        } else {
          await store.delete(key);
          records.delete(key);
        }
      }
      const what = random(6);
      if (what === 0) {
        release();
        await store.close();
        store = await open();
      } else if (what === 1) release();
      else if (what === 2 && !reader) {
        reader = new DatabaseSync(path, { readOnly: true });
        reader.exec('BEGIN; SELECT count(*) FROM state');
      } else if (what === 3) checkpoint(path);
      images.push({ files: takeFiles(path), records: new Map(records), revision: await store.revision() });
    }
  } finally {
    release();
    await store.close();
  }
  return images;
}
