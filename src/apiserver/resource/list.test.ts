import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ReadOptions } from '../http/read-options.ts';
import { readOptions } from '../http/read-options.ts';
import { isStatusError } from '../status/status-error.ts';
import { decodeContinue } from './continue-token.ts';
import { type ListResult, list, waitForRevision } from './list.ts';
import { ResourceBed } from './testing/resource-bed.ts';

/** Five ConfigMaps, of revisions 1 to 5. */
async function fiveMaps(): Promise<ResourceBed> {
  const bed = await ResourceBed.start();
  for (const name of ['c', 'a', 'e', 'b', 'd']) await bed.map(name, { metadata: { name, labels: { odd: String('ace'.includes(name)) } } });
  await bed.feed.fresh();
  return bed;
}

const optionsOf = (bed: ResourceBed, query: string): ReadOptions => readOptions(bed.row('configmaps'), new URLSearchParams(query), false);

function listOf(bed: ResourceBed, query = ''): Promise<ListResult> {
  const cache = bed.feed.cache('configmaps');
  return list(bed.feed, bed.row('configmaps'), cache, `${cache.prefix}default/`, optionsOf(bed, query));
}

const names = ({ objects }: ListResult): string => objects.map((o) => o.object.metadata.name).join('');

describe('list()', () => {
  for (const [query, found, remaining, revision = query.includes('Exact') ? 3 : 5] of [
    ['', 'abcde', undefined],
    ['limit=0', 'abcde', undefined],
    ['limit=2', 'ab', 3],
    ['limit=4', 'abcd', 1],
    ['limit=5', 'abcde', undefined],
    ['limit=6', 'abcde', undefined],
    ['labelSelector=odd=true', 'ace', undefined],
    ['labelSelector=odd=true&limit=2', 'ac', undefined],
    ['labelSelector=odd=true&limit=3', 'ace', undefined],
    ['resourceVersion=3', 'abcde', undefined],
    ['resourceVersion=3&resourceVersionMatch=NotOlderThan', 'abcde', undefined],
    ['resourceVersion=3&resourceVersionMatch=Exact', 'ace', undefined],
    ['resourceVersion=3&resourceVersionMatch=Exact&limit=1', 'a', 2],
    ['resourceVersion=3&limit=2', 'ac', 1, 3],
    ['resourceVersion=0&limit=2', 'abcde', undefined],
    ['resourceVersion=3&resourceVersionMatch=NotOlderThan&limit=2', 'ab', 3],
  ] as const)
    test(`finds ${found} for ${JSON.stringify(query)}`, async () => {
      await using bed = await fiveMaps();
      const result = await listOf(bed, query);
      assert.deepEqual([names(result), result.remaining], [found, remaining]);
      assert.equal(result.revision, revision);
    });

  test('goes on where the page before it ended, as of the moment of the first page', async () => {
    await using bed = await fiveMaps();
    const first = await listOf(bed, 'limit=2');
    await bed.map('bb');
    const second = await listOf(bed, `limit=2&continue=${first.continueToken}`);
    const third = await listOf(bed, `limit=2&continue=${second.continueToken}`);
    assert.deepEqual([names(second), second.revision, second.remaining], ['cd', 5, 1]);
    assert.deepEqual([names(third), third.revision, third.continueToken, third.remaining], ['e', 5, undefined, undefined]);
  });

  test('takes no resourceVersion beside a token, which has its own', async () => {
    await using bed = await fiveMaps();
    const { continueToken } = await listOf(bed, 'limit=2');
    await assert.rejects(
      listOf(bed, `limit=2&continue=${continueToken}&resourceVersion=3`),
      (refusal) =>
        isStatusError(refusal, 'BadRequest') && refusal.message === 'specifying resource version is not allowed when using continue',
    );
    assert.equal(names(await listOf(bed, `limit=2&continue=${continueToken}&resourceVersion=0`)), 'cd');
  });

  test('says with a selector where the next page begins, not how many come', async () => {
    await using bed = await fiveMaps();
    const { continueToken, remaining } = await listOf(bed, 'limit=1&labelSelector=odd=true');
    assert.deepEqual([decodeContinue(continueToken!), remaining], [{ revision: 5, start: 'c' }, undefined]);
  });

  test('offers the rest as it is now where the moment is forgotten', async () => {
    await using bed = await fiveMaps();
    const { continueToken } = await listOf(bed, 'limit=2');
    bed.feed.cache('configmaps').reset(bed.feed.cache('configmaps').range(), 6);
    await bed.map('f');
    await bed.feed.fresh();
    const err: unknown = await listOf(bed, `continue=${continueToken}`).catch((err: unknown) => err);
    assert.ok(isStatusError(err, 'Expired'));
    assert.match(err.message, /^The provided continue parameter is too old/);
    const rest = await listOf(bed, `continue=${err.status.metadata?.continue}`);
    assert.deepEqual([names(rest), rest.revision], ['cdef', 6]);
    await assert.rejects(
      listOf(bed, 'resourceVersion=3&resourceVersionMatch=Exact'),
      (refusal) => isStatusError(refusal, 'Expired') && /too old: 3$/.test(refusal.message) && !('continue' in refusal.status.metadata!),
    );
  });
});

describe('waitForRevision()', () => {
  test('waits for what was written before, and no longer', async () => {
    await using bed = await ResourceBed.start();
    await bed.map('a');
    await waitForRevision(bed.feed, undefined);
    assert.equal(bed.feed.revision, 1);
    await waitForRevision(bed.feed, 1);
  });

  test('refuses at once what the store does not have, and has nobody try again', async () => {
    await using bed = await ResourceBed.start();
    await bed.map('a');
    await assert.rejects(
      waitForRevision(bed.feed, 2),
      (err) =>
        isStatusError(err, 'Timeout') &&
        /Too large resource version: 2, current: 1$/.test(err.message) &&
        !err.status.details?.retryAfterSeconds,
    );
  });
});
