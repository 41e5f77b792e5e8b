import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { certificateSigningRequests, type KubeObject, type ResourceType } from '../../api/resource-types.ts';
import type { CertificateSigningRequest, SubjectAccessReview } from '../../api/schema/types.ts';
import { FakeClient } from '../../client/testing/fake-client.ts';
import { condition, nodeNames, requestOf } from '../testing/certificate-requests.ts';
import { TestBed } from '../testing/test-bed.ts';
import { CsrApprovingController } from './controller.ts';

type Review = SubjectAccessReview['spec'];

/** Answers reviews by the subresource, and keeps what was asked. */
class Reviewer extends FakeClient {
  readonly asked: Review[] = [];
  allowed: readonly string[] = [];

  override async create<T extends KubeObject>(type: ResourceType<T>, object: T): Promise<T> {
    if (type.kind !== 'SubjectAccessReview') return super.create(type, object);
    const { spec } = object as unknown as SubjectAccessReview;
    this.asked.push(spec);
    return { ...object, status: { allowed: this.allowed.includes(spec.resourceAttributes?.subresource ?? '') } };
  }
}

const approval = 'update certificatesigningrequests/approval it';
const selfMessage = 'Auto approving self kubelet client certificate after SubjectAccessReview.';
const message = 'Auto approving kubelet client certificate after SubjectAccessReview.';
const own = { username: 'system:node:n1' };

interface Case {
  readonly does: string;
  readonly request: CertificateSigningRequest;
  readonly allowed?: readonly string[];
  /** Subresources, in the order in which they were asked for. */
  readonly asks?: readonly string[];
  readonly approves?: string;
  readonly requeueAfter?: number;
}

const cases: readonly Case[] = [
  { does: 'approves a new node', request: requestOf(), allowed: ['nodeclient'], asks: ['nodeclient'], approves: message },
  {
    does: "approves a node's own next certificate",
    request: requestOf({ spec: own }),
    allowed: ['selfnodeclient', 'nodeclient'],
    asks: ['selfnodeclient'],
    approves: selfMessage,
  },
  {
    does: 'approves a node that may ask for others, when it may not for itself',
    request: requestOf({ spec: own }),
    allowed: ['nodeclient'],
    asks: ['selfnodeclient', 'nodeclient'],
    approves: message,
  },
  {
    does: 'approves nothing that the author may not have, and looks again later',
    request: requestOf({ metadata: { creationTimestamp: '2025-12-31T23:59:00Z' } }),
    allowed: ['selfnodeclient'],
    asks: ['nodeclient'],
    requeueAfter: 60_000,
  },
  { does: 'looks again after a second at first', request: requestOf(), asks: ['nodeclient'], requeueAfter: 1_000 },
  {
    does: 'looks again within 17 minutes at last',
    request: requestOf({ metadata: { creationTimestamp: '2025-12-31T00:00:00Z' } }),
    asks: ['nodeclient'],
    requeueAfter: 1_000_000,
  },
  { does: 'leaves to a person what serves', request: requestOf({ spec: { signerName: 'kubernetes.io/kubelet-serving' } }) },
  { does: 'leaves to a person what is no kubelet', request: requestOf({ names: { ...nodeNames, organizations: [] } }) },
  { does: 'leaves alone what was denied', request: requestOf({ status: { conditions: [condition('Denied')] } }) },
  { does: 'leaves alone what was approved', request: requestOf({ status: { conditions: [condition('Approved')] } }) },
  { does: 'leaves alone what is signed', request: requestOf({ status: { certificate: 'x' } }) },
];

describe('the approving controller', () => {
  for (const { does, request, allowed = [], asks = [], approves, requeueAfter } of cases)
    test(does, async () => {
      await using bed = new TestBed();
      const client = new Reviewer(bed.clock);
      client.allowed = allowed;
      bed.put(certificateSigningRequests, request);
      client.put(certificateSigningRequests, request);
      const controller = new CsrApprovingController({ ...bed.context, client });
      await bed.deliver();
      // The copy of another server has another version: it is written all the same.
      const result = await controller.reconcile('it');
      assert.deepEqual(result?.requeueAfter, requeueAfter);
      assert.deepEqual(
        client.asked.map(({ resourceAttributes: what }) => what?.subresource),
        asks,
      );
      assert.deepEqual(client.took(), approves === undefined ? [] : [approval]);
      const conditions = client.find(certificateSigningRequests, 'it')?.status?.conditions;
      if (approves !== undefined)
        assert.deepEqual(conditions, [{ type: 'Approved', status: 'True', reason: 'AutoApproved', message: approves }]);
    });

  test('asks for whoever made the request, whole', async () => {
    await using bed = new TestBed();
    const client = new Reviewer(bed.clock);
    const author = { username: 'u', uid: '1', groups: ['g'], extra: { a: ['b'] } as never };
    bed.put(certificateSigningRequests, requestOf({ spec: author }));
    const controller = new CsrApprovingController({ ...bed.context, client });
    await bed.deliver();
    await controller.reconcile('it');
    const resource = { group: 'certificates.k8s.io', resource: 'certificatesigningrequests', verb: 'create', version: '*' };
    assert.deepEqual(client.asked, [
      { user: 'u', uid: '1', groups: ['g'], extra: { a: ['b'] }, resourceAttributes: { ...resource, subresource: 'nodeclient' } },
    ]);
  });
});
