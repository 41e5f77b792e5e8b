import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ApiError,
  ignoreNotFound,
  isAlreadyExists,
  isConflict,
  isForbidden,
  isInvalid,
  isNamespaceTerminating,
  isNotFound,
} from './api-error.ts';
import { refusal } from './testing/fake-client.ts';

const checks = { isAlreadyExists, isConflict, isForbidden, isInvalid, isNamespaceTerminating, isNotFound };

/** What the server answers, and the one name that fits. */
const table: readonly (readonly [Error, keyof typeof checks | undefined])[] = [
  [refusal(404, 'NotFound'), 'isNotFound'],
  [refusal(409, 'AlreadyExists'), 'isAlreadyExists'],
  [refusal(409, 'Conflict'), 'isConflict'],
  [refusal(410, 'Expired'), undefined],
  [refusal(403, 'Forbidden'), 'isForbidden'],
  [refusal(422, 'Invalid'), 'isInvalid'],
  [refusal(400, 'BadRequest', 'no', { causes: [{ reason: 'NamespaceTerminating' }] }), 'isNamespaceTerminating'],
  [refusal(400, 'BadRequest', 'no', { causes: [{ reason: 'FieldValueInvalid' }] }), undefined],
  [refusal(500, 'InternalError'), undefined],
  [new Error('no route'), undefined],
];
for (const [err, wanted] of table) {
  test(`${err instanceof ApiError ? `${err.code} ${err.reason}` : err.message} is ${wanted ?? 'none of them'}`, () => {
    const fitting = Object.entries(checks).flatMap(([name, check]) => (check(err) ? [name] : []));
    assert.deepEqual(fitting, wanted === undefined ? [] : [wanted]);
  });
}

test('an ApiError has the words of the server, or its code for want of them', () => {
  const silent = new ApiError({ apiVersion: 'v1', kind: 'Status', metadata: {} });
  assert.deepEqual([silent.name, silent.code, silent.reason], ['ApiError', 500, '']);
  assert.equal(new ApiError({ apiVersion: 'v1', kind: 'Status', metadata: {}, code: 503 }).message, 'the API server answered 503');
  assert.equal(refusal(503, 'ServiceUnavailable', 'wait').message, 'wait');
});

test('ignoreNotFound() gives nothing for what is gone, and throws on what is something else', () => {
  assert.equal(ignoreNotFound(refusal(404, 'NotFound')), undefined);
  assert.throws(() => ignoreNotFound(refusal(403, 'Forbidden')), { code: 403 });
});
