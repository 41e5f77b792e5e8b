import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Registry } from '../../api/registry/registry.ts';
import type { Clock } from '../../clock/clock.ts';
import { CachedObject } from '../cache/cached-object.ts';
import { metadataPresentation, plainPresentation, tablePresentation } from './json-presentation.ts';
import type { Presentation } from './presentation.ts';

const row = new Registry().rowOf('', 'v1', 'configmaps')!;
const clock = { now: () => Date.parse('2026-01-01T00:00:10Z') } as Clock;
const map = (name: string): object => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { resourceVersion: '7', name, creationTimestamp: '2026-01-01T00:00:00Z' },
  data: { a: 'b' },
});
const cached = (name: string): CachedObject => new CachedObject(`/configmaps/default/${name}`, 7, Buffer.from(JSON.stringify(map(name))));
const partial = (name: string): object => {
  const { metadata } = map(name) as { metadata: object };
  return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata };
};

function list(
  presentation: Presentation,
  ...names: string[]
): { kind: string; apiVersion: string; metadata: object; [field: string]: unknown } {
  return JSON.parse(Buffer.concat([...presentation.list({ resourceVersion: '9' }, names.map(cached))]).toString());
}

function one(presentation: Presentation): unknown {
  return JSON.parse(presentation.one(cached('a')).toString());
}

describe('objects as JSON', () => {
  test('whole ones are as they are stored', () => {
    const whole = plainPresentation(row);
    assert.deepEqual(one(whole), map('a'));
    const head = { kind: 'ConfigMapList', apiVersion: 'v1', metadata: { resourceVersion: '9' } };
    for (const names of [[], ['a'], ['a', 'b', 'c']]) assert.deepEqual(list(whole, ...names), { ...head, items: names.map(map) });
    assert.deepEqual(whole.empty({ resourceVersion: '9' }), { ...head, kind: 'ConfigMap' });
  });

  test('metadata are what is asked for, and no more', () => {
    const metadata = metadataPresentation(row);
    assert.deepEqual(one(metadata), partial('a'));
    const head = { kind: 'PartialObjectMetadataList', apiVersion: 'meta.k8s.io/v1', metadata: { resourceVersion: '9' } };
    for (const names of [[], ['a'], ['a', 'b']]) assert.deepEqual(list(metadata, ...names), { ...head, items: names.map(partial) });
  });

  for (const [include, object] of [
    ['None', null],
    ['Metadata', partial('a')],
    ['Object', map('a')],
  ] as const)
    test(`a row of a Table has cells, and of the object: ${include}`, () => {
      const table = tablePresentation(row, include, clock);
      const { rows, columnDefinitions, kind, metadata } = list(table, 'a');
      assert.deepEqual([kind, metadata, rows], ['Table', { resourceVersion: '9' }, [{ cells: ['a', 1, '10s'], object }]]);
      assert.deepEqual(
        (columnDefinitions as { name: string }[]).map((c) => c.name),
        ['Name', 'Data', 'Age'],
      );
      const alone = one(table) as { metadata: object; rows: object[] };
      assert.deepEqual([alone.metadata, alone.rows], [{ resourceVersion: '7' }, rows]);
    });

  test('a Table of something that there is not is refused', () => {
    assert.throws(
      () => tablePresentation(row, 'All', clock),
      /Unable to convert to Table as requested: includeObject: Invalid value: "All": must be 'Metadata', 'Object', 'None', or empty/,
    );
  });
});
