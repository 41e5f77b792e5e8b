import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { before, describe, test } from 'node:test';
import { createAuthority, issueCertificate } from '../../x509/authority.ts';
import type { OwnNames } from '../../x509/new-request.ts';
import { rotationDeadline, satisfies } from './rotation.ts';

const now = Date.parse('2026-01-01T01:00:00Z');
const hour = 3_600_000;

describe('a certificate', () => {
  let certificate: X509Certificate;
  before(async () => {
    const request = {
      commonName: 'system:node:n1',
      organizations: ['system:nodes', 'more'],
      dnsNames: ['n1', 'n1.example'],
      ips: ['192.0.2.1', '2001:db8::1'],
      usages: ['server' as const],
      days: 1,
    };
    certificate = new X509Certificate((await issueCertificate(await createAuthority('ca', now), request, now)).certPem);
  });

  for (const [random, hours] of [
    [0, 17.5],
    [0.5, 20],
    [0.999_999_999, 22.5],
  ] as const)
    test(`of 25 hours is replaced after ${hours} when the lot is ${random}`, () => {
      const from = certificate.validFromDate.getTime();
      assert.equal(from, now - hour);
      assert.equal(Math.round((rotationDeadline(certificate, random) - from) / 1000), hours * 3600);
    });

  const names: OwnNames = { commonName: 'system:node:n1', organizations: ['system:nodes'], dnsNames: ['n1'], ips: ['2001:db8:0::1'] };
  for (const [what, change, isRight] of [
    ['is right with more than is wanted', {}, true],
    ['is right when no names are wanted', { dnsNames: [], ips: [] }, true],
    ['is not of another name', { commonName: 'system:node:n2' }, false],
    ['is not of a name that only begins so', { commonName: 'system:node:n' }, false],
    ['is not of another group', { organizations: ['system:nodes', 'other'] }, false],
    ['lacks a DNS name', { dnsNames: ['n1', 'n2'] }, false],
    ['has no DNS name that only begins so', { dnsNames: ['n1.exam'] }, false],
    ['lacks an address', { ips: ['192.0.2.2'] }, false],
    ['has no DNS name that is an address of it', { dnsNames: ['192.0.2.1'] }, false],
  ] as const)
    test(what, () => assert.equal(satisfies(certificate, { ...names, ...change }), isRight));

  test('without other names lacks each', async () => {
    const { certPem } = await issueCertificate(await createAuthority('ca', now), { commonName: 'a', usages: ['client'] }, now);
    const plain = new X509Certificate(certPem);
    assert.equal(satisfies(plain, { commonName: 'a', organizations: [] }), true);
    assert.equal(satisfies(plain, { commonName: 'a', organizations: [], dnsNames: ['n1'] }), false);
  });
});
