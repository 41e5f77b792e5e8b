import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { KnownError } from '../../errors/known-error.ts';
import { silentLog } from '../../observability/log.ts';
import type { Endpoints } from './endpoints.ts';
import { KeySpace } from './key-space.ts';
import { codec } from './messages.ts';
import { NewestWrite } from './newest-write.ts';
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
    event: () => ({ kind: 'delete', revision: 9, key: '/registry/a', previous: undefined }),
  });
}

/** A member that answers to requests for watches as the test says. */
function memberOf(answer: (watchId: number) => object) {
  const stream = Object.assign(new EventEmitter(), {
    cancel(): unknown {
      return undefined;
    },
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
    failed() {},
    newest: new NewestWrite(),
    isSure: true,
    openWatchStream: async () => {
      streams++;
      return { url: 'http://a:2379', stream, isSure: () => endpoints.isSure };
    },
  };
  const clock = new FakeClock();
  const watches = new WatchStream(endpoints as unknown as Endpoints, clock, silentLog, 'etcd=http://a:2379');
  return { stream: watches, endpoints, clock, opened: () => streams };
}

/** The stream is opened, and answers come, within a turn of the event loop. */
function thisTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
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
    watchId === 2
      ? { watchId: -1, created: true, canceled: true, cancelReason: 'etcdserver: permission denied' }
      : { watchId, created: true },
  );
  const [before, stopped, first, last] = [watcher(), watcher(), watcher(), watcher()];
  stream.fill(before);
  await thisTurn();
  stream.fill(stopped);
  stream.stop(stopped);
  for (const one of [first, last]) stream.fill(one);
  await thisTurn();
  assert.deepEqual([before, first, last].map((one) => one.hasEnded).concat(stopped.hasEnded), [false, false, false, false]);
  assert.equal(stream.watchers.size, 3);
  stream.close();
});

test('watches end with the reason when the etcd was set back, those that come later at once, and no stream is opened any more', async () => {
  const { stream, endpoints, opened } = memberOf((watchId) => ({ watchId, created: true }));
  const [one, later] = [watcher(), watcher()];
  stream.fill(one);
  await thisTurn();
  const why = new KnownError('STORE_CORRUPT', 'its revision went back from 9 to 4');
  Object.assign(endpoints, { setBack: why });
  stream.close(why);
  stream.fill(later);
  for (const ended of [one, later]) await assert.rejects(ended.take(), why);
  assert.equal(opened(), 1);
});

test('a stream that breaks right before the etcd is known to have been set back is not opened anew', async () => {
  const { stream, endpoints, opened, clock } = memberOf((watchId) => ({ watchId, created: true }));
  const one = watcher();
  stream.fill(one);
  await thisTurn();
  endpoints.onSilence('http://a:2379');
  stream.close(new KnownError('STORE_CORRUPT', 'its revision went back from 9 to 4'));
  await assert.rejects(one.take(), { code: 'STORE_CORRUPT' });
  await clock.advance(10_000);
  assert.deepEqual([opened(), clock.pending], [1, 0]);
});

test('a stream whose connection nobody has looked at is left at its first answer, and no event of it is taken', async () => {
  const event = { type: 0, kv: { key: '/registry/a', modRevision: 9, value: Buffer.from('of another history') } };
  const { stream, endpoints, opened, clock } = memberOf((watchId) => ({ watchId, events: [event] }));
  endpoints.isSure = false;
  const one = watcher();
  stream.fill(one);
  await thisTurn();
  assert.deepEqual([opened(), one.next, endpoints.newest.revision], [1, 5, 0]);
  endpoints.isSure = true;
  await clock.advance(50);
  await thisTurn();
  assert.equal(opened(), 2);
  assert.equal(endpoints.newest.revision, 9);
  stream.close();
});

test('a stream that cannot be opened is tried again, ever more seldom', async () => {
  const { stream, endpoints, opened, clock } = memberOf((watchId) => ({ watchId, created: true }));
  const { openWatchStream } = endpoints;
  let tries = 0;
  endpoints.openWatchStream = async () => {
    tries++;
    throw new Error('nobody is there');
  };
  for (const one of [watcher(), watcher()]) stream.fill(one);
  for (const ms of [50, 100, 200, 400, 800, 1_000]) {
    await thisTurn();
    const before = tries;
    await clock.advance(ms - 1);
    assert.equal(tries, before);
    await clock.advance(1);
    assert.equal(tries, before + 1);
  }
  endpoints.openWatchStream = openWatchStream;
  await thisTurn();
  await clock.advance(1_000);
  assert.deepEqual([opened(), stream.watchers.size], [1, 2]);
  stream.close();
});

test('a stream that is opened while the store closes is ended', async () => {
  const { stream, endpoints } = memberOf((watchId) => ({ watchId, created: true }));
  const opening = Promise.withResolvers<void>();
  const { openWatchStream } = endpoints;
  let ended = 0;
  endpoints.openWatchStream = async () => {
    await opening.promise;
    const opened = await openWatchStream();
    // gRPC says so by an error, which nobody else would hear.
    opened.stream.cancel = () => opened.stream.emit('error', new Error(`cancelled, ${++ended}`));
    return opened;
  };
  stream.fill(watcher());
  stream.close();
  opening.resolve();
  await thisTurn();
  assert.equal(ended, 1);
});
