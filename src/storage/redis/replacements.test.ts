import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Replacements, replacementEvents } from './replacements.ts';

const about = 'master mymaster 10.0.0.1 6379';
const primary = '10.0.0.1:6379';

/** Whether a primary is being replaced after these messages of sentinels, and so many milliseconds. */
function after(ms: number, ...said: readonly (readonly [sentinel: string, event: string, message: string])[]): boolean {
  let now = 1_000;
  const replacements = new Replacements('mymaster', () => now);
  for (const each of said) replacements.hear(...each);
  now += ms;
  return replacements.has(primary);
}

describe('Replacements', () => {
  test('has the primary that a sentinel was chosen to replace, for as long as that can take', () => {
    assert.equal(after(0), false);
    assert.equal(after(19_999, ['a', '+elected-leader', about]), true);
    assert.equal(after(20_000, ['a', '+elected-leader', about]), false);
    assert.equal(after(0, ['a', '+elected-leader', `${about} #quorum 1/1`]), true);
  });

  for (const message of ['master other 10.0.0.1 6379', 'slave mymaster 10.0.0.1 6379', 'master mymaster 10.0.0.2 6379', 'master mymaster'])
    test(`does not have it after "${message}"`, () => assert.equal(after(0, ['a', '+elected-leader', message]), false));

  test('listens to what begins and ends one', () => {
    assert.deepEqual(replacementEvents, ['+elected-leader', '-failover-abort-no-good-slave', '-failover-abort-slave-timeout']);
  });

  for (const event of ['-failover-abort-no-good-slave', '-failover-abort-slave-timeout'])
    test(`has it no more after ${event} of that sentinel`, () => {
      assert.equal(after(0, ['a', '+elected-leader', about], ['a', event, about]), false);
      assert.equal(after(0, ['a', '+elected-leader', about], ['b', event, about]), true);
      assert.equal(after(0, ['a', '+elected-leader', about], ['a', event, 'master other 10.0.0.1 6379']), true);
    });

  test('has it no more after the end', () => {
    const replacements = new Replacements('mymaster', () => 0);
    for (const sentinel of ['a', 'b']) replacements.hear(sentinel, '+elected-leader', about);
    replacements.end('a');
    assert.equal(replacements.has(primary), true);
    replacements.end('b');
    assert.equal(replacements.has(primary), false);
  });

  test('still has it after other events', () => {
    assert.equal(after(0, ['a', '+elected-leader', about], ['a', '+failover-state-select-slave', about]), true);
  });
});
