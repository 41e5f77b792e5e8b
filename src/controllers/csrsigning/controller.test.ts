import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { before, describe, test } from 'node:test';
import { certificateSigningRequests } from '../../api/resource-types.ts';
import type { CertificateSigningRequest } from '../../api/schema/types.ts';
import type { Pass } from '../../client/testing/controller-bed.ts';
import { type Authority, createAuthority } from '../../x509/authority.ts';
import type { Signing } from '../context.ts';
import { condition, nodeNames, requestOf } from '../testing/certificate-requests.ts';
import { TestBed } from '../testing/test-bed.ts';
import { CsrSigningController } from './controller.ts';

/** The clock of tests stands there. */
const now = Date.parse('2026-01-01T00:00:00Z');
const approved = { conditions: [condition('Approved', '2026-01-01T00:00:00Z')] };
const write = 'update certificatesigningrequests/status it';
const client = 'kubernetes.io/kube-apiserver-client-kubelet';

describe('the signing controller', () => {
  let authority: Authority;
  before(async () => {
    authority = await createAuthority('kubernetes', now);
  });

  /** One pass over a request with an authority for some signers; what the server has then. */
  async function pass(
    request: CertificateSigningRequest,
    signers: Signing['authorities'] = { [client]: async () => authority },
  ): Promise<{ readonly did: Pass; readonly status: CertificateSigningRequest['status'] }> {
    await using bed = new TestBed();
    bed.put(certificateSigningRequests, request);
    const controller = new CsrSigningController({ ...bed.context, signing: { mostMs: 3_600_000, authorities: signers } });
    await bed.deliver();
    const did = await bed.pass(controller, 'it');
    return { did, status: bed.client.find(certificateSigningRequests, 'it')?.status };
  }

  test('gives an approved request its certificate, and leaves its conditions as they are', async () => {
    const { did, status } = await pass(requestOf({ status: approved }));
    assert.deepEqual(did, { writes: [write], events: [] });
    assert.deepEqual(status?.conditions, approved.conditions);
    const certificate = new X509Certificate(Buffer.from(status?.certificate ?? '', 'base64'));
    assert.equal(certificate.subject, 'O=system:nodes\nCN=system:node:n1');
    assert.ok(certificate.checkIssued(new X509Certificate(authority.certPem)));
    assert.equal(certificate.validToDate.getTime(), now + 3_600_000);
    assert.deepEqual(certificate.keyUsage, ['1.3.6.1.5.5.7.3.2']);
  });

  test('says why it never will, once', async () => {
    const { did, status } = await pass(requestOf({ names: { ...nodeNames, organizations: [] }, status: approved }));
    assert.deepEqual(did, { writes: [write], events: [] });
    assert.deepEqual(status, {
      conditions: [
        ...approved.conditions,
        {
          type: 'Failed',
          status: 'True',
          reason: 'SignerValidationFailure',
          message: 'subject organization is not system:nodes',
          lastUpdateTime: '2026-01-01T00:00:00Z',
        },
      ],
    });
    assert.deepEqual((await pass(requestOf({ names: { ...nodeNames, organizations: [] }, ...(status ? { status } : {}) }))).did.writes, []);
  });

  for (const [what, request] of [
    ['that nobody approved', requestOf()],
    ['for a signer of others', requestOf({ spec: { signerName: 'example.com/x' }, status: approved })],
    ['for a signer without an authority here', requestOf({ spec: { signerName: 'kubernetes.io/kubelet-serving' }, status: approved })],
  ] as const)
    test(`leaves alone one ${what}`, async () => assert.deepEqual((await pass(request)).did, { writes: [], events: [] }));

  test('tries again when the request cannot be read, or the authority not be had', async () => {
    const unreadable = requestOf({ spec: { request: Buffer.from('x').toString('base64') }, status: approved });
    assert.match((await pass(unreadable)).did.error ?? '', /PEM block type must be CERTIFICATE REQUEST/);
    const away = async (): Promise<Authority> => {
      throw new Error('the key is away');
    };
    assert.equal((await pass(requestOf({ status: approved }), { [client]: away })).did.error, 'the key is away');
  });

  test('signs with the authority that there is then', async () => {
    const other = await createAuthority('other', now);
    let current = authority;
    const signers = { [client]: async () => current };
    await pass(requestOf({ status: approved }), signers);
    current = other;
    const { status } = await pass(requestOf({ status: approved }), signers);
    assert.equal(new X509Certificate(Buffer.from(status?.certificate ?? '', 'base64')).issuer, 'CN=other');
  });

  test('hears of what it may sign, and of nothing else', async () => {
    await using bed = new TestBed();
    const signing = { mostMs: 1, authorities: { [client]: async () => authority } };
    const news = bed.listen(new CsrSigningController({ ...bed.context, signing }));
    bed.put(certificateSigningRequests, requestOf());
    bed.put(
      certificateSigningRequests,
      requestOf({ metadata: { name: 'other' }, spec: { signerName: 'example.com/x' }, status: approved }),
    );
    assert.deepEqual(await news.deliver(), []);
    bed.put(certificateSigningRequests, requestOf({ status: approved }));
    assert.deepEqual(await news.deliver(), ['it']);
  });
});
