/** What documents name is there, so that they stay true. */
import assert from 'node:assert/strict';
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';

const root = join(import.meta.dirname, '../..');

/** Document → the folder from which short paths are read, besides the root. */
const documents: Readonly<Record<string, string>> = {
  '.github/CONTRIBUTING.md': '.',
  '.github/SECURITY.md': '.',
  'CHANGELOG.md': '.',
  'README.md': '.',
  'src/README.md': 'src',
  'test/bench/README.md': '.',
};

function read(document: string): string {
  return readFileSync(join(root, document), 'utf8');
}

/** A path as it is written: with a slash or the ending of a file, and neither absolute nor a flag, a pattern or an API group. */
const path = /^(?![-/])(?:[\w.-]+\/)+[\w.-]*$|^[\w.-]+\.(?:ts|mjs|sh|md|json|yml|yaml|nft)$/;
const folder = /^(?:src|test|rules|cni-bin|\.github|\.ci)\//;

/** Words in backticks that are paths, and words of commands, in backticks or indented, that begin with a folder of the top level. */
function pathsIn(text: string): string[] {
  const spans = [...text.matchAll(/`([^`\n]+)`/g)].map((m) => m[1] ?? '');
  const blocks = [...text.matchAll(/^ {4,}(\S.*)$/gm)].map((m) => m[1] ?? '');
  const words = [...spans, ...blocks].flatMap((line) => line.split(/[\s'"]+/)).filter((word) => folder.test(word) && !word.includes('*'));
  return [...new Set([...spans.filter((span) => path.test(span) && !/^[\w.-]+\.(?:io|com|dev)\//.test(span)), ...words])];
}

/** NAME stands for what somebody will add: the folder before it must be there. */
function isThere(word: string, base: string): boolean {
  // What is built is there when it has been.
  if (word.startsWith('dist/')) return true;
  const [known = ''] = word.split(/[^/]*NAME/);
  return [root, join(root, base)].some((from) => existsSync(join(from, known)));
}

describe('documents', () => {
  for (const [document, base] of Object.entries(documents))
    test(`${document} names paths that exist`, () => {
      const gone = pathsIn(read(document)).filter((word) => !isThere(word, base));
      assert.deepEqual(gone, []);
    });

  const files = globSync('{src,test,rules,vagrant}/**/*.*', { cwd: root });
  for (const document of files.filter((file) => file.endsWith('/README.md')))
    test(`${document} names files that exist, by a name in its folder or by a path`, () => {
      const below = files.filter((file) => file.startsWith(`${dirname(document)}/`));
      const named = pathsIn(read(document)).filter((word) => /\.(?:ts|mjs|sh)$/.test(word));
      const gone = named.filter(
        (word) => !(word.includes('/') ? files : below).some((file) => file.endsWith(`/${word}`)) && !isThere(word, dirname(document)),
      );
      assert.deepEqual(gone, []);
    });

  test('paths are found in backticks and in commands, other words are not', () => {
    const text =
      'See `src/a.ts`, `b/c`, `README.md` and `node --test src/x.ts`, not `--flag`, `/opt/x` or `word`.\n\n    cat rules/y.nft\n';
    assert.deepEqual(pathsIn(text), ['src/a.ts', 'b/c', 'README.md', 'src/x.ts', 'rules/y.nft']);
  });

  test('.github/CONTRIBUTING.md names npm scripts that exist', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const named = [...read('.github/CONTRIBUTING.md').matchAll(/npm run ([\w-]+)/g)].map((m) => m[1] ?? '');
    assert.ok(named.length > 0);
    assert.deepEqual(
      named.filter((name) => !(name in scripts)),
      [],
    );
  });

  test('src/README.md tells what every folder of src is', () => {
    const text = read('src/README.md');
    const folders = readdirSync(join(root, 'src'), { withFileTypes: true }).filter((entry) => entry.isDirectory());
    assert.deepEqual(
      folders.map((entry) => entry.name).filter((name) => !text.includes(`\`${name}\``)),
      [],
    );
  });
});
