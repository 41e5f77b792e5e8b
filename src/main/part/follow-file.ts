/** A file that others may write anew while it is followed, also by a link that moves, as the kubelet writes ConfigMaps. */
import { statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Clock } from '../../clock/clock.ts';

const lookEveryMs = 1000;

/** Another one when the file, or what is in it, may be another one; '' of a file that is gone. One system call: reading it is some sixty, by three threads. */
function markOf(path: string): string {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join();
  } catch {
    return '';
  }
}

/** Calls `onChange` with the text whenever it is another one than `text`, one call after the other. A file that is gone for a moment is waited for. */
export async function followFile(
  path: string,
  { text, clock, signal, onChange }: { text: string; clock: Clock; signal: AbortSignal; onChange: (text: string) => Promise<void> },
): Promise<void> {
  let known = text;
  let before: string | undefined;
  let isRead = false;
  while (!signal.aborted) {
    await clock.sleep(lookEveryMs, signal).catch(() => {});
    const mark = markOf(path);
    const isAnother = mark !== before;
    if (isRead && !isAnother) continue;
    // Read once more at the next look: what is written again within one tick of the file system's clock has the same mark.
    isRead = !isAnother;
    before = mark;
    const now = await readFile(path, 'utf8').catch(() => known);
    if (now === known || signal.aborted) continue;
    known = now;
    await onChange(now);
  }
}
