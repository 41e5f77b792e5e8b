import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { DeleteOptions } from '../../api/schema/types.ts';
import { isStatusError } from '../status/status-error.ts';
import { checkDeleteOptions, deleteOptionsOf } from './delete-options.ts';
import { fakeRequest } from './testing/resource-bed.ts';

describe('deleteOptionsOf()', () => {
  for (const [query, options] of [
    ['', {}],
    ['gracePeriodSeconds=5', { gracePeriodSeconds: 5 }],
    ['propagationPolicy=Foreground', { propagationPolicy: 'Foreground' }],
    ['orphanDependents=true', { orphanDependents: true }],
    ['orphanDependents=false', { orphanDependents: false }],
    ['dryRun=All', { dryRun: ['All'] }],
    ['labelSelector=a', {}],
  ] as const)
    test(`reads ${JSON.stringify(query)} of the query`, async () => {
      assert.deepEqual(await deleteOptionsOf(fakeRequest('DELETE', `/api/v1/namespaces/default/pods/a?${query}`).ctx), options);
    });

  test('reads the body instead of the query, of whatever group it says it is', async () => {
    for (const apiVersion of [undefined, 'v1', 'apps/v1']) {
      const body = { kind: 'DeleteOptions', apiVersion, gracePeriodSeconds: 1, preconditions: { uid: 'u' } };
      const { ctx } = fakeRequest('DELETE', '/api/v1/namespaces/default/pods/a?gracePeriodSeconds=5&propagationPolicy=Orphan', { body });
      const { gracePeriodSeconds, propagationPolicy, preconditions } = await deleteOptionsOf(ctx);
      assert.deepEqual([gracePeriodSeconds, propagationPolicy, preconditions], [1, undefined, { uid: 'u' }]);
    }
  });

  for (const [what, query, body] of [
    ['query', 'gracePeriodSeconds=-2', undefined],
    ['query', 'gracePeriodSeconds=soon', undefined],
    ['body', '', { propagationPolicy: 'No' }],
  ] as const)
    test(`refuses the ${what} ${JSON.stringify(body ?? query)}`, async () => {
      const { ctx } = fakeRequest('DELETE', `/api/v1/namespaces/default/pods/a?${query}`, { body });
      await assert.rejects(deleteOptionsOf(ctx), (err) => isStatusError(err, 'Invalid'));
    });

  test('passes over fields of the body that are none', async () => {
    const { ctx } = fakeRequest('DELETE', '/api/v1/namespaces/default/pods/a?fieldValidation=Strict', { body: { grace: 1 } });
    await deleteOptionsOf(ctx);
    assert.deepEqual(ctx.warnings, []);
  });
});

describe('checkDeleteOptions()', () => {
  const cases: Readonly<Record<string, readonly [DeleteOptions, RegExp]>> = {
    'both ways to say one thing': [
      { propagationPolicy: 'Orphan', orphanDependents: true },
      /propagationPolicy: Invalid .* cannot be both set/,
    ],
    'a policy that is none': [
      { propagationPolicy: 'No' },
      /Unsupported value: "No": supported values: "Foreground", "Background", "Orphan"/,
    ],
    'a grace below -1': [{ gracePeriodSeconds: -2 }, /gracePeriodSeconds: Invalid value: -2: must be greater than or equal to 0/],
    'a grace that is no number of seconds': [{ gracePeriodSeconds: 1.5 }, /gracePeriodSeconds: Invalid value: 1.5/],
  };
  for (const [what, [options, why]] of Object.entries(cases))
    test(`refuses ${what}`, () => {
      assert.throws(
        () => checkDeleteOptions(options),
        (err) => isStatusError(err, 'Invalid') && why.test(err.message),
      );
    });

  test('lets the others pass', () => {
    for (const policy of ['Foreground', 'Background', 'Orphan']) checkDeleteOptions({ propagationPolicy: policy, gracePeriodSeconds: 0 });
    checkDeleteOptions({ orphanDependents: true, gracePeriodSeconds: -1 });
    checkDeleteOptions({});
  });
});
