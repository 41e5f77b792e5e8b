import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decodeProtobuf, wrapMessage } from '../../api/codec/protobuf.ts';
import type { KubeObject } from '../../api/resource-types.ts';
import { CachedObject, encodeObject, spliceRevision } from './cached-object.ts';

const object = {
  data: { metadata: '"metadata":{' },
  metadata: { name: 'ä', resourceVersion: '7' },
  kind: 'ConfigMap',
  apiVersion: 'v1',
} as KubeObject;

describe('the bytes of an object', () => {
  test('are stored without resourceVersion and shown with it', () => {
    const stored = encodeObject(object);
    assert.equal(
      stored.toString(),
      '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"ä"},"data":{"metadata":"\\"metadata\\":{"}}',
    );
    assert.equal(
      spliceRevision(stored, 42).toString(),
      '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"resourceVersion":"42","name":"ä"},"data":{"metadata":"\\"metadata\\":{"}}',
    );
  });

  test('are put together once for the two who ask for a record that was written', () => {
    const record = { key: '/registry/configmaps/default/a', value: encodeObject(object), createRevision: 3, modRevision: 3 };
    const [one, two, three] = [1, 2, 3].map(() => CachedObject.ofWritten(record));
    assert.equal(one, two);
    assert.notEqual(one, three);
    assert.deepEqual(three?.bytes, one?.bytes);
  });

  test('are brought into form when something else wrote them', () => {
    const foreign = Buffer.from('{"kind":"ConfigMap","metadata":{"name":"a","resourceVersion":"1"},"apiVersion":"v1"}');
    const parsed = JSON.parse(spliceRevision(foreign, 5).toString()) as KubeObject;
    assert.deepEqual(parsed.metadata, { resourceVersion: '5', name: 'a' });
  });

  test('take another revision for a deletion', () => {
    const cached = new CachedObject('/registry/configmaps/default/a', 5, spliceRevision(encodeObject(object), 5));
    const later = cached.at(9);
    assert.equal(later.object.metadata.resourceVersion, '9');
    assert.deepEqual({ ...later.object, metadata: 0 }, { ...cached.object, metadata: 0 });
    assert.equal(cached.object.metadata.resourceVersion, '5');
  });
});

describe('CachedObject.of()', () => {
  for (const value of ['', '\0\0\0', 'null', '[]', '{"kind":"Pod"}', '{"metadata":null}'])
    test(`says which key of the store holds ${JSON.stringify(value)}, which is no object`, () => {
      const record = { key: '/registry/pods/default/web', value: Buffer.from(value), createRevision: 1, modRevision: 2 };
      assert.throws(() => CachedObject.of(record), {
        code: 'STORE_CORRUPT',
        message: 'Cannot read "/registry/pods/default/web" of the store: its value is no object',
      });
    });
});

describe('the protobuf message of an object', () => {
  const cached = (): CachedObject => new CachedObject('k', 42, spliceRevision(encodeObject(object), 42));

  test('says what the JSON says', () => {
    const { message } = cached();
    const shown = decodeProtobuf(wrapMessage('v1', 'ConfigMap', message));
    assert.deepEqual(shown, { ...object, metadata: { name: 'ä', resourceVersion: '42' } });
  });

  test('is made once, and made anew when nobody had asked for a while', () => {
    const one = cached();
    const { message } = one;
    one.age();
    assert.equal(one.message, message);
    one.age();
    one.age();
    assert.notEqual(one.message, message);
    assert.deepEqual(one.message, message);
  });

  test('is let go when another object has taken its place', () => {
    const one = cached();
    const { message } = one;
    one.retire();
    assert.notEqual(one.message, message);
  });
});
