import assert from 'node:assert/strict';
import test from 'node:test';
import { decodeProtobuf, wrapMessage } from '../../api/codec/protobuf.ts';
import { Registry } from '../../api/registry/registry.ts';
import type { Status } from '../../api/schema/types.ts';
import { everything } from '../../api/selector/label.ts';
import { CachedObject, encodeObject, spliceRevision } from '../cache/cached-object.ts';
import { ResourceCache } from '../cache/resource-cache.ts';
import { plainPresentation } from './json-presentation.ts';
import type { Presentation } from './presentation.ts';
import { protobufPresentation } from './protobuf-presentation.ts';
import { Selection } from './selection.ts';
import { WatchStream } from './watch-stream.ts';

const registry = new Registry();

const row = registry.rowOf('', 'v1', 'configmaps')!;

function configMap(name: string, revision: number): CachedObject {
  const value = encodeObject({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' } });
  return new CachedObject(`/registry/configmaps/default/${name}`, revision, spliceRevision(value, revision));
}

/** A watcher of the ConfigMap `mine`, and changes of `other` until the log has forgotten the first ones. */
function quietWatcher(presentation: Presentation = plainPresentation(row)): {
  cache: ResourceCache;
  stream: WatchStream;
  frames: Buffer[];
  room: { free: boolean };
  change(name: string): void;
} {
  const cache = new ResourceCache('/registry/configmaps/', 1);
  const frames: Buffer[] = [];
  const room = { free: true };
  let revision = 1;
  const stream = new WatchStream({
    cache,
    prefix: '/registry/configmaps/default/',
    selection: new Selection(row, everything, [{ path: 'metadata.name', op: '=', value: 'mine' }]),
    presentation,
    sink: {
      write: (frame) => {
        frames.push(frame);
        return room.free;
      },
      end: () => frames.push(Buffer.from('end')),
    },
    after: 1,
    revisionNow: () => revision,
  });
  stream.start();
  const change = (name: string): void => {
    revision++;
    const event = cache.put(configMap(name, revision), 0);
    if (event) cache.dispatch([event]);
  };
  return { cache, stream, frames, room, change };
}

test('a watcher that few events concern goes on when its connection drains', () => {
  const { cache, stream, frames, change } = quietWatcher();
  for (let i = 0; i < 25_000; i++) change('other');
  assert.ok(cache.floor > 1000);
  stream.onDrain();
  change('mine');
  assert.equal(frames.length, 1);
  assert.match(String(frames[0]), /^{"type":"ADDED".*"name":"mine"/);
});

test('a watcher that was full catches up when its connection drains', () => {
  const { stream, frames, room, change } = quietWatcher();
  room.free = false;
  change('mine');
  for (let i = 0; i < 10; i++) change('mine');
  assert.equal(frames.length, 1);
  room.free = true;
  stream.onDrain();
  assert.equal(frames.join('').match(/MODIFIED/g)?.length, 10);
});

test('a watcher of protobuf is told of a reset by an ERROR whose object is a Status', () => {
  const { cache, frames } = quietWatcher(protobufPresentation(row));
  cache.reset([], 1);
  const [error, end] = frames;
  assert.ok(error);
  const event = decodeProtobuf(wrapMessage('', '', error.subarray(4)), { apiVersion: 'v1', kind: 'WatchEvent' }) as unknown as {
    type: string;
    object: Status;
  };
  assert.deepEqual([event.type, event.object.kind, event.object.code], ['ERROR', 'Status', 410]);
  assert.equal(String(end), 'end');
});

test('watchers of one form share the bytes of an event, those of another have their own', () => {
  const cache = new ResourceCache('/registry/configmaps/', 1);
  const frames: Buffer[] = [];
  for (const presentation of [protobufPresentation(row), plainPresentation(row), protobufPresentation(row)]) {
    const sink = { write: (frame: Buffer): boolean => frames.push(frame) > 0, end: () => {} };
    const selection = new Selection(row, everything, []);
    new WatchStream({ cache, prefix: cache.prefix, selection, presentation, sink, after: 1, revisionNow: () => 1 }).start();
  }
  const event = cache.put(configMap('mine', 2), 0);
  if (event) cache.dispatch([event]);
  const [packed, plain, again] = frames;
  assert.equal(packed, again);
  assert.match(String(plain), /^{"type":"ADDED"/);
});
