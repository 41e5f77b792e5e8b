import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pods } from '../../api/resource-types.ts';
import type { Pod } from '../../api/schema/types.ts';
import { FakeCluster } from '../../client/testing/fake-cluster.ts';
import { podOf } from '../testing/samples.ts';
import { Expectations } from './expectations.ts';

async function start(...there: readonly Pod[]): Promise<{ cluster: FakeCluster; expectations: Expectations<Pod>; names(): string[] }> {
  const cluster = new FakeCluster();
  for (const pod of there) cluster.put(pods, pod);
  const informer = cluster.informers.of(pods);
  const expectations = new Expectations(informer);
  await cluster.deliver();
  const names = (): string[] => expectations.over(informer.list(), () => true).map((pod) => `${pod.metadata.name} ${pod.status?.phase}`);
  return { cluster, expectations, names };
}

describe('Expectations', () => {
  test('show what was made until the informer does, and what it became after that', async () => {
    const { cluster, expectations, names } = await start();
    await using _ = cluster;
    expectations.expect(cluster.put(pods, podOf(undefined, 'a')));
    assert.deepEqual(names(), ['a Running']);
    assert.equal(expectations.get('default/a')?.metadata.name, 'a');
    cluster.put(pods, podOf(undefined, 'a', { phase: 'Failed' }));
    await cluster.deliver();
    assert.deepEqual(names(), ['a Failed']);
  });

  test('show the newer of a write and a copy', async () => {
    const { cluster, expectations, names } = await start(podOf(undefined, 'a'), podOf(undefined, 'b'));
    await using _ = cluster;
    expectations.expect(cluster.put(pods, podOf(undefined, 'b', { phase: 'Failed' })));
    assert.deepEqual(names(), ['a Running', 'b Failed']);
    assert.equal(expectations.get('default/b')?.status?.phase, 'Failed');
    cluster.put(pods, podOf(undefined, 'b', { phase: 'Succeeded' }));
    await cluster.deliver();
    assert.deepEqual(names(), ['a Running', 'b Succeeded']);
  });

  test('do not bring back what is gone again before the informer showed it', async () => {
    const { cluster, expectations, names } = await start();
    await using _ = cluster;
    expectations.expect(cluster.put(pods, podOf(undefined, 'a')));
    cluster.client.forget(pods, 'default/a');
    cluster.put(pods, podOf(undefined, 'b'));
    await cluster.deliver();
    assert.deepEqual(names(), ['b Running']);
    assert.equal(expectations.get('default/a'), undefined);
  });

  test('hide what was deleted while the informer shows it, but not the next one of that name', async () => {
    const { cluster, expectations, names } = await start(podOf(undefined, 'a'), podOf(undefined, 'b'));
    await using _ = cluster;
    expectations.expectGone(podOf(undefined, 'a'));
    assert.deepEqual(names(), ['b Running']);
    assert.equal(expectations.get('default/a'), undefined);
    cluster.put(pods, podOf(undefined, 'a', { more: { uid: 'next' } }));
    await cluster.deliver();
    assert.deepEqual(names().toSorted(), ['a Running', 'b Running']);
    cluster.put(pods, podOf(undefined, 'a'));
    await cluster.deliver();
    assert.deepEqual(names().toSorted(), ['a Running', 'b Running'], 'what was expected has come and is forgotten');
  });

  test('leave to the caller which unseen ones belong to what it looks at', async () => {
    const { cluster, expectations } = await start();
    await using _ = cluster;
    expectations.expect(cluster.put(pods, podOf(undefined, 'a')));
    expectations.expect(cluster.put(pods, podOf(undefined, 'b')));
    assert.deepEqual(
      expectations.over([], ({ metadata }) => metadata.name === 'b').map(({ metadata }) => metadata.name),
      ['b'],
    );
  });

  test('compare versions as numbers', async () => {
    const { cluster, expectations, names } = await start(podOf(undefined, 'a'));
    await using _ = cluster;
    // Nine is less than ten, though not as text.
    while (Number(cluster.client.resourceVersion) < 9) cluster.put(pods, podOf(undefined, 'a', { phase: cluster.client.resourceVersion }));
    await cluster.deliver();
    expectations.expect(cluster.put(pods, podOf(undefined, 'a', { phase: 'Failed' })));
    assert.deepEqual(names(), ['a Failed']);
  });
});
