import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { cleanFileRanges } from './unneeded-pages.ts';

/** As the kernel writes it, with some of its lines. */
function mapping(range: string, mode: string, path: string, { anonymous = 0, swap = 0, huge = 0 } = {}): string {
  const counts = { Rss: 64, Anonymous: anonymous, Private_Hugetlb: huge, Swap: swap };
  const sizes = Object.entries(counts).map(([name, size]) => `${`${name}:`.padEnd(16)}${String(size).padStart(8)} kB`);
  return `${range} ${mode} 00346000 fe:00 10019952                           ${path}\n${sizes.join('\n')}\nVmFlags: rd ex mr mw me\n`;
}

describe('cleanFileRanges()', () => {
  const whole = mapping('7f0000000000-7f0000010000', 'r-xp', '/usr/bin/a node');
  const cases: readonly (readonly [what: string, smaps: string, found: number])[] = [
    ['takes code', whole, 1],
    ['takes what is only read', mapping('400000-746000', 'r--p', '/usr/bin/node'), 1],
    ['takes all of several', whole + mapping('400000-746000', 'r--p', '/usr/bin/node') + whole, 3],
    ['leaves what may be written to', mapping('400000-746000', 'rw-p', '/usr/bin/node'), 0],
    ['leaves what was written to once', mapping('400000-746000', 'r--p', '/usr/bin/node', { anonymous: 4 }), 0],
    ['leaves what was written to and is swapped out', mapping('400000-746000', 'r--p', '/usr/bin/node', { swap: 4 }), 0],
    ['leaves huge pages that were written to once', mapping('7f0000000000-7f0000200000', 'r--p', '/dev/hugepages/a', { huge: 2048 }), 0],
    ['leaves memory of no file', mapping('400000-746000', 'r--p', ''), 0],
    ["leaves the kernel's own pages", mapping('400000-746000', 'r-xp', '[vdso]'), 0],
    ['leaves what others share', mapping('400000-746000', 'r--s', '/usr/bin/node'), 0],
    ['takes one after what it leaves', mapping('400000-746000', 'r--p', '', { anonymous: 4 }) + whole, 1],
  ];
  for (const [what, smaps, found] of cases) test(what, () => assert.equal(cleanFileRanges(smaps).length, found));

  test('says where they are', () => assert.deepEqual(cleanFileRanges(whole), [{ at: 0x7f0000000000, length: 0x10000 }]));
});

/** How many megabytes of files are resident before and after, once it has worked on. */
const program = `
  import { readFileSync } from 'node:fs';
  import { createHash } from 'node:crypto';
  import { giveBackPages } from ${JSON.stringify(new URL('./unneeded-pages.ts', import.meta.url).href)};
  const fromFiles = () => Number(/^RssFile:\\s+(\\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]) / 1024;
  const work = () => createHash('sha256').update(JSON.stringify([...'work'].map((c) => new Date(0).toISOString() + c))).digest('hex');
  const [before, made] = [fromFiles(), work()];
  giveBackPages();
  console.log(JSON.stringify({ before, after: fromFiles(), isSame: work() === made }));
`;

test('giveBackPages() leaves a process that works on, with less of its program in memory', () => {
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  const { before, after, isSame } = JSON.parse(stdout) as { readonly before: number; readonly after: number; readonly isSame: boolean };
  assert.ok(isSame);
  assert.ok(after < before / 2, `${after} of ${before} MB`);
});
