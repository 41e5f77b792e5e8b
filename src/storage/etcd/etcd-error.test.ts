import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { KnownError } from '../../errors/known-error.ts';
import {
  detailsOf,
  failed,
  isCompacted,
  isLate,
  isLeaseGone,
  isLeaseThere,
  LeaderChanged,
  outcomeOf,
  Unanswered,
  UnfitMember,
} from './etcd-error.ts';

/** An error as gRPC gives it. */
const error = (code: number, details: string): Error => Object.assign(new Error(`${code} ${details}`), { code, details });

describe('outcomeOf()', () => {
  for (const [what, err, expected] of [
    ['a condition that etcd refuses', error(status.FAILED_PRECONDITION, 'etcdserver: no'), 'refused'],
    ['a user that may not', error(status.PERMISSION_DENIED, 'etcdserver: permission denied'), 'refused'],
    ['a lease that is gone', error(status.NOT_FOUND, 'etcdserver: requested lease not found'), 'refused'],
    ['a full etcd', error(status.RESOURCE_EXHAUSTED, 'etcdserver: mvcc: database space exceeded'), 'refused'],
    ['an etcd that has too much to do', error(status.RESOURCE_EXHAUSTED, 'etcdserver: too many requests'), 'unsent'],
    ['a member that learns', error(status.FAILED_PRECONDITION, 'etcdserver: rpc not supported for learner'), 'unsent'],
    ['a member without a leader', error(status.UNAVAILABLE, 'etcdserver: no leader'), 'unsent'],
    ['a connection that never was', error(status.UNAVAILABLE, 'No connection established. Last error: ECONNREFUSED'), 'unsent'],
    ['a name that nobody knows', error(status.UNAVAILABLE, 'Name resolution failed for target dns:a:2379'), 'unsent'],
    ['a member of another cluster', new UnfitMember('it is another'), 'unsent'],
    ['a connection that broke', error(status.UNAVAILABLE, 'Connection dropped'), 'unknown'],
    ['an answer that came too late', error(status.DEADLINE_EXCEEDED, 'Deadline exceeded'), 'unknown'],
    ['another leader', new LeaderChanged(), 'unknown'],
    ['an error of ours', new Error('a bug'), 'unknown'],
  ] as const)
    test(`of ${what} is ${expected}`, () => assert.equal(outcomeOf(err), expected));

  test('is a refusal by every code with which etcd says that it did nothing', () => {
    const { INVALID_ARGUMENT, ALREADY_EXISTS, UNAUTHENTICATED, OUT_OF_RANGE, UNIMPLEMENTED, DATA_LOSS } = status;
    const codes = [INVALID_ARGUMENT, ALREADY_EXISTS, UNAUTHENTICATED, OUT_OF_RANGE, UNIMPLEMENTED, DATA_LOSS];
    assert.deepEqual(new Set(codes.map((code) => outcomeOf(error(code, 'no')))), new Set(['refused']));
  });
});

test('what etcd says is told by its code and its words together', () => {
  assert.deepEqual(
    [status.OUT_OF_RANGE, status.INTERNAL].map((code) => isCompacted(error(code, 'mvcc: required revision has been compacted'))),
    [true, false],
  );
  assert.equal(isCompacted(error(status.OUT_OF_RANGE, 'mvcc: required revision is a future revision')), false);
  assert.deepEqual(
    [status.NOT_FOUND, status.INTERNAL].map((code) => isLeaseGone(error(code, 'requested lease not found'))),
    [true, false],
  );
  assert.equal(isLeaseGone(error(status.NOT_FOUND, 'member not found')), false);
  assert.deepEqual(
    [status.FAILED_PRECONDITION, status.INTERNAL].map((code) => isLeaseThere(error(code, 'etcdserver: lease already exists'))),
    [true, false],
  );
  assert.equal(isLeaseThere(error(status.FAILED_PRECONDITION, 'etcdserver: no')), false);
  assert.deepEqual(
    [status.DEADLINE_EXCEEDED, status.UNAVAILABLE].map((code) => isLate(error(code, ''))),
    [true, false],
  );
  assert.deepEqual([detailsOf(error(1, 'in words')), detailsOf(error(1, ''))], ['in words', '1 ']);
});

describe('failed()', () => {
  for (const [says, code, hint] of [
    ['etcdserver: mvcc: database space exceeded', 'STORE_FULL', /alarm disarm/],
    ['etcdserver: request is too large', 'STORE_TOO_BIG', /--max-request-bytes/],
    ['etcdserver: permission denied', 'STORE_READ_ONLY', /readwrite \/registry\. \/registry0/],
    ['etcdserver: user name is empty', 'BAD_CONFIG', /client certificate whose common name/],
    ['etcdserver: corrupt cluster', 'STORE_CORRUPT', /do not hold the same data/],
    ["Hostname/IP does not match certificate's altnames", 'BAD_CONFIG', /for another name/],
    ['self-signed certificate in certificate chain', 'BAD_CONFIG', /ca-file/],
    ['tlsv1 alert unknown ca', 'BAD_CONFIG', /--trusted-ca-file/],
    ['write EPROTO wrong version number', 'BAD_CONFIG', /do not agree on TLS/],
    ['Name resolution failed for target dns:a', 'STORE_UNAVAILABLE', /name is not known/],
    [
      'etcd has no leader: http://a:2379 answers, not so http://b:2379',
      'STORE_UNAVAILABLE',
      /start the others.*gone for good.*--force-new-cluster.*member add/,
    ],
    ['Connection dropped', 'STORE_UNAVAILABLE', /has a leader/],
  ] as const)
    test(`tells the next step of "${says}"`, () => {
      const err = failed('write to', 'etcd=http://a:2379', error(status.UNAVAILABLE, says));
      assert.deepEqual([err.code, err.message], [code, `Cannot write to store "etcd=http://a:2379": ${says}`]);
      assert.match(err.hint ?? '', hint);
    });

  test('says when nobody knows what became of it, and leaves what is known already as it is', () => {
    const cause = error(status.UNAVAILABLE, 'Connection dropped');
    const doubtful = failed('write to', 'etcd', new Unanswered(cause, true));
    assert.equal(doubtful.message, 'Cannot write to store "etcd": Connection dropped; nobody knows whether it was done');
    assert.equal(failed('read', 'etcd', new Unanswered(cause, false)).message, 'Cannot read store "etcd": Connection dropped');
    assert.equal(failed('read', 'etcd', error(status.INVALID_ARGUMENT, 'etcdserver: key is not provided')).code, 'STORE_IO');
    const known = new KnownError('STORE_CLOSED', 'it was closed');
    assert.equal(failed('read', 'etcd', known), known);
  });
});
