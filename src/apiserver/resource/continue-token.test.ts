import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isStatusError } from '../status/status-error.ts';
import { decodeContinue, encodeContinue } from './continue-token.ts';

const packed = (token: unknown): string => Buffer.from(JSON.stringify(token)).toString('base64url');

describe('a continue token', () => {
  test('is as upstream writes it, and comes back as it was', () => {
    const token = encodeContinue({ revision: 7, start: 'default/web' });
    assert.deepEqual(JSON.parse(Buffer.from(token, 'base64url').toString()), { v: 'meta.k8s.io/v1', rv: 7, start: 'default/web' });
    for (const revision of [-1, 1, 7]) {
      const one = { revision, start: 'default/web.1' };
      assert.deepEqual(decodeContinue(encodeContinue(one)), one);
    }
  });

  for (const [what, text, why] of [
    ['is no JSON', 'AAAA', /the token is not of this server/],
    ['is nothing', packed(null), /does not recognize the encoded version/],
    ['is of another version', packed({ v: 'v2', rv: 1, start: 'a' }), /does not recognize the encoded version/],
    ['has no start', packed({ v: 'meta.k8s.io/v1', rv: 1 }), /incorrect encoded start or resourceVersion/],
    ['leaves its prefix', packed({ v: 'meta.k8s.io/v1', rv: 1, start: '../secrets/' }), /incorrect encoded start/],
    ['has no revision', packed({ v: 'meta.k8s.io/v1', start: 'a' }), /incorrect encoded start or resourceVersion/],
    ['has revision 0', packed({ v: 'meta.k8s.io/v1', rv: 0, start: 'a' }), /incorrect encoded start or resourceVersion/],
    ['has half a revision', packed({ v: 'meta.k8s.io/v1', rv: 1.5, start: 'a' }), /incorrect encoded start or resourceVersion/],
    ['has a text as revision', packed({ v: 'meta.k8s.io/v1', rv: '1', start: 'a' }), /incorrect encoded start or resourceVersion/],
  ] as const)
    test(`is refused where it ${what}`, () => {
      assert.throws(
        () => decodeContinue(text),
        (err) => isStatusError(err, 'BadRequest') && why.test(err.message),
      );
    });
});
