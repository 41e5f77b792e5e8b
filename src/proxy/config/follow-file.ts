/** A file that others may write anew while it is followed, also by a link that moves, as the kubelet writes ConfigMaps. */
import { readFile } from 'node:fs/promises';
import type { Clock } from '../../clock/clock.ts';

const lookEveryMs = 1000;

/** Calls `onChange` with the text whenever it is another one than `text`, one call after the other. A file that is gone for a moment is waited for. */
export async function followFile(
  path: string,
  { text, clock, signal, onChange }: { text: string; clock: Clock; signal: AbortSignal; onChange: (text: string) => Promise<void> },
): Promise<void> {
  let known = text;
  while (!signal.aborted) {
    await clock.sleep(lookEveryMs, signal).catch(() => {});
    const now = await readFile(path, 'utf8').catch(() => known);
    if (now === known || signal.aborted) continue;
    known = now;
    await onChange(now);
  }
}
