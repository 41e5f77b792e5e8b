import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { CertificateSigningRequest } from '../../api/schema/types.ts';
import { condition, requestOf } from '../testing/certificate-requests.ts';
import { isToBeSigned, lifeOf, signerNames, signerProblem } from './desired.ts';

const approved = condition('Approved');
const statuses: readonly (readonly [what: string, status: CertificateSigningRequest['status'], isSigned: boolean])[] = [
  ['nobody has decided on', undefined, false],
  ['was approved', { conditions: [approved] }, true],
  ['was denied', { conditions: [condition('Denied')] }, false],
  ['was approved and denied', { conditions: [approved, condition('Denied')] }, false],
  ['has failed', { conditions: [approved, condition('Failed')] }, false],
  ['has failed, as one says it who leaves the status out', { conditions: [approved, { type: 'Failed', status: '' }] }, false],
  ['has not failed', { conditions: [approved, { type: 'Failed', status: 'False' }] }, true],
  ['is signed already', { conditions: [approved], certificate: 'x' }, false],
];

describe('a request is signed', () => {
  for (const [what, status, isSigned] of statuses)
    test(`${isSigned ? 'when it' : 'not when it'} ${what}`, () => {
      assert.equal(isToBeSigned(requestOf({ ...(status ? { status } : {}) })), isSigned);
    });
});

const names = { commonName: 'jane', organizations: [], dnsNames: [], emailAddresses: [], ips: [], uris: [] };
const signers: readonly (readonly [signer: string, usages: readonly string[], problem: string | undefined])[] = [
  ['kube-apiserver-client', ['client auth'], undefined],
  ['kube-apiserver-client', ['client auth', 'digital signature', 'key encipherment'], undefined],
  ['kube-apiserver-client', ['digital signature'], 'missing required usage for client certificate: client auth'],
  ['kube-apiserver-client', ['client auth', 'server auth'], 'invalid usage for client certificate: server auth'],
  ['kube-apiserver-client-kubelet', ['client auth'], 'subject organization is not system:nodes'],
  ['kubelet-serving', ['server auth'], 'subject organization is not system:nodes'],
  ['legacy-unknown', ['cert sign'], undefined],
];

describe('a signer of Kubernetes', () => {
  for (const [signer, usages, problem] of signers)
    test(`${signer} says of ${usages.join(', ')}: ${problem ?? 'nothing'}`, () => {
      const request = requestOf({ spec: { signerName: `kubernetes.io/${signer}`, usages: [...usages] } });
      assert.equal(signerProblem(request, names), problem);
    });

  test('is one of four', () => {
    assert.deepEqual(
      signerNames.toSorted(),
      ['kube-apiserver-client', 'kube-apiserver-client-kubelet', 'kubelet-serving', 'legacy-unknown'].map(
        (name) => `kubernetes.io/${name}`,
      ),
    );
  });
});

const minute = 60_000;
const hour = 60 * minute;
const now = Date.parse('2026-01-01T00:00:00Z');
/** Seconds asked for → milliseconds from now until the end. */
const lives: readonly (readonly [what: string, seconds: number | undefined, ends: number])[] = [
  ['lasts as long as it may when nothing is asked for, counted from its begin', undefined, 24 * hour - 5 * minute],
  ['lasts as long as was asked for', 9 * 3600, 9 * hour - 5 * minute],
  ['lasts no longer than it may', 48 * 3600, 24 * hour - 5 * minute],
  ['gets all of its time when that is short', 3600, hour],
  ['is short up to eight hours', 8 * 3600 - 1, 8 * hour - 1000],
  ['is not short from eight hours on', 8 * 3600, 8 * hour - 5 * minute],
  ['lasts ten minutes at least', 60, 10 * minute],
];

describe('a certificate', () => {
  const life = (seconds: number | undefined, authorityNotAfter = now + 240 * hour): ReturnType<typeof lifeOf> =>
    lifeOf(requestOf({ spec: { expirationSeconds: seconds } }), { now, mostMs: 24 * hour, authorityNotAfter });

  for (const [what, seconds, ends] of lives)
    test(what, () => assert.deepEqual(life(seconds), { notBefore: now - 5 * minute, notAfter: now + ends }));

  test('ends with its authority', () => {
    assert.equal(life(undefined, now + hour).notAfter, now + hour);
  });

  test('is not signed by an authority that has ended', () => {
    assert.throws(() => life(undefined, now - minute), {
      message: 'refusing to sign a certificate that expired in the past: NotAfter=2025-12-31 23:59:00 +0000 UTC',
    });
    assert.throws(() => life(undefined, now), /^Error: refusing to sign/);
    assert.throws(() => life(undefined, now - 5 * minute), { message: 'the signer has expired: NotAfter=2025-12-31 23:55:00 +0000 UTC' });
  });
});
