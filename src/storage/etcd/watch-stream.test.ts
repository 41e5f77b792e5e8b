import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { KnownError } from '../../errors/known-error.ts';
import { silentLog } from '../../observability/log.ts';
import type { Endpoints } from './endpoints.ts';
import { KeySpace } from './key-space.ts';
import { codec } from './messages.ts';
import { WatchStream } from './watch-stream.ts';
import { Watcher } from './watcher.ts';

const space = new KeySpace('/registry', '/registry');
const range = space.range('/registry/', '/registry0');

function watcher(): Watcher {
  return new Watcher({
    start: '/registry/',
    end: '/registry0',
    range,
    from: 5,
    until: Number.POSITIVE_INFINITY,
    event: () => assert.fail(),
  });
}

/** A member that answers to requests for watches as the test says. */
function memberOf(answer: (watchId: number) => object) {
  const stream = Object.assign(new EventEmitter(), {
    cancel() {},
    write(bytes: Buffer) {
      const { createRequest } = codec.decode('WatchRequest', bytes);
      if (!createRequest) return;
      const response = codec.encode('WatchResponse', { header: { revision: 9 }, ...answer(createRequest.watchId) });
      queueMicrotask(() => stream.emit('data', response));
    },
  });
  let streams = 0;
  const endpoints = {
    onSilence(_url: string) {},
    onSetBack(_why: KnownError) {},
    failed() {},
    openWatchStream: () => {
      streams++;
      return { url: 'http://a:2379', stream };
    },
  };
  const clock = new FakeClock();
  const watches = new WatchStream(endpoints as unknown as Endpoints, clock, silentLog, 'etcd=http://a:2379');
  return { stream: watches, endpoints, clock, opened: () => streams };
}

function memberThat(answer: (watchId: number) => object): WatchStream {
  return memberOf(answer).stream;
}

// As 3.4 does it, under the id of the request, and as newer versions do.
for (const known of [true, false])
  test(`a watch that etcd refuses ends with the reason${known ? '' : ', also when the refusal does not say which it is'}, and the others go on`, async () => {
    const permissionDenied = { created: true, canceled: true, cancelReason: 'etcdserver: permission denied' };
    const stream = memberThat((watchId) => (watchId === 2 ? { watchId: known ? 2 : -1, ...permissionDenied } : { watchId, created: true }));
    const [first, refused, last] = [watcher(), watcher(), watcher()];
    for (const one of [first, refused, last]) stream.fill(one);
    await assert.rejects(refused.take(), { code: 'STORE_READ_ONLY', message: /^Cannot watch store .*permission denied$/ });
    assert.deepEqual(
      [first, refused, last].map(({ hasEnded }) => hasEnded),
      [false, true, false],
    );
    assert.equal(stream.watchers.size, 2);
    stream.close();
  });

test('a refusal that does not say which watch it is of ends none that was asked for after one that was stopped', async () => {
  const stream = memberThat((watchId) =>
    watchId === 1
      ? { watchId: -1, created: true, canceled: true, cancelReason: 'etcdserver: permission denied' }
      : { watchId, created: true },
  );
  const [stopped, first, last] = [watcher(), watcher(), watcher()];
  stream.fill(stopped);
  stream.stop(stopped);
  for (const one of [first, last]) stream.fill(one);
  // Their answers come in this turn of the event loop.
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([first.hasEnded, last.hasEnded, stream.watchers.size], [false, false, 2]);
  stream.close();
});

test('watches end with the reason when the etcd was set back, those that come later at once, and no stream is opened any more', async () => {
  const { stream, endpoints, opened } = memberOf((watchId) => ({ watchId, created: true }));
  const [one, later] = [watcher(), watcher()];
  stream.fill(one);
  const why = new KnownError('STORE_CORRUPT', 'its revision went back from 9 to 4');
  Object.assign(endpoints, { setBack: why });
  endpoints.onSetBack(why);
  stream.fill(later);
  for (const ended of [one, later]) await assert.rejects(ended.take(), why);
  assert.equal(opened(), 1);
});

test('a stream that breaks right before the etcd is known to have been set back is not opened anew', async () => {
  const { stream, endpoints, opened, clock } = memberOf((watchId) => ({ watchId, created: true }));
  const one = watcher();
  stream.fill(one);
  endpoints.onSilence('http://a:2379');
  endpoints.onSetBack(new KnownError('STORE_CORRUPT', 'its revision went back from 9 to 4'));
  await assert.rejects(one.take(), { code: 'STORE_CORRUPT' });
  await clock.advance(10_000);
  assert.deepEqual([opened(), clock.pending], [1, 0]);
});
