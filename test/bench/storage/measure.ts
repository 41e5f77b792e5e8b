/** One round with one subject: writes, lists in pages, watches. */
import type { Subject } from './subject.ts';

export interface Size {
  readonly records: number;
  readonly watchers: number;
  readonly secondsOfWrites: number;
}

interface Writes {
  readonly rate: number;
  /** Milliseconds of each. */
  readonly took: readonly number[];
  /** Microseconds of CPU for one. */
  readonly cpu: number;
}

export interface Figures {
  /** By the number of writers. */
  readonly writes: Readonly<Record<number, Writes>>;
  /** Milliseconds of a list of all records, and of CPU for it. */
  readonly list: { readonly ms: number; readonly cpuMs: number };
  /** Milliseconds from a write until all watchers have it, for each write; microseconds of CPU for one event of one watcher. */
  readonly fanOut: { readonly took: readonly number[]; readonly cpu: number };
  readonly memory: number;
}

export const writerCounts = [1, 64] as const;
export const pageSize = 500;
const lists = 5;
const changes = 50;

export async function measure(subject: Subject, { records, watchers, secondsOfWrites }: Size): Promise<Figures> {
  await lanes(64, counter(records), (i) => subject.make(i));
  const writes: Record<number, Writes> = {};
  for (const writers of writerCounts) writes[writers] = await measureWrites(subject, writers, records, secondsOfWrites);
  return {
    writes,
    list: await measureLists(subject, records),
    fanOut: await measureFanOut(subject, watchers),
    memory: subject.memory,
  };
}

async function measureWrites(subject: Subject, writers: number, records: number, seconds: number): Promise<Writes> {
  const took: number[] = [];
  const { cpu } = subject;
  const began = performance.now();
  const until = began + seconds * 1_000;
  let count = 0;
  const next = (): number | undefined => (performance.now() < until ? count++ % records : undefined);
  await lanes(writers, next, async (i) => {
    const sent = performance.now();
    await subject.put(i);
    took.push(performance.now() - sent);
  });
  return { rate: (count * 1_000) / (performance.now() - began), took, cpu: ((subject.cpu - cpu) / count) * 1e6 };
}

async function measureLists(subject: Subject, records: number): Promise<Figures['list']> {
  const { cpu } = subject;
  const began = performance.now();
  for (let i = 0; i < lists; i++) {
    const count = await subject.list(pageSize);
    if (count !== records) throw new Error(`A list has ${count} records in place of ${records}`);
  }
  return { ms: (performance.now() - began) / lists, cpuMs: ((subject.cpu - cpu) * 1e3) / lists };
}

async function measureFanOut(subject: Subject, watchers: number): Promise<Figures['fanOut']> {
  let missing = 0;
  let all = Promise.withResolvers<void>();
  const { end } = await subject.watch(watchers, (events) => {
    missing -= events;
    if (missing === 0) all.resolve();
  });
  const change = async (i: number): Promise<number> => {
    all = Promise.withResolvers();
    missing += watchers;
    const sent = performance.now();
    await subject.put(i);
    if (missing > 0) await all.promise;
    return performance.now() - sent;
  };
  // By then every watch runs.
  await change(0);
  const { cpu } = subject;
  const took: number[] = [];
  for (let i = 0; i < changes; i++) took.push(await change(i));
  const used = subject.cpu - cpu;
  end();
  return { took, cpu: (used * 1e6) / changes / watchers };
}

function counter(count: number): () => number | undefined {
  let i = 0;
  return () => (i < count ? i++ : undefined);
}

/** So many at once, each one after the other, until there is no next. */
async function lanes(count: number, next: () => number | undefined, work: (i: number) => Promise<void>): Promise<void> {
  const lane = async (): Promise<void> => {
    for (let i = next(); i !== undefined; i = next()) await work(i);
  };
  await Promise.all(Array.from({ length: count }, lane));
}
