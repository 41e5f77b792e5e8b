import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Backends } from './backends.ts';

function backends(...ready: string[]): Backends {
  const made = new Backends(['a', 'b', 'c']);
  for (const server of ready) made.report(server, 'ready');
  return made;
}

describe('Backends', () => {
  test('that were not asked yet are all tried', () => {
    const all = backends();
    assert.deepEqual(all.order(), ['a', 'b', 'c']);
    assert.deepEqual([all.report('a', 'silent'), all.report('a', 'silent')], [undefined, 'silent']);
    assert.deepEqual(all.order(), ['b', 'c', 'a']);
  });

  test('that are ready take turns, and none is left out', () => {
    const all = backends('a', 'b', 'c');
    assert.deepEqual(
      [1, 2, 3, 4].map(() => all.order().join('')),
      ['abc', 'bca', 'cab', 'abc'],
    );
  });

  test('that are ready come before one that is not, and that before a silent one', () => {
    const all = backends('a', 'b', 'c');
    for (const answer of ['silent', 'silent'] as const) all.report('a', answer);
    all.report('b', 'unready');
    assert.deepEqual([all.order(), all.order()], [Array.from('cba'), Array.from('cba')]);
  });

  test('are silent when they did not answer twice in a row, and that is told once', () => {
    const all = backends('a');
    const answers = ['silent', 'ready', 'silent', 'silent', 'silent', 'ready'] as const;
    assert.deepEqual(
      answers.map((answer) => all.report('a', answer)),
      [undefined, undefined, undefined, 'silent', undefined, 'ready'],
    );
  });

  test('that nobody knows are no news', () => {
    assert.equal(backends().report('d', 'ready'), undefined);
  });
});
