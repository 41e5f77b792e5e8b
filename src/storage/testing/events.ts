/** Values and events of a store as text, and watches with an end: what tests of a store speak. */
import assert from 'node:assert/strict';
import type { Store, StoreEvent } from '../store.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();
/** For hangs only: a server may be ended and started meanwhile. */
const deadlineMs = 120_000;

export function bytes(text: string): Uint8Array {
  return encoder.encode(text);
}

export function text(value: Uint8Array | undefined): string | undefined {
  return value && decoder.decode(value);
}

/** The events of a watch until there are `count` of them; fails when they do not come. */
export async function take(store: Store, start: string, end: string, from: number, count: number): Promise<StoreEvent[]> {
  const signal = AbortSignal.timeout(deadlineMs);
  const seen: StoreEvent[] = [];
  for await (const batch of store.watch(start, end, from, { signal })) {
    seen.push(...batch);
    if (seen.length >= count) break;
  }
  assert.equal(seen.length, count, `events: ${seen.map((event) => line(event)).join(', ')}`);
  return seen;
}

/** An event in one line: `3 put /a=x was w@2`. Revisions are counted from `base`. */
export function line(event: StoreEvent, base = 0): string {
  const revision = event.revision - base;
  const was = event.previous ? ` was ${text(event.previous.value)}@${event.previous.modRevision - base}` : '';
  if (event.kind === 'delete') return `${revision} delete ${event.key}${was}`;
  return `${revision} put ${event.record.key}=${text(event.record.value)}${was}`;
}
