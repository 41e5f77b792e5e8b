/** The catalogue of errors, tied to its uses: every code is used, and whoever can do something about an error is told what. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { errorCodes } from '../../src/errors/codes.ts';

const src = join(import.meta.dirname, '../../src');
const sources = globSync('**/*.ts', { cwd: src })
  .filter((file) => !/\.test\.ts$|(^|\/)testing\/|^errors\//.test(file))
  .map((file) => ({ file, text: readFileSync(join(src, file), 'utf8') }));

/** What only somebody who looks into it can judge: a hint is welcome, but often there is none. */
const withoutHint = new Set(['CHECK_FAILED', 'COMMAND_FAILED', 'KERNEL_REFUSED', 'NAMESPACE_GONE']);
const ofTheStore = /^STORE_/;

/** The arguments of a call that begins at the parenthesis. */
function argumentsAt(text: string, from: number): string {
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    if (text[at] === '(') depth++;
    if (text[at] === ')' && --depth === 0) return text.slice(from, at);
  }
  return text.slice(from);
}

test('the catalogue is sorted', () => {
  const codes = Object.keys(errorCodes);
  assert.deepEqual(codes, codes.toSorted());
});

test('every code is used', () => {
  const unused = Object.keys(errorCodes).filter((code) => !sources.some(({ text }) => text.includes(`'${code}'`)));
  assert.deepEqual(unused, []);
});

test('every code that is thrown is in the catalogue', () => {
  const thrown = sources.flatMap(({ text }) => [...text.matchAll(/new KnownError\(\s*'(\w+)'/g)].map((m) => m[1] ?? ''));
  assert.ok(thrown.length > 50);
  assert.deepEqual(
    thrown.filter((code) => !(code in errorCodes)),
    [],
  );
});

test('an error that somebody can do something about says what', () => {
  const silent = sources.flatMap(({ file, text }) =>
    [...text.matchAll(/new KnownError(?=\(\s*'(\w+)')/g)].flatMap((match) => {
      const [call, code = ''] = match;
      if (withoutHint.has(code) || ofTheStore.test(code)) return [];
      return /\bhint\b/.test(argumentsAt(text, match.index + call.length))
        ? []
        : [`${file}:${text.slice(0, match.index).split('\n').length} ${code}`];
    }),
  );
  assert.deepEqual(silent, []);
});

test('messages have no full stop', () => {
  const stopped = sources.flatMap(({ file, text }) =>
    [...text.matchAll(/new KnownError\(\s*'\w+',\s*(['`])((?:(?!\1).)*)\1/g)]
      .filter((m) => m[2]?.endsWith('.'))
      .map((m) => `${file}: ${m[2]}`),
  );
  assert.deepEqual(stopped, []);
});
