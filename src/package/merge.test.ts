import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { build } from 'esbuild';
import { merge } from './merge.ts';

const dir = mkdtempSync(join(tmpdir(), 'merge-'));
after(() => rmSync(dir, { recursive: true, force: true }));

/** Commands a and b share two modules, which have an export of one name; c shares one of the two. */
const sources = {
  'main.js':
    "const load = { a: () => import('./a.js'), b: () => import('./b.js'), c: () => import('./c.js') }; (await load[process.argv[2]]()).run();",
  'a.js':
    "import * as inner from './inner.js'; import { value, Base } from './base.js'; export const run = () => new Base('a', inner.value + value);",
  'b.js': "import { value, Base } from './base.js'; class B extends Base {}; export function run() { new B('b', value); }",
  'c.js': "import { value } from './inner.js'; export const run = () => console.log('c', value);",
  'base.js':
    "import { value as before } from './inner.js'; console.log('begun'); export const value = before * 10; export class Base { constructor(...said) { console.log(...said); } }",
  'inner.js': 'export const value = 2;',
};

const options = { bundle: true, write: false, outdir: 'lib', format: 'esm', platform: 'node', logLevel: 'error' } as const;

/** What the program says for a word, from these modules. */
function said(modules: ReadonlyMap<string, string | Uint8Array>, word: string): string {
  const folder = mkdtempSync(join(dir, 'run-'));
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  for (const [name, content] of modules) writeFileSync(join(folder, name), content);
  const { stdout, stderr } = spawnSync(process.execPath, [join(folder, 'main.js'), word], { encoding: 'utf8' });
  assert.equal(stderr, '');
  return stdout;
}

describe('merge()', async () => {
  for (const [name, text] of Object.entries(sources)) writeFileSync(join(dir, name), text);
  const split = await build({ ...options, absWorkingDir: dir, entryPoints: ['main.js'], splitting: true, metafile: true });
  const contents = new Map(split.outputFiles.map(({ path, text }) => [basename(path), text]));
  const merged = await merge({ contents, outputs: split.metafile.outputs }, ['main.js'], [['a.js'], ['b.js']], options);
  const names = (modules: ReadonlyMap<string, unknown>, pattern: RegExp): string[] =>
    [...modules.keys()].filter((n) => pattern.test(n)).toSorted();

  test('puts modules into one file that the same processes load, and leaves those that only one loads', () => {
    assert.equal(names(contents, /^chunk-/).length, 2);
    assert.deepEqual(names(merged, /^chunk-/), []);
    assert.deepEqual(names(merged, /^shared-/), ['shared-0.js']);
    assert.deepEqual(names(merged, /^(main|[abc]-\w+)\.js$/), names(contents, /^(main|[abc]-\w+)\.js$/));
  });

  for (const word of ['a', 'b', 'c'])
    test(`leaves what command ${word} says, but for what its files begin with`, () => {
      const before = said(contents, word);
      // Nobody listed c: it loads what it does not need.
      assert.equal(said(merged, word), word === 'c' ? `begun\n${before}` : before);
    });

  test('puts entries into one file, too, and still gives each under its name', async () => {
    const one = await merge({ contents, outputs: split.metafile.outputs }, ['main.js'], [['a.js', 'b.js', 'c.js']], options);
    assert.deepEqual(names(one, /^shared-/), ['shared-0.js']);
    for (const word of ['a', 'b', 'c']) assert.ok(said(one, word).endsWith(said(contents, word).split('\n').slice(-2).join('\n')));
  });

  test('refuses an entry that there is not', async () => {
    const asked = merge({ contents, outputs: split.metafile.outputs }, ['main.js'], [['gone.js']], options);
    await assert.rejects(asked, /Not all of gone\.js are ways into the bundle/);
  });
});
