import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { silentLog } from '../../observability/log.ts';
import { compactRound, compactTo, keepCompacting } from './compactor.ts';
import type { Endpoints } from './endpoints.ts';

/** An etcd with a key that counts the rounds, and a revision. */
class FakeEtcd {
  version = 0;
  revision = 100;
  readonly compacted: number[] = [];
  failure: Error | undefined;

  async call(method: string, request: { revision?: number; compare?: readonly { version: number }[] }): Promise<unknown> {
    if (this.failure) throw this.failure;
    if (method === 'Compaction') return this.compacted.push(request.revision!);
    const succeeded = request.compare![0]!.version === this.version;
    if (succeeded) this.version++;
    const responses = succeeded || this.version === 0 ? [{}] : [{ responseRange: { kvs: [{ version: this.version }] } }];
    return { response: { header: { revision: this.revision }, succeeded, responses } };
  }

  get endpoints(): Endpoints {
    return this as unknown as Endpoints;
  }
}

describe('compactRound()', () => {
  test('only looks at first, and compacts in the next round to the revision of the one before', async () => {
    const etcd = new FakeEtcd();
    const first = await compactRound(etcd.endpoints, { version: 0, revision: 0 });
    assert.deepEqual([first, etcd.compacted], [{ version: 1, revision: 100 }, []]);
    etcd.revision = 200;
    assert.deepEqual(await compactRound(etcd.endpoints, first), { version: 2, revision: 200 });
    assert.deepEqual(etcd.compacted, [100]);
  });

  test('leaves it to the server that was faster, and knows its round then', async () => {
    const etcd = new FakeEtcd();
    etcd.version = 7;
    assert.deepEqual(await compactRound(etcd.endpoints, { version: 5, revision: 50 }), { version: 7, revision: 100 });
    etcd.version = 0;
    assert.deepEqual(await compactRound(etcd.endpoints, { version: 7, revision: 50 }), { version: 0, revision: 100 });
    assert.deepEqual(etcd.compacted, []);
  });
});

test('compactTo() is done when somebody compacted that far already, and tells everything else', async () => {
  const etcd = new FakeEtcd();
  etcd.failure = Object.assign(new Error(), { code: status.OUT_OF_RANGE, details: 'mvcc: required revision has been compacted' });
  await compactTo(etcd.endpoints, 5);
  etcd.failure = new Error('no answer');
  await assert.rejects(compactTo(etcd.endpoints, 5), /no answer/);
});

test('keepCompacting() goes round by its period, says what fails, goes on, and ends with the signal', async () => {
  const etcd = new FakeEtcd();
  const clock = new FakeClock();
  const said: unknown[] = [];
  const stop = new AbortController();
  const log = { ...silentLog, warn: (...words: unknown[]) => void said.push(words) };
  const running = keepCompacting(etcd.endpoints, 1_000, clock, log, stop.signal);
  await clock.advance(999);
  assert.equal(etcd.version, 0);
  await clock.advance(1);
  assert.equal(etcd.version, 1);
  etcd.failure = new Error('no answer');
  await clock.advance(1_000);
  assert.deepEqual(said, [['cannot compact etcd, trying again next time', { error: 'no answer' }]]);
  etcd.failure = undefined;
  await clock.advance(1_000);
  assert.deepEqual([etcd.version, etcd.compacted], [2, [100]]);
  stop.abort();
  await running;
});
