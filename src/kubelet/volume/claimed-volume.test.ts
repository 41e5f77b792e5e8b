import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { nodes, persistentVolumeClaims, persistentVolumes } from '../../api/resource-types.ts';
import type { PersistentVolume, PersistentVolumeClaim, Volume } from '../../api/schema/types.ts';
import { FakeClient, refusal } from '../../client/testing/fake-client.ts';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { samplePod } from '../testing/pod-samples.ts';
import { type ClaimSource, claimedVolume, claimSource } from './claimed-volume.ts';

const pod = samplePod({}, { name: 'p', uid: 'pod-uid' });
const claim = (more: { metadata?: object; spec?: object; status?: object } = {}): PersistentVolumeClaim => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name: 'c', namespace: 'default', uid: 'claim-uid', ...more.metadata },
  spec: { volumeName: 'pv', ...more.spec },
  status: { phase: 'Bound', ...more.status },
});
const volume = (claimRef: object | undefined): PersistentVolume => ({
  apiVersion: 'v1',
  kind: 'PersistentVolume',
  metadata: { name: 'pv' },
  spec: { claimRef, hostPath: { path: '/x' } } as PersistentVolume['spec'] & object,
});
const named: Volume = { name: 'v', persistentVolumeClaim: { claimName: 'c' } };
const ephemeral: Volume = { name: 'v', ephemeral: {} };
const own = [{ apiVersion: 'v1', kind: 'Pod', name: 'p', uid: 'pod-uid', controller: true }];

function sourceWith(
  found: PersistentVolumeClaim | Error,
  there: PersistentVolume | Error = volume({ uid: 'claim-uid' }),
): ClaimSource & { readonly asked: string[] } {
  const asked: string[] = [];
  const answer = async <T>(what: string, value: T | Error): Promise<T> => {
    asked.push(what);
    if (value instanceof Error) throw value;
    return value;
  };
  return {
    asked,
    claim: (namespace, name) => answer(`${namespace}/${name}`, found),
    volume: (name) => answer(name, there),
    node: async () => ({ name: 'n1', labels: {} }),
  };
}

describe('claimedVolume()', () => {
  test('goes by the claim that the volume names to the PersistentVolume', async () => {
    const source = sourceWith(claim());
    assert.equal((await claimedVolume(pod, named, source)).metadata.name, 'pv');
    assert.deepEqual(source.asked, ['default/c', 'pv']);
  });

  test('goes by the claim that was made for the pod', async () => {
    const source = sourceWith(claim({ metadata: { ownerReferences: own } }));
    assert.equal((await claimedVolume(pod, ephemeral, source)).metadata.name, 'pv');
    assert.deepEqual(source.asked, ['default/p-v', 'pv']);
  });

  const going = { deletionTimestamp: '2026-01-01T00:00:00Z' };
  test('lets a pod have a claim that goes when the pod has gone', async () => {
    const source = sourceWith(claim({ metadata: { ...going, finalizers: ['kubernetes.io/pvc-protection'] } }));
    assert.equal((await claimedVolume(pod, named, source)).metadata.name, 'pv');
  });

  const notFound = refusal(404, 'NotFound', 'persistentvolumeclaims "c" not found');
  const cases: [what: string, source: ClaimSource, message: string, volume?: Volume][] = [
    ['no claim', sourceWith(notFound), 'failed to fetch PVC from API server: persistentvolumeclaims "c" not found'],
    ['a claim that goes', sourceWith(claim({ metadata: { ...going, finalizers: ['other'] } })), 'PVC is being deleted'],
    ['a claim that waits', sourceWith(claim({ status: { phase: 'Pending' } })), 'PVC is not bound'],
    ['a claim without a volume', sourceWith(claim({ spec: { volumeName: undefined } })), 'PVC has empty pvc.Spec.VolumeName'],
    ['no volume', sourceWith(claim(), new Error('gone')), 'failed to fetch PV pv from API server: gone'],
    [
      'a volume for nobody',
      sourceWith(claim(), volume(undefined)),
      'found PV object pv but it has a nil pv.Spec.ClaimRef indicating it is not yet bound to the claim',
    ],
    [
      'a volume of an earlier claim',
      sourceWith(claim(), volume({ uid: 'older' })),
      'found PV object pv but its pv.Spec.ClaimRef.UID older does not point to claim.UID claim-uid',
    ],
  ];
  for (const [what, source, message] of cases)
    test(`says that there is ${what}`, () =>
      assert.rejects(claimedVolume(pod, named, source), { message: `error processing PVC default/c: ${message}` }));

  test('says that a claim was not made for the pod', () =>
    assert.rejects(claimedVolume(pod, ephemeral, sourceWith(claim())), {
      message: 'error processing PVC default/p-v: PVC default/p-v was not created for pod default/p (pod is not owner)',
    }));
});

test('claimSource() asks the API server, again while that does not know yet that the pod is here', async () => {
  const clock = new FakeClock();
  const refused: string[] = [];
  const client = new FakeClient(clock);
  const get: FakeClient['get'] = async (type, name, options) => {
    const line = `${type.resource} ${options?.namespace ?? '-'}/${name}`;
    if (refused.includes(line)) return { metadata: { name, labels: { zone: 'a' } } } as never;
    refused.push(line);
    throw refusal(403, 'Forbidden');
  };
  client.get = get;
  const source = claimSource(client, clock, 'n1');
  for (const ask of [() => source.claim('default', 'c'), () => source.volume('pv')]) {
    const asked = ask();
    await clock.advance(20);
    assert.ok((await asked).metadata.name);
  }
  refused.push('nodes -/n1');
  assert.deepEqual(await source.node(), { name: 'n1', labels: { zone: 'a' } });
  assert.deepEqual(
    refused.map((line) => line.split(' ')[0]),
    [persistentVolumeClaims, persistentVolumes, nodes].map(({ resource }) => resource),
  );
});
