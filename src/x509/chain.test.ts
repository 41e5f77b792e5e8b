import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createAuthority, issueCertificate } from './authority.ts';
import { certificatesOf, withIssuers } from './chain.ts';

const now = Date.now();

describe('withIssuers()', () => {
  test('puts the authority of the bundle behind a certificate, and none of the same name with another key', async () => {
    const [authority, other] = await Promise.all([createAuthority('ca', now), createAuthority('ca', now)]);
    const { certPem } = await issueCertificate(authority, { commonName: 'server', usages: ['server'] }, now);
    const parts = (pem: string): string[] => certificatesOf(pem);
    const chain = withIssuers(certPem, `${other.certPem}${authority.certPem}`);
    assert.deepEqual(parts(chain), parts(certPem + authority.certPem));
    assert.deepEqual(parts(withIssuers(certPem, other.certPem)), parts(certPem));
  });

  test('leaves a chain, a root and a text without a certificate as they are', async () => {
    const authority = await createAuthority('ca', now);
    const { certPem } = await issueCertificate(authority, { commonName: 'server', usages: ['server'] }, now);
    for (const text of [certPem + certPem, authority.certPem, 'nothing']) assert.equal(withIssuers(text, authority.certPem), text);
  });
});
