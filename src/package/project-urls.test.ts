import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { requiredIn, rewriteUrls } from './project-urls.ts';

const shout = (path: string): string => path.toUpperCase();

for (const [what, text, rewritten] of [
  ['a worker', "new Worker(new URL('./writer.ts', import.meta.url))", "new Worker(new URL('./WRITER.TS', import.meta.url))"],
  ['a file without a dot', "read(new URL('policy.txt', import.meta.url))", "read(new URL('POLICY.TXT', import.meta.url))"],
  [
    'two of one line',
    "new URL('a', import.meta.url), new URL('b', import.meta.url)",
    "new URL('A', import.meta.url), new URL('B', import.meta.url)",
  ],
  ['one over several lines', "new URL(\n  'a',\n  import.meta.url\n)", "new URL('A', import.meta.url)"],
  ['no URL of a request', "new URL(request.url, 'http://x')", "new URL(request.url, 'http://x')"],
  ['no package', "createRequire(import.meta.url)('yaml')", "createRequire(import.meta.url)('yaml')"],
  ['no executable', 'if (import.meta.main) run()', 'if (import.meta.main) run()'],
] as const)
  test(`rewriteUrls() rewrites ${what}`, () => assert.equal(rewriteUrls(text, 'x.ts', shout), rewritten));

for (const text of [
  "join(import.meta.dirname, 'x')",
  'import.meta.filename',
  'fileURLToPath(import.meta.url)',
  'new URL(name, import.meta.url)',
])
  test(`rewriteUrls() refuses ${text}: a bundle lies elsewhere`, () =>
    assert.throws(
      () => rewriteUrls(`${text};\nnew URL('a', import.meta.url)`, 'src/x.ts', shout),
      /Cannot bundle "src\/x.ts": it uses import\.meta\./,
    ));

test('requiredIn() tells the packages that are loaded when they are needed', () => {
  assert.deepEqual(requiredIn("import a from 'b'; createRequire(import.meta.url)('koffi'); createRequire(import.meta.url)('yaml')"), [
    'koffi',
    'yaml',
  ]);
});

test('the sources name files in the way that a bundle can follow', () => {
  const src = join(import.meta.dirname, '..');
  const run = globSync('**/*.ts', { cwd: src }).filter((file) => !/^package\/|\.test\.ts$|testing\/|bench\.ts$|generate\.ts$/.test(file));
  for (const file of run) rewriteUrls(readFileSync(join(src, file), 'utf8'), `src/${file}`, shout);
});
