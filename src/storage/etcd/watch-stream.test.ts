import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
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
function memberThat(answer: (watchId: number) => object) {
  const stream = Object.assign(new EventEmitter(), {
    cancel() {},
    write(bytes: Buffer) {
      const { createRequest } = codec.decode('WatchRequest', bytes);
      if (!createRequest) return;
      const response = codec.encode('WatchResponse', { header: { revision: 9 }, ...answer(createRequest.watchId) });
      queueMicrotask(() => stream.emit('data', response));
    },
  });
  const endpoints = { onSilence() {}, failed() {}, openWatchStream: () => ({ url: 'http://a:2379', stream }) };
  return new WatchStream(endpoints as unknown as Endpoints, new FakeClock(), silentLog, 'etcd=http://a:2379');
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
