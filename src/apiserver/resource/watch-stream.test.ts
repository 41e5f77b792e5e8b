import assert from 'node:assert/strict';
import test from 'node:test';
import { Registry } from '../../api/registry/registry.ts';
import { everything } from '../../api/selector/label.ts';
import { systemClock } from '../../clock/clock.ts';
import { CachedObject, encodeObject, spliceRevision } from '../cache/cached-object.ts';
import { ResourceCache } from '../cache/resource-cache.ts';
import { presentationOf } from './presentation.ts';
import { Selection } from './selection.ts';
import { WatchStream } from './watch-stream.ts';

const registry = new Registry();

const row = registry.rowOf('', 'v1', 'configmaps')!;

function configMap(name: string, revision: number): CachedObject {
  const value = encodeObject({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' } });
  return new CachedObject(`/registry/configmaps/default/${name}`, revision, spliceRevision(value, revision));
}

/** A watcher of the ConfigMap `mine`, and changes of `other` until the log has forgotten the first ones. */
function quietWatcher(): {
  cache: ResourceCache;
  stream: WatchStream;
  frames: string[];
  room: { free: boolean };
  change(name: string): void;
} {
  const cache = new ResourceCache('/registry/configmaps/', 1);
  const frames: string[] = [];
  const room = { free: true };
  let revision = 1;
  const stream = new WatchStream({
    cache,
    prefix: '/registry/configmaps/default/',
    selection: new Selection(row, everything, [{ path: 'metadata.name', op: '=', value: 'mine' }]),
    presentation: presentationOf(row, 'object', new URLSearchParams(), systemClock),
    sink: {
      write: (frame) => {
        frames.push(frame.toString());
        return room.free;
      },
      end: () => frames.push('end'),
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
  assert.match(frames[0] ?? '', /^{"type":"ADDED".*"name":"mine"/);
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
