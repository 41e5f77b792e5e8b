import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nearest } from './nearest.ts';

const cases: readonly (readonly [word: string, names: readonly string[], want: string | undefined])[] = [
  ['server', ['server'], 'server'],
  ['serer', ['server'], 'server'],
  ['serrver', ['server'], 'server'],
  ['sarver', ['server'], 'server'],
  ['esrver', ['server'], 'server'],
  ['servre', ['server'], 'server'],
  // Two letters off, in all the ways.
  ['srer', ['server'], undefined],
  ['srver', ['server'], 'server'],
  ['serve', ['server'], 'server'],
  ['sarvar', ['server'], 'server'],
  ['esrvre', ['server'], 'server'],
  ['xxserver', ['server'], 'server'],
  ['serverxx', ['server'], 'server'],
  ['sarvarx', ['server'], undefined],
  // Letters that change places do so both, and at once.
  ['abcdef', ['acqdxf'], undefined],
  ['abcdef', ['axbdxf'], undefined],
  // Fewer than half of the letters may differ.
  ['nd', ['dn'], undefined],
  ['dsn', ['dns'], 'dns'],
  ['ds', ['dns'], undefined],
  ['abxx', ['abcd'], undefined],
  ['abcxx', ['abcde'], 'abcde'],
  ['', ['a'], undefined],
  // The nearest, and of two that are as near the first.
  ['exec', ['exex', 'exe', 'exec'], 'exec'],
  ['logz', ['log', 'logs', 'login'], 'log'],
];

for (const [word, names, want] of cases)
  test(`nearest() to "${word}" of ${names.join(', ')} is ${want ?? 'none'}`, () => assert.equal(nearest(word, names), want));
