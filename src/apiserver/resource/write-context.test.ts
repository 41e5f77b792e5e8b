import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isStatusError } from '../status/status-error.ts';
import { fakeRequest } from './testing/resource-bed.ts';
import { writeContextOf } from './write-context.ts';

const request = (query: string): ReturnType<typeof fakeRequest>['ctx'] =>
  fakeRequest('POST', `/api/v1/namespaces/default/pods?${query}`, { headers: { 'user-agent': 'kubectl/1.36' } }).ctx;

describe('writeContextOf()', () => {
  for (const [query, dryRun, manager] of [
    ['', false, 'kubectl'],
    ['dryRun=', false, 'kubectl'],
    ['dryRun=All', true, 'kubectl'],
    ['dryRun=&dryRun=All', true, 'kubectl'],
    ['fieldManager=me', false, 'me'],
  ] as const)
    test(`of ${JSON.stringify(query)} is ${dryRun ? 'a dry run' : 'no dry run'} of ${manager}`, () => {
      const ctx = request(query);
      const { options: _options, ...context } = writeContextOf(ctx);
      assert.deepEqual(context, { user: ctx.user, warnings: ctx.warnings, dryRun, term: undefined, manager });
      assert.equal(writeContextOf(ctx).warnings, ctx.warnings);
    });

  test('has the dry run of a body rather than that of the query', () => {
    assert.equal(writeContextOf(request('dryRun=All'), []).dryRun, false);
    assert.equal(writeContextOf(request(''), ['All']).dryRun, true);
  });

  test('refuses a dry run of something', () => {
    for (const given of [request('dryRun=Some'), request('dryRun=All&dryRun=all')])
      assert.throws(
        () => writeContextOf(given),
        (err) =>
          isStatusError(err, 'Invalid') && /dryRun: Unsupported value: \["(Some|All","all)"\]: supported values: "All"/.test(err.message),
      );
  });
});
