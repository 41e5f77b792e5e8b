import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ConfigMap } from '../api/schema/types.ts';
import { Indexer } from './indexer.ts';

function configMap(name: string, ...colours: readonly string[]): ConfigMap {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: Object.fromEntries(colours.map((c) => [c, ''])) };
}

const coloursOf = (o: ConfigMap): string[] => Object.keys(o.data ?? {});
const namesOf = (objects: readonly ConfigMap[]): string[] => objects.map((o) => o.metadata.name);

test('an object is found by each of its values, and by none that it had before', () => {
  const indexer = new Indexer<ConfigMap>();
  indexer.addIndex('colour', coloursOf);
  indexer.put('a', configMap('a', 'red', 'blue'));
  indexer.put('b', configMap('b', 'red'));
  assert.deepEqual(namesOf(indexer.byIndex('colour', 'red')), ['a', 'b']);
  assert.deepEqual(namesOf(indexer.byIndex('colour', 'blue')), ['a']);
  indexer.put('a', configMap('a', 'green'));
  assert.deepEqual(namesOf(indexer.byIndex('colour', 'red')), ['b']);
  assert.deepEqual(namesOf(indexer.byIndex('colour', 'blue')), []);
  assert.deepEqual(namesOf(indexer.byIndex('colour', 'green')), ['a']);
  indexer.delete('b');
  indexer.delete('never there');
  assert.deepEqual(namesOf(indexer.byIndex('colour', 'red')), []);
  assert.deepEqual([namesOf(indexer.list()), [...indexer.keys()]], [['a'], ['a']]);
  assert.deepEqual([indexer.get('a')?.metadata.name, indexer.get('b')], ['a', undefined]);
});

test('an index that comes late has what is there; a second one of the same name changes nothing', () => {
  const indexer = new Indexer<ConfigMap>();
  indexer.put('a', configMap('a', 'red'));
  indexer.addIndex('colour', coloursOf);
  indexer.addIndex('colour', () => ['grey']);
  assert.deepEqual(namesOf(indexer.byIndex('colour', 'red')), ['a']);
  assert.deepEqual(indexer.byIndex('colour', 'grey'), []);
  assert.deepEqual(indexer.byIndex('shape', 'red'), []);
});
