import assert from 'node:assert/strict';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { before, describe, test } from 'node:test';
import { certificateSigningRequests } from '../../api/resource-types.ts';
import type { CertificateSigningRequest } from '../../api/schema/types.ts';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { type Authority, createAuthority } from '../../x509/authority.ts';
import { FakeClient, refusal } from '../testing/fake-client.ts';
import { turn } from '../testing/fake-cluster.ts';
import { decide, sign, undecided } from '../testing/signer.ts';
import { type IssuedCertificate, requestCertificate, type WantedCertificate } from './request-certificate.ts';

const wanted: WantedCertificate = {
  names: { commonName: 'system:node:n1', organizations: ['system:nodes'] },
  signerName: 'kubernetes.io/kube-apiserver-client-kubelet',
  usages: ['digital signature', 'client auth'],
  expirationSeconds: 3600,
};

describe('a request for a certificate', () => {
  let authority: Authority;
  before(async () => {
    authority = await createAuthority('ca', Date.UTC(2026, 0, 1));
  });

  /** Asks, and gives what waits. */
  async function ask(): Promise<{
    readonly client: FakeClient;
    readonly clock: FakeClock;
    readonly stop: AbortController;
    readonly request: CertificateSigningRequest;
    readonly outcome: Promise<IssuedCertificate | Error>;
  }> {
    const clock = new FakeClock();
    const client = new FakeClient(clock);
    const stop = new AbortController();
    const outcome = requestCertificate(client, wanted, { clock, signal: stop.signal }).catch((err: Error) => err);
    while (undecided(client).length === 0) await turn();
    const [request] = undecided(client);
    assert.ok(request);
    return { client, clock, stop, request, outcome };
  }
  const life = { notBefore: Date.UTC(2026, 0, 1), notAfter: Date.UTC(2026, 0, 2) };

  test('says what is wanted, and gives the certificate with the key that nobody else has', async () => {
    const { client, request, outcome } = await ask();
    const { request: _pem, ...spec } = request.spec;
    assert.deepEqual(spec, { signerName: wanted.signerName, usages: wanted.usages, expirationSeconds: 3600 });
    assert.match(request.metadata.name, /^csr-/);
    await sign(client, authority, request, life);
    const issued = await outcome;
    assert.ok(!(issued instanceof Error));
    const certificate = new X509Certificate(issued.certPem);
    assert.ok(certificate.checkPrivateKey(createPrivateKey(issued.keyPem)));
    assert.equal(certificate.subject, 'O=system:nodes\nCN=system:node:n1');
  });

  for (const [type, words] of [
    ['Denied', /it is denied, reason: NotYou, message: go away/],
    ['Failed', /it failed, reason: NotYou, message: go away/],
  ] as const)
    test(`that is ${type} is over`, async () => {
      const { client, request, outcome } = await ask();
      decide(client, request, type);
      const err = await outcome;
      assert.ok(err instanceof Error);
      assert.match(err.message, words);
      assert.equal((err as Error & { code?: string }).code, 'CERTIFICATE_REFUSED');
    });

  test('that was deleted is over', async () => {
    const { client, request, outcome } = await ask();
    client.forget(certificateSigningRequests, request.metadata.name);
    assert.match(String(await outcome), /it was deleted/);
  });

  test('whose name another one has by now is over', async () => {
    const { client, request, outcome } = await ask();
    client.put(certificateSigningRequests, { ...request, metadata: { ...request.metadata, uid: 'other' } });
    assert.match(String(await outcome), /it was deleted/);
  });

  test('that was approved waits for its certificate, and is over after a quarter of an hour', async () => {
    const { client, clock, request, outcome } = await ask();
    client.put(certificateSigningRequests, { ...request, status: { conditions: [{ type: 'Approved', status: 'True' }] } });
    await clock.advance(15 * 60_000 - 1);
    assert.equal(await Promise.race([outcome, turn().then(() => 'waits')]), 'waits');
    await clock.advance(1);
    assert.match(String(await outcome), /nobody has approved or signed it/);
  });

  test('that nobody approved counts for nothing, whatever it holds', async () => {
    const { client, clock, request, outcome } = await ask();
    client.put(certificateSigningRequests, { ...request, status: { certificate: 'AAAA' } });
    await clock.advance(60_000);
    assert.equal(await Promise.race([outcome, turn().then(() => 'waits')]), 'waits');
    await clock.advance(15 * 60_000);
    await outcome;
  });

  test('ends with the signal', async () => {
    const { stop, outcome } = await ask();
    stop.abort(new Error('enough'));
    assert.equal(String(await outcome), 'Error: enough');
  });

  test('that the server does not take is told in its words', async () => {
    const client = new FakeClient(new FakeClock());
    client.refuse(/create/, refusal(403, 'Forbidden', 'no'));
    await assert.rejects(requestCertificate(client, wanted, { clock: new FakeClock(), signal: new AbortController().signal }), {
      message: 'no',
    });
  });
});
