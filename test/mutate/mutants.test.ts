import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isPure, isSource, testsOf, withLoaded } from './imports.ts';
import { describeMutant } from './mutant.ts';
import { mutantsOf } from './mutants.ts';
import { parse } from './parse.ts';

/** What changes in a text, as it is told. */
function changes(text: string): string[] {
  const tree = parse(new Map([['a.ts', text]])).get('a.ts')!;
  return mutantsOf('a.ts', tree).map((mutant) => describeMutant(text, mutant));
}

const cases: readonly { readonly name: string; readonly text: string; readonly changes: readonly string[] }[] = [
  {
    name: 'a comparison is moved by one and turned',
    text: 'f = a < b',
    changes: ['[f = a < b → ;]', 'f = a [< → <=] b', 'f = a [< → >=] b'],
  },
  {
    name: 'and so are the other three',
    text: 'const f = [a <= b, a > b, a >= b];',
    changes: [
      'const f = [[a <= b,  → ]a > b, a >= b];',
      'const f = [a <= b, [a > b,  → ]a >= b];',
      'const f = [a <= b, a > b[, a >= b → ]];',
      'const f = [a [<= → <] b, a > b, a >= b];',
      'const f = [a [<= → >] b, a > b, a >= b];',
      'const f = [a <= b, a [> → >=] b, a >= b];',
      'const f = [a <= b, a [> → <=] b, a >= b];',
      'const f = [a <= b, a > b, a [>= → >] b];',
      'const f = [a <= b, a > b, a [>= → <] b];',
    ],
  },
  { name: 'a big one, too', text: 'const f = 5n;', changes: ['const f = [5n → (5n + 1n)];', 'const f = [5n → (5n - 1n)];'] },
  { name: 'equality is turned', text: 'export const f = a === b;', changes: ['export const f = a [=== → !==] b;'] },
  {
    name: '&& and || change places',
    text: 'const f = a && b || c;',
    changes: ['const f = a && b [|| → &&] c;', 'const f = a [&& → ||] b || c;'],
  },
  { name: 'a condition is negated', text: 'const f = a ? b : c;', changes: ['const f = [a → !(a)] ? b : c;'] },
  { name: 'a condition that has an operator is not negated, too', text: 'if (!a) {}', changes: ['if ([!a → a]) {}'] },
  { name: 'a call is dropped', text: 'f();', changes: ['[f(); → ;]'] },
  {
    name: 'an early return is dropped, the last one is not',
    text: 'const f = () => { if (a) return b; return c; }',
    changes: ['const f = () => { if ([a → !(a)]) return b; return c; }', 'const f = () => { if (a) [return b; → ;] return c; }'],
  },
  { name: 'a number is one off', text: 'const f = 0x10;', changes: ['const f = [0x10 → (0x10 + 1)];', 'const f = [0x10 → (0x10 - 1)];'] },
  {
    name: 'a text is emptied, an empty one filled',
    text: `const f = ['ab', ''][i];`,
    changes: [
      `const f = [['ab',  → ]''][i];`,
      `const f = ['ab'[, '' → ]][i];`,
      `const f = [['ab' → ''], ''][i];`,
      `const f = ['ab', ['' → 'mutant']][i];`,
    ],
  },
  { name: 'true and false change places', text: 'const f = true;', changes: ['const f = [true → false];'] },
  {
    name: 'types, imports, keys and comments stay',
    text: `import 'x'; type A = 1 | 'b'; const f: { a: 1 } = { 'a': g as 1 }; // a < b`,
    changes: [],
  },
  { name: 'what an error says stays', text: `throw new Error(a + 'b');`, changes: [] },
  { name: 'a regular expression and the text in a template are no operators', text: 'const f = /a < b/;', changes: [] },
];

for (const { name, text, changes: expected } of cases) test(name, () => assert.deepEqual(changes(text), expected));

test('a mutant tells its line, and a long one in few words', () => {
  const text = `\n\nf(${'a, '.repeat(50)}\n  b);`;
  const [mutant] = mutantsOf('a.ts', parse(new Map([['a.ts', text]])).get('a.ts')!);
  assert.equal(mutant?.line, 3);
  assert.equal(describeMutant(text, mutant!), '[f(a, a, a, a, a, a, a, a, a, a … a, a, a, a, a, a, a, a, b); → ;]');
});

test('testsOf() names the tests that load a file, by others, too, nearest first', () => {
  const sources = new Map([
    ['src/a.ts', ''],
    ['src/b/b.ts', `import { a } from '../a.ts';`],
    ['src/b/b.test.ts', `import { b } from './b.ts';`],
    ['src/a.test.ts', `import { a } from './a.ts';`],
    ['src/other.test.ts', `import { c } from './c.ts';`],
    ['src/a.integration.test.ts', `import { a } from './a.ts';`],
  ]);
  assert.deepEqual(testsOf('src/a.ts', sources), ['src/a.test.ts', 'src/b/b.test.ts']);
  // What starts a whole server loads the file from elsewhere.
  assert.deepEqual(testsOf('src/a.ts', new Map([...sources, ['src/a.test.ts', "import { start } from '../server.ts';"]])), [
    'src/a.test.ts',
    'src/b/b.test.ts',
  ]);
});

test('testsOf() finds the tests that come to a file by way of another folder', () => {
  const files: Readonly<Record<string, string>> = {
    'src/open.ts': `const open = () => import('./a/a.ts');`,
    'src/a/a.ts': `import './away.ts'; import '../open.ts';`,
    'src/a/a.test.ts': `import { open } from '../open.ts';`,
    'src/other.test.ts': `import { open } from './open.ts';`,
  };
  const folder = new Map(Object.entries(files).filter(([name]) => name.startsWith('src/a/')));
  assert.deepEqual(
    testsOf(
      'src/a/a.ts',
      withLoaded(folder, (name) => files[name]),
    ),
    ['src/a/a.test.ts'],
  );
  const deep = new Map([...folder, ['src/a/b.ts', ''], ['src/a/b2.test.ts', `import '../open.ts';`]]);
  const read = (name: string): string | undefined => (name === 'src/open.ts' ? `import './a/b.ts';` : undefined);
  assert.deepEqual(testsOf('src/a/b.ts', withLoaded(deep, read)), ['src/a/a.test.ts', 'src/a/b2.test.ts']);
});

test('isPure() sees an edge behind an import, and none behind a type', () => {
  const files: Readonly<Record<string, string>> = {
    'pure.ts': `import type { Server } from 'node:net';\nimport { join } from 'node:path';\nimport type {\n  B,\n} from './edge.ts';`,
    'edge.ts': `import { readFileSync } from 'node:fs';`,
    'near.ts': `import { pure } from './pure.ts';\nimport { B } from './edge.ts';`,
  };
  const pure = Object.keys(files).filter((file) => isPure(file, (name) => files[name]));
  assert.deepEqual(pure, ['pure.ts']);
});

test('isSource() leaves out tests, what is made for them, and types', () => {
  const files = [
    'a.ts',
    'a.test.ts',
    'testing/a.ts',
    'b/testing/a.ts',
    'a.d.ts',
    'a.mjs',
    'attesting/a.ts',
    'b/conformance.ts',
    'a-conformance.ts',
  ];
  assert.deepEqual(files.filter(isSource), ['a.ts', 'attesting/a.ts', 'a-conformance.ts']);
});
