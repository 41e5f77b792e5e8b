import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { PersistentVolume } from '../../api/schema/types.ts';
import { NodeGraph } from './node-graph.ts';
import { podOn } from './testing/fake-objects.ts';

describe('NodeGraph', () => {
  const volumes = [{ name: 'v', secret: { secretName: 's' } }] as never;

  test('forgets an object with the last pod that uses it', () => {
    const graph = new NodeGraph();
    graph.put(podOn('n1', 'a', { volumes }));
    graph.put(podOn('n1', 'b', { volumes }));
    graph.delete(podOn('n1', 'a'));
    assert.equal(graph.uses('n1', 'secrets', 'default', 's'), true);
    graph.delete(podOn('n1', 'b'));
    graph.delete(podOn('n1', 'b'));
    assert.equal(graph.uses('n1', 'secrets', 'default', 's'), false);
  });

  test('replaces what a pod used before', () => {
    const graph = new NodeGraph();
    graph.put(podOn('n1', 'a', { volumes }));
    graph.put(podOn('n1', 'a'));
    assert.equal(graph.uses('n1', 'secrets', 'default', 's'), false);
    assert.equal(graph.uses('n1', 'pods', 'default', 'a'), true);
  });

  test('follows a volume from claim to claim', () => {
    const graph = new NodeGraph();
    graph.put(podOn('n1', 'a', { volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'c' } }] }));
    const volume = (claimRef?: object): PersistentVolume =>
      ({ apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name: 'pv' }, spec: { claimRef } }) as PersistentVolume;
    const uses = (): boolean => graph.usesVolume('n1', 'pv');
    assert.equal(uses(), false);
    graph.putVolume(volume({ namespace: 'default', name: 'c' }));
    assert.equal(uses(), true);
    assert.equal(graph.usesVolume('n2', 'pv'), false);
    graph.putVolume(volume());
    assert.equal(uses(), false);
    graph.putVolume(volume({ namespace: 'default', name: 'c' }));
    graph.deleteVolume(volume());
    assert.equal(uses(), false);
  });

  test('knows nothing of a pod without a node', () => {
    const graph = new NodeGraph();
    graph.put(podOn('', 'a', { volumes }));
    assert.equal(graph.uses('', 'secrets', 'default', 's'), false);
  });
});
