import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { turn } from '../../client/testing/fake-cluster.ts';
import { slowStartBatch } from './slow-start.ts';

/** How many were begun at a time, until all were or one was refused. */
async function sizesOf(
  count: number,
  refused: readonly number[] = [],
  initial?: number,
): Promise<{ sizes: number[]; results: readonly number[]; error: unknown }> {
  const sizes: number[] = [];
  let begun = 0;
  const items = Array.from({ length: count }, (_, i) => i);
  const work = async (item: number): Promise<number> => {
    const first = begun === 0;
    begun++;
    await turn();
    if (first) {
      sizes.push(begun);
      begun = 0;
    }
    if (refused.includes(item)) throw new Error(`no ${item}`);
    return item;
  };
  const { results, error } = await (initial === undefined ? slowStartBatch(items, work) : slowStartBatch(items, work, initial));
  return { sizes, results, error };
}

describe('slowStartBatch()', () => {
  test('does one, then two, then four, and what is left', async () => {
    const { sizes, results, error } = await sizesOf(9);
    assert.deepEqual(sizes, [1, 2, 4, 2]);
    assert.deepEqual(results, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
    assert.equal(error, undefined);
  });

  test('ends the batch with a refusal in it, gives what went well, and the first refusal', async () => {
    const { sizes, results, error } = await sizesOf(20, [4, 6]);
    assert.deepEqual(sizes, [1, 2, 4]);
    assert.deepEqual(results, [0, 1, 2, 3, 5]);
    assert.equal((error as Error).message, 'no 4');
  });

  test('does all at once when the first batch has room for all, and nothing when there is nothing', async () => {
    assert.deepEqual((await sizesOf(5, [], 5)).sizes, [5]);
    assert.deepEqual(await sizesOf(0, [], 0), { sizes: [], results: [], error: undefined });
  });
});
