import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Registry } from '../../api/registry/registry.ts';
import { parseFieldSelector } from '../../api/selector/field.ts';
import { everything, parseLabelSelector } from '../../api/selector/label.ts';
import { CachedObject } from '../cache/cached-object.ts';
import { Selection } from './selection.ts';

const row = new Registry().rowOf('', 'v1', 'pods')!;
const pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace: 'default', labels: { app: 'web' } },
  spec: { nodeName: 'n1' },
  status: { phase: 'Running' },
};
const object = new CachedObject('/pods/default/web', 7, Buffer.from(JSON.stringify(pod)));
const select = (labels: string, fields: string): Selection =>
  new Selection(row, labels ? parseLabelSelector(labels) : everything, fields ? parseFieldSelector(fields) : []);

describe('Selection', () => {
  for (const [labels, fields, matches] of [
    ['', '', true],
    ['app=web', '', true],
    ['app=db', '', false],
    ['', 'metadata.name=web', true],
    ['', 'metadata.name!=web', false],
    ['', 'metadata.name=eb', false],
    ['', 'spec.nodeName=n1,status.phase=Running', true],
    ['', 'spec.nodeName=n1,status.phase=Pending', false],
    ['', 'status.phase!=Pending', true],
    ['app=web', 'spec.nodeName=n2', false],
    ['app=db', 'spec.nodeName=n1', false],
  ] as const)
    test(`${JSON.stringify(labels)} and ${JSON.stringify(fields)} ${matches ? 'find' : 'pass over'} the pod`, () => {
      assert.equal(select(labels, fields).matches(object), matches);
    });

  test('takes the name of an object from its key', () => {
    const unread = new CachedObject('/pods/default/web', 7, Buffer.from('no object'));
    assert.equal(select('', 'metadata.name=web').matches(unread), true);
    assert.equal(select('', 'metadata.name=other').matches(unread), false);
  });

  test('is all only without labels and fields', () => {
    assert.deepEqual([Selection.everything(row).all, select('app=web', '').all, select('', 'status.phase=x').all], [true, false, false]);
  });

  test('knows the name that its objects must have', () => {
    assert.equal(select('', 'status.phase=x,metadata.name=web').name, 'web');
    assert.equal(select('', 'metadata.name!=web').name, undefined);
  });

  test('is looked up by the node or the name, and by nothing else', () => {
    const of = (fields: string): unknown[] | undefined => {
      const { index } = select('', fields);
      return index && [index.field, index.value, index.valueOf(object)];
    };
    assert.deepEqual(of('status.phase=x,spec.nodeName=n2'), ['spec.nodeName', 'n2', 'n1']);
    assert.deepEqual(of('metadata.name=db'), ['metadata.name', 'db', 'web']);
    assert.deepEqual([of('spec.nodeName!=n1'), of('status.phase=Running'), of('')], [undefined, undefined, undefined]);
  });
});
