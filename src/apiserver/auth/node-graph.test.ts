import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
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

  test('knows nothing of a pod without a node', () => {
    const graph = new NodeGraph();
    graph.put(podOn('', 'a', { volumes }));
    assert.equal(graph.uses('', 'secrets', 'default', 's'), false);
  });
});
