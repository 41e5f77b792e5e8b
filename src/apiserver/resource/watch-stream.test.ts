import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { decodeProtobuf, wrapMessage } from '../../api/codec/protobuf.ts';
import { Registry } from '../../api/registry/registry.ts';
import type { KubeObject } from '../../api/resource-types.ts';
import type { Status } from '../../api/schema/types.ts';
import { everything, parseLabelSelector } from '../../api/selector/label.ts';
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

test('a watcher that catches up is told of all that happened at one revision, as of what expired with one lease', () => {
  const cache = new ResourceCache('/registry/configmaps/', 1);
  const frames: string[] = [];
  const names = Array.from({ length: 300 }, (_, i) => `e${i}`);
  for (const [i, name] of names.entries()) cache.put(configMap(name, 2 + i), 0);
  for (const name of names) cache.delete(`/registry/configmaps/default/${name}`, 1_000, 0);
  cache.put(configMap('last', 1_001), 0);
  const sink = { write: (frame: Buffer): boolean => frames.push(String(frame)) > 0, end: () => {} };
  const selection = new Selection(row, everything, []);
  const presentation = plainPresentation(row);
  new WatchStream({ cache, prefix: cache.prefix, selection, presentation, sink, after: 301, revisionNow: () => 1_001 }).start();
  const told = frames.join('');
  assert.equal(told.match(/"type":"DELETED"/g)?.length, 300);
  assert.match(told.split('\n').at(-2)!, /^{"type":"ADDED".*"name":"last"/);
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

/** A watcher of all of the namespace, or of one name. */
function watcher(options: { readonly name?: string; readonly after?: number } = {}): {
  cache: ResourceCache;
  stream: WatchStream;
  frames: string[];
  /** How many events each write had. */
  writes: number[];
  room: { free: boolean };
  put(name: string, revision: number, namespace?: string): void;
  remove(name: string, revision: number): void;
} {
  const cache = new ResourceCache('/registry/configmaps/');
  const frames: string[] = [];
  const writes: number[] = [];
  const room = { free: true };
  const terms = options.name === undefined ? [] : ([{ path: 'metadata.name', op: '=', value: options.name }] as const);
  const stream = new WatchStream({
    cache,
    prefix: '/registry/configmaps/default/',
    selection: new Selection(row, everything, terms),
    presentation: plainPresentation(row),
    sink: {
      write: (frame) => {
        const lines = String(frame).trim().split('\n').map(told);
        frames.push(...lines);
        writes.push(lines.length);
        return room.free;
      },
      end: () => void frames.push('end'),
    },
    after: options.after ?? 0,
    revisionNow: () => 9,
  });
  return {
    ...{ cache, stream, frames, writes, room },
    put: (name, revision, namespace = 'default') => {
      const { bytes } = configMap(name, revision);
      cache.dispatch([cache.put(new CachedObject(`/registry/configmaps/${namespace}/${name}`, revision, bytes), 0)!]);
    },
    remove: (name, revision) => cache.dispatch([cache.delete(`/registry/configmaps/default/${name}`, revision, 0)!]),
  };
}

/** `ADDED web 7`, `ERROR 410`. */
function told(line: string): string {
  const { type, object } = JSON.parse(line);
  return type === 'ERROR'
    ? `${type} ${object.code} ${object.message}`
    : `${type} ${object.metadata.name ?? ''} ${object.metadata.resourceVersion}`;
}

describe('WatchStream', () => {
  test('tells of what comes, changes and goes, of its namespace alone', () => {
    const { stream, frames, put, remove } = watcher();
    stream.start();
    put('a', 1);
    put('a', 2);
    put('a', 3, 'shop');
    remove('a', 4);
    assert.deepEqual(frames, ['ADDED a 1', 'MODIFIED a 2', 'DELETED a 4']);
  });

  test('begins behind what the client knows', () => {
    const { stream, frames, put } = watcher({ after: 2 });
    for (const [i, name] of ['a', 'b', 'c', 'd'].entries()) put(name, i + 1);
    stream.start();
    assert.deepEqual(frames, ['ADDED c 3', 'ADDED d 4']);
  });

  test('tells nothing twice', () => {
    const { stream, cache, frames, put } = watcher();
    stream.start();
    put('a', 1);
    put('b', 2);
    stream.onEvents(cache.eventsAfter(0)!);
    assert.deepEqual(frames, ['ADDED a 1', 'ADDED b 2']);
  });

  test('writes the events of one batch at once', () => {
    const { stream, cache, frames, writes } = watcher();
    stream.start();
    cache.dispatch(['a', 'b'].map((name, i) => cache.put(configMap(name, i + 1), 0)!));
    assert.deepEqual([frames, writes], [['ADDED a 1', 'ADDED b 2'], [2]]);
  });

  test('sends what there is of its selection first', async () => {
    const { stream, frames, room } = watcher({ name: 'b' });
    let waits = 0;
    const waitForRoom = async (): Promise<void> => void waits++;
    await stream.sendInitial([configMap('a', 1), configMap('b', 2)], waitForRoom);
    assert.deepEqual([frames, waits], [['ADDED b 2'], 0]);
    room.free = false;
    await stream.sendInitial([configMap('b', 2)], waitForRoom);
    await stream.sendInitial([configMap('a', 1)], waitForRoom);
    assert.deepEqual([frames.length, waits], [2, 1]);
  });

  test('sends a quarter of a megabyte of what there is at once, and ends when its client goes meanwhile', async () => {
    const large = Array.from({ length: 6 }, (_, i) => {
      const value = encodeObject({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: `m${i}` },
        data: { x: 'x'.repeat(100_000) },
      } as KubeObject);
      return new CachedObject(`/registry/configmaps/default/m${i}`, i + 1, spliceRevision(value, i + 1));
    });
    const { stream, frames, room } = watcher();
    room.free = false;
    const at: number[] = [];
    await stream.sendInitial(large, async () => void at.push(frames.length));
    assert.deepEqual(at, [3, 6]);
    const gone = watcher();
    gone.room.free = false;
    await gone.stream.sendInitial(large, async () => gone.stream.stop());
    assert.equal(gone.frames.length, 3);
  });

  test('bookmarks what it has sent before it starts, and how far the server is then', () => {
    const { stream, frames, put, room } = watcher({ after: 2 });
    stream.bookmark();
    stream.start();
    put('a', 3);
    stream.bookmark();
    put('b', 12);
    stream.bookmark();
    assert.deepEqual(frames, ['BOOKMARK  2', 'ADDED a 3', 'BOOKMARK  9', 'ADDED b 12', 'BOOKMARK  12']);
    room.free = false;
    stream.bookmark();
    stream.bookmark();
    stream.onEvents([]);
    assert.equal(frames.length, 6);
  });

  test('sends what it has not been told of before a bookmark behind it, and not again', async () => {
    const { stream, cache, frames, put } = watcher();
    for (let i = 0; i < 100; i++) cache.listen({ mayWait: true, onEvents() {}, onReset() {} });
    stream.start();
    put('a', 5);
    assert.deepEqual(frames, []);
    stream.bookmark();
    assert.deepEqual(frames, ['ADDED a 5', 'BOOKMARK  9']);
    await nextTurn();
    assert.equal(frames.length, 2);
  });

  test('is full before it starts, and catches up only then', () => {
    const { stream, frames, room, put } = watcher();
    room.free = false;
    stream.bookmark();
    room.free = true;
    put('a', 1);
    stream.onDrain();
    assert.deepEqual(frames, ['BOOKMARK  0']);
    stream.start();
    assert.deepEqual(frames, ['BOOKMARK  0', 'ADDED a 1']);
  });

  test('is told to list again where the log does not reach back', () => {
    const { stream, cache, frames } = watcher({ after: 2 });
    cache.reset([], 5);
    stream.start();
    assert.deepEqual(frames, ['ERROR 410 too old resource version: 2 (5)', 'end']);
    assert.equal(cache.listenerCount, 0);
  });

  test('says and hears nothing after its end, which comes once', () => {
    const { stream, cache, frames, put } = watcher();
    stream.start();
    stream.end();
    assert.equal(cache.listenerCount, 0);
    put('a', 1);
    stream.onEvents(cache.eventsAfter(0)!);
    stream.bookmark();
    stream.end();
    stream.onReset();
    stream.onEnd();
    stream.start();
    assert.deepEqual([frames, cache.listenerCount], [['end'], 0]);
  });

  test('ends without a word when its resource is served no more', () => {
    const { stream, cache, frames } = watcher();
    stream.start();
    cache.end();
    assert.deepEqual(frames, ['end']);
  });

  test('catches up in pieces, and stops where its client is full', () => {
    const { stream, frames, room, put } = watcher();
    for (let i = 1; i <= 600; i++) put('a', i);
    room.free = false;
    stream.start();
    assert.equal(frames.length, 256);
    stream.onDrain();
    assert.equal(frames.length, 512);
    room.free = true;
    stream.onDrain();
    assert.deepEqual([frames.length, frames.at(-1)], [600, 'MODIFIED a 600']);
  });

  test('keeps no frames in the log that it made of old events', () => {
    const { stream, cache, put } = watcher();
    put('a', 1);
    stream.start();
    assert.equal(cache.eventsAfter(0)?.[0]?.frames.size, 0);
  });

  test('keeps the frames of what others are just being told when it catches up', async () => {
    const cache = new ResourceCache('/registry/configmaps/');
    const frames: Buffer[] = [];
    const listen = (): void => {
      const sink = { write: (frame: Buffer): boolean => frames.push(frame) > 0, end: () => {} };
      const selection = new Selection(row, everything, []);
      const presentation = plainPresentation(row);
      new WatchStream({ cache, prefix: cache.prefix, selection, presentation, sink, after: 0, revisionNow: () => 0 }).start();
    };
    for (let i = 0; i < 101; i++) listen();
    cache.dispatch([cache.put(configMap('a', 1), 0)!]);
    listen();
    await nextTurn();
    assert.deepEqual([frames.length, new Set(frames).size], [102, 1]);
    assert.equal(cache.eventsAfter(0)?.[0]?.frames.size, 0);
  });

  test('shows what no longer matches as it last matched', () => {
    const labelled = (revision: number, app: string): CachedObject => {
      const value = encodeObject({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', namespace: 'default', labels: { app } } });
      return new CachedObject('/registry/configmaps/default/a', revision, spliceRevision(value, revision));
    };
    const cache = new ResourceCache('/registry/configmaps/');
    const lines: string[] = [];
    const selection = new Selection(row, parseLabelSelector('app=web'), []);
    const sink = { write: (frame: Buffer): boolean => lines.push(String(frame)) > 0, end: () => {} };
    new WatchStream({
      cache,
      prefix: cache.prefix,
      selection,
      presentation: plainPresentation(row),
      sink,
      after: 0,
      revisionNow: () => 0,
    }).start();
    for (const [i, app] of ['db', 'web', 'db', 'web'].entries()) cache.dispatch([cache.put(labelled(i + 1, app), 0)!]);
    assert.deepEqual(
      lines.map((line) => [told(line), JSON.parse(line).object.metadata.labels.app]),
      [
        ['ADDED a 2', 'web'],
        ['DELETED a 3', 'web'],
        ['ADDED a 4', 'web'],
      ],
    );
  });
});
