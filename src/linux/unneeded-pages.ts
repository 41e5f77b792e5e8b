/**
 * Pages that this process has and can do without. Most of what is resident of the program itself only its start has needed (of 50 MB of a service
 * proxy's Node.js 16 are read again), and of what malloc has got the C library keeps most when it is free.
 */
import { readFileSync } from 'node:fs';
import { openLibc } from './libc.ts';

const MADV_DONTNEED = 4;

interface Range {
  readonly at: number;
  readonly length: number;
}

/**
 * Of /proc/PID/smaps the mappings that hold nothing but what is in their files: they come back from there. One that was written to, such as
 * relocations that are read-only by now, has anonymous pages; of huge pages of hugetlbfs those are in a count of their own. Pure.
 */
export function cleanFileRanges(smaps: string): Range[] {
  return smaps.split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m).flatMap((mapping) => {
    const [, from = '', to = ''] = /^([0-9a-f]+)-([0-9a-f]+) r-.p .* \/.*$/m.exec(mapping) ?? [];
    const isClean = ['Anonymous', 'Swap', 'Private_Hugetlb'].every((count) => new RegExp(`^${count}: +0 kB$`, 'm').test(mapping));
    const at = Number.parseInt(from, 16);
    return isClean && from !== '' ? [{ at, length: Number.parseInt(to, 16) - at }] : [];
  });
}

/** Gives them to the kernel. Those of files stay in its cache as long as nobody else wants the memory, so that they come back without reading a disk. */
export function giveBackPages(): void {
  try {
    const { lib } = openLibc();
    lib.func('int malloc_trim(size_t pad)')(0);
    const madvise = lib.func('int madvise(uintptr_t at, size_t length, int advice)');
    // What the kernel refuses stays as it is.
    for (const { at, length } of cleanFileRanges(readFileSync('/proc/self/smaps', 'utf8'))) madvise(at, length, MADV_DONTNEED);
  } catch {
    // They stay under another C library, and in a kernel that tells nothing of mappings.
  }
}
