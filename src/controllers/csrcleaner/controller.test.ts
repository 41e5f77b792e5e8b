import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { certificateSigningRequests } from '../../api/resource-types.ts';
import type { CertificateSigningRequest } from '../../api/schema/types.ts';
import type { Pass } from '../../client/testing/controller-bed.ts';
import { createAuthority, issueCertificate } from '../../x509/authority.ts';
import { condition, requestOf } from '../testing/certificate-requests.ts';
import { TestBed } from '../testing/test-bed.ts';
import { CsrCleanerController } from './controller.ts';

/** The clock of tests stands at 2026-01-01T00:00:00Z. */
const now = Date.parse('2026-01-01T00:00:00Z');
const hour = 3_600_000;
const at = (ms: number): string => new Date(now + ms).toISOString().replace('.000', '');
const unreadable = Buffer.from('x').toString('base64');
const gone = { writes: ['delete certificatesigningrequests it'] };

type Case = readonly [what: string, madeAt: number, status: CertificateSigningRequest['status'], does: Partial<Pass>];

const cases: readonly Case[] = [
  ['on which nobody decides goes after a day', -24 * hour, undefined, gone],
  ['on which nobody decides stays until then', -23 * hour, { conditions: [] }, { requeueAfter: hour }],
  ['that was denied goes after an hour', -hour, { conditions: [condition('Denied', at(-hour))] }, gone],
  ['that was denied stays until then', -9 * hour, { conditions: [condition('Denied', at(-1000))] }, { requeueAfter: hour - 1000 }],
  ['that has failed goes after an hour', 0, { conditions: [condition('Approved', at(0)), condition('Failed', at(-hour))] }, gone],
  ['that was approved and not signed goes after a day', 0, { conditions: [condition('Approved', at(-24 * hour))] }, gone],
  ['that was approved and not signed stays until then', 0, { conditions: [condition('Approved', at(-hour))] }, { requeueAfter: 23 * hour }],
  ['that was signed goes after an hour', 0, { conditions: [condition('Approved', at(-hour))], certificate: unreadable }, gone],
  ['that was signed stays until then', 0, { conditions: [condition('Approved', at(0))], certificate: unreadable }, { requeueAfter: hour }],
  ['that nobody knows when it was decided on stays', -99 * hour, { conditions: [condition('Denied')] }, {}],
  ['with conditions of others stays', -99 * hour, { conditions: [condition('Weighed', at(-99 * hour))] }, {}],
];

async function pass(request: CertificateSigningRequest): Promise<Pass> {
  await using bed = new TestBed();
  bed.put(certificateSigningRequests, request);
  const controller = new CsrCleanerController(bed.context);
  await bed.deliver();
  return await bed.pass(controller, 'it');
}

describe('a request', () => {
  for (const [what, madeAt, status, does] of cases)
    test(what, async () => {
      const request = requestOf({ metadata: { creationTimestamp: at(madeAt) }, ...(status ? { status } : {}) });
      assert.deepEqual(await pass(request), { writes: [], events: [], ...does });
    });

  let certificate: string;
  before(async () => {
    const { certPem } = await issueCertificate(
      await createAuthority('a', now),
      { commonName: 'a', usages: ['client'], days: 1 },
      now - 25 * hour,
    );
    certificate = Buffer.from(certPem).toString('base64');
  });

  test('whose certificate has ended goes at once', async () => {
    const request = requestOf({ status: { conditions: [condition('Approved', at(0))], certificate } });
    assert.deepEqual((await pass(request)).writes, gone.writes);
  });

  test('that is gone is fine', async () => {
    await using bed = new TestBed();
    bed.put(certificateSigningRequests, requestOf({ metadata: { creationTimestamp: at(-24 * hour) } }));
    const controller = new CsrCleanerController(bed.context);
    await bed.deliver();
    bed.client.forget(certificateSigningRequests, 'it');
    assert.equal((await bed.pass(controller, 'it')).error, undefined);
    assert.deepEqual(await bed.pass(controller, 'other'), { writes: [], events: [] });
  });
});
