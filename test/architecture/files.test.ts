/** Every file says what it is. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '../..');
const files = globSync('{src,test}/**/*.ts', { cwd: root }).filter(
  (file) => !/\.test\.ts$|\.d\.ts$|^src\/api\/schema\/types\.ts$/.test(file),
);

const declaration = /^export (?:async |abstract |declare )*(?:class|function\*?|const|interface|type|let) (\w+)/gm;

/** Whether it opens with a doc comment, or its main export has one: the one that the file is named after, else the first. */
function saysWhatItIs(file: string, text: string): boolean {
  if (text.startsWith('/**') || text.startsWith('#!')) return true;
  const name = basename(file, '.ts').replaceAll('-', '').toLowerCase();
  const exports = [...text.matchAll(declaration)];
  const main = exports.find((found) => found[1]?.toLowerCase() === name) ?? exports[0];
  return main !== undefined && text.slice(0, main.index).trimEnd().endsWith('*/');
}

test('every file opens with what it is, or its main export says so', () => {
  const silent = files.filter((file) => !saysWhatItIs(file, readFileSync(join(root, file), 'utf8')));
  assert.deepEqual(silent, []);
});

test('a doc comment counts at the top and at the main export, not elsewhere', () => {
  assert.ok(saysWhatItIs('a/b.ts', '/** B. */\nimport c;\nexport const d = 1;'));
  assert.ok(saysWhatItIs('a/some-file.ts', 'import c;\n\nexport const d = 1;\n\n/** It. */\nexport class SomeFile {}'));
  assert.ok(!saysWhatItIs('a/some-file.ts', 'import c;\n\n/** D. */\nexport const d = 1;\n\nexport class SomeFile {}'));
  assert.ok(!saysWhatItIs('a/b.ts', 'import c;\n/** Private. */\nconst d = 1;\n\nexport const e = 1;'));
});
