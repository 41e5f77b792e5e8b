import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type LeaderTerm, lasts, readTerm, termOf, termText } from './leader-term.ts';
import type { Lease } from './schema/types.ts';

const acquired = '2026-01-01T00:00:00.000000Z';
const leaseOf = (spec: Lease['spec']): Lease => ({
  ...{ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' },
  metadata: { namespace: 'kube-system', name: 'kube-scheduler' },
  spec,
});
const term: LeaderTerm = { namespace: 'kube-system', name: 'kube-scheduler', holder: 'a b_ü&=\n1', acquired };

describe('a term of a leader', () => {
  test('is that of the Lease, and goes through a header as it is', () => {
    assert.deepEqual(termOf(leaseOf({ holderIdentity: term.holder, acquireTime: acquired })), term);
    assert.match(termText(term), /^[!-~]+$/);
    assert.deepEqual(readTerm(termText(term)), term);
  });

  test('is none while nobody holds the Lease', () => {
    for (const spec of [undefined, {}, { holderIdentity: '', acquireTime: acquired }, { holderIdentity: 'a' }])
      assert.equal(termOf(leaseOf(spec)), undefined);
  });

  test('lasts over renewals, and until another one has the Lease or takes it anew', () => {
    const spec = { holderIdentity: term.holder, acquireTime: acquired };
    assert.equal(lasts(term, leaseOf({ ...spec, renewTime: '2026-02-01T00:00:00.000000Z', leaseTransitions: 7 })), true);
    assert.equal(lasts(term, leaseOf({ ...spec, holderIdentity: 'b' })), false);
    assert.equal(lasts(term, leaseOf({ ...spec, acquireTime: '2026-02-01T00:00:00.000000Z' })), false);
    assert.equal(lasts(term, leaseOf(undefined)), false);
    assert.equal(lasts(term, undefined), false);
  });

  test('is read only where all of it is there and names a Lease', () => {
    const given = { ...term };
    for (const wrong of [
      { namespace: '' },
      { name: '' },
      { holder: '' },
      { acquired: '' },
      { name: '../secrets/x' },
      { namespace: 'kube-system/x' },
      { name: 'x'.repeat(254) },
    ])
      assert.equal(readTerm(termText({ ...given, ...wrong })), undefined, JSON.stringify(wrong));
    for (const text of ['', 'a', 'namespace=a', '\0']) assert.equal(readTerm(text), undefined);
  });
});
