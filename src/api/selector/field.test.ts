import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseFieldSelector } from './field.ts';

test('terms are split at commas that are not escaped', () => {
  assert.deepEqual(parseFieldSelector('metadata.name=web,status.phase!=Running,spec.nodeName=='), [
    { path: 'metadata.name', op: '=', value: 'web' },
    { path: 'status.phase', op: '!=', value: 'Running' },
    { path: 'spec.nodeName', op: '=', value: '' },
  ]);
  assert.deepEqual(parseFieldSelector('a=b\\,c\\=d\\\\'), [{ path: 'a', op: '=', value: 'b,c=d\\' }]);
  assert.deepEqual(parseFieldSelector(''), []);
});

test('a term without operator is refused', () => {
  assert.throws(() => parseFieldSelector('metadata.name'), {
    name: 'SelectorError',
    message: "invalid selector: 'metadata.name'; can't understand 'metadata.name'",
  });
});

test('a value with a character that should be escaped, or an escape that is none, is refused', () => {
  for (const [text, what] of [
    ['a=b=c', 'unescaped character in value: 61'],
    ['a=b\\xc', 'invalid escape sequence: \\x'],
    ['a=b\\', 'invalid escape sequence: \\'],
  ] as const)
    assert.throws(() => parseFieldSelector(text), { name: 'SelectorError', message: `invalid field selector: ${what}` }, text);
});
