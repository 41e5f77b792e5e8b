import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readYaml } from '../../api/codec/yaml.ts';
import { Registry } from '../../api/registry/registry.ts';
import type { Clock } from '../../clock/clock.ts';
import { CachedObject } from '../cache/cached-object.ts';
import { metadataPresentation, plainPresentation, tablePresentation } from './json-presentation.ts';
import { yamlPresentation } from './yaml-presentation.ts';

const row = new Registry().rowOf('', 'v1', 'configmaps')!;
const clock = { now: () => Date.parse('2026-01-01T00:00:10Z') } as Clock;
const cached = (name: string): CachedObject => {
  const metadata = { resourceVersion: '7', name, creationTimestamp: '2026-01-01T00:00:00Z' };
  const map = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { a: 'b\nc', yes: 'no' } };
  return new CachedObject(`/configmaps/default/${name}`, 7, Buffer.from(JSON.stringify(map)));
};
const textOf = (pieces: Iterable<Buffer>): string => Buffer.concat([...pieces]).toString();

for (const base of [plainPresentation(row), metadataPresentation(row), tablePresentation(row, 'Metadata', clock)])
  test(`in YAML ${base.id} says what it says in JSON`, () => {
    const yaml = yamlPresentation(base);
    assert.equal(yaml.encoding.contentType, 'application/yaml');
    const alone = yaml.one(cached('a')).toString();
    assert.doesNotMatch(alone, /^\{/);
    assert.deepEqual(readYaml(alone).value, JSON.parse(base.one(cached('a')).toString()));
    for (const names of [[], ['a'], ['a', 'b', 'c']]) {
      const meta = { resourceVersion: '9', continue: 'x' };
      const text = textOf(yaml.list(meta, names.map(cached)));
      assert.match(text, /^apiVersion: .*\n(columnDefinitions:|items:|kind:)/);
      assert.deepEqual(readYaml(text).value, JSON.parse(textOf(base.list(meta, names.map(cached)))));
    }
  });
