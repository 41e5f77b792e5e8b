import assert from 'node:assert/strict';
import test from 'node:test';
import { expand } from './expand.ts';

const table: readonly [name: string, input: string, output: string][] = [
  ['replaces a known name', 'a $(X) b', 'a 1 b'],
  ['keeps an unknown name', '$(NOPE)', '$(NOPE)'],
  ['turns $$ into $', '$$(X)', '$(X)'],
  ['keeps a lone $', 'cost: 5$', 'cost: 5$'],
  ['keeps an unclosed reference', '$(X', '$(X'],
  ['replaces twice', '$(X)$(X)', '11'],
];

for (const [name, input, output] of table)
  test(`expand() ${name}`, () =>
    assert.equal(
      expand(input, (n) => (n === 'X' ? '1' : undefined)),
      output,
    ));
