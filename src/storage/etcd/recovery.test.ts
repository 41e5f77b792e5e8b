import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { eventually } from '../../clock/testing/eventually.ts';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { KnownError } from '../../errors/known-error.ts';
import { silentLog } from '../../observability/log.ts';
import { type Answers, FakeEtcd } from '../testing/fake-etcd.ts';
import { FaultyProxy } from '../testing/faulty-proxy.ts';
import type { EtcdSettings } from './address.ts';
import { KeySpace } from './key-space.ts';
import type { Request } from './messages.ts';
import { type Before, isSameCluster, Recovery } from './recovery.ts';

const namespace = (uid: unknown): Buffer => Buffer.from(JSON.stringify({ metadata: { uid } }));

describe('isSameCluster()', () => {
  const table: Readonly<Record<string, readonly [before: Buffer | undefined, now: Buffer | undefined, same: boolean]>> = {
    'the same uid': [namespace('a'), Buffer.from('{"metadata":{"uid":"a","labels":{}}}'), true],
    'another uid': [namespace('a'), namespace('b'), false],
    'nothing there now': [namespace('a'), undefined, false],
    'nothing known of before': [undefined, namespace('a'), true],
    'what cannot be read of before': [Buffer.from('k8s:enc:'), namespace('a'), true],
    'what cannot be read now': [namespace('a'), Buffer.from('k8s:enc:'), false],
    'a value without a uid before': [Buffer.from('{}'), undefined, true],
  };
  for (const [what, [before, now, same]] of Object.entries(table))
    test(`${what}: ${same}`, () => assert.equal(isSameCluster(before, now), same));
});

/** An etcd of few keys, which counts its revisions and may be told to jump by somebody else. */
class Scene {
  revision = 5;
  compacted = 0;
  /** The revision of the last jump. */
  jump = 0;
  cluster = namespace('a');
  /** Runs before each write of the jump. */
  beforeJump: () => void = () => {};
  /** The jumps that were taken. */
  jumps = 0;
  isAway = false;
  readonly clock = new FakeClock();
  readonly stop = new AbortController();

  get #header(): object {
    return { clusterId: 1, memberId: 1, revision: this.revision, raftTerm: 2 };
  }

  #kvs(key: string): object[] {
    const kv = { key, createRevision: 1, version: 1, lease: 0 };
    if (key === '/registry/namespaces/kube-system') return [{ ...kv, modRevision: 2, value: this.cluster }];
    return key === '/registry.jump' && this.jump > 0 ? [{ ...kv, modRevision: this.jump, value: Buffer.from('') }] : [];
  }

  readonly #txn = ({ compare = [], success = [] }: Request<'Txn'>): object => {
    const key = success[0]?.requestPut?.key;
    if (key === '/registry.jump') this.beforeJump();
    const succeeded = compare.every((one) => one?.key === '/registry.jump' && (one.modRevision ?? 0) === this.jump);
    if (succeeded && key !== undefined) this.revision++;
    if (succeeded && key === '/registry.jump') {
      this.jump = this.revision;
      this.jumps++;
    }
    return { header: this.#header, succeeded, responses: [] };
  };

  get answers(): Answers {
    return {
      Status: () => {
        if (this.isAway) throw Object.assign(new Error(), { code: status.UNAVAILABLE, details: 'it is away' });
        return { header: this.#header, version: '3.5.9', leader: 1, errors: [] };
      },
      Range: ({ key = '' }) => ({ header: this.#header, kvs: this.#kvs(key), count: 0 }),
      Compaction: ({ revision = 0 }) => {
        this.compacted = revision;
        return { header: this.#header };
      },
      Txn: this.#txn,
    };
  }

  /** `act` is given the recovery while it runs. */
  async recover(before: Before, act: (recovery: Recovery) => Promise<void> = async () => {}): Promise<boolean> {
    await using etcd = await FakeEtcd.start(this.answers);
    const space = new KeySpace('/registry', '/registry');
    const settings: EtcdSettings = { endpoints: [etcd.url], tls: undefined, shown: 'etcd=it', space, compactionMs: 0 };
    const why = new KnownError('STORE_CORRUPT', 'its revision went back');
    const recovery = new Recovery(settings, this.clock, silentLog, before, why);
    assert.equal(recovery.why, why);
    const done = recovery.run(this.stop.signal);
    await act(recovery);
    const client = await done;
    client?.close();
    return client !== undefined;
  }
}

describe('an etcd that was set back', () => {
  test('is brought above what was known, and all before is forgotten before others are told', async () => {
    const scene = new Scene();
    let compactedThen = 0;
    scene.beforeJump = () => {
      compactedThen = scene.compacted;
    };
    assert.ok(await scene.recover({ revision: 100, cluster: scene.cluster }));
    assert.ok(scene.revision > 1_100, String(scene.revision));
    assert.ok(compactedThen >= 1_100, String(compactedThen));
    assert.equal(scene.jump, scene.revision);
  });

  test('whose revision was raised by who restored it is not raised any more', async () => {
    const scene = new Scene();
    scene.revision = 1_000_000_000;
    assert.ok(await scene.recover({ revision: 100, cluster: scene.cluster }));
    // The fence of a server that begins, and the jump.
    assert.deepEqual([scene.revision, scene.jump], [1_000_000_002, 1_000_000_002]);
  });

  test('is left as it is where another server has jumped since', async () => {
    const scene = new Scene();
    scene.revision = 2_000;
    scene.jump = 1_500;
    assert.ok(await scene.recover({ revision: 100, cluster: scene.cluster }));
    assert.deepEqual([scene.jump, scene.compacted], [1_500, 0]);
  });

  test('is jumped in once when two servers do so at the same time', async () => {
    const scene = new Scene();
    scene.beforeJump = () => {
      if (scene.jump === 0) scene.jump = ++scene.revision;
    };
    assert.ok(await scene.recover({ revision: 100, cluster: scene.cluster }));
    assert.deepEqual([scene.jumps, scene.jump], [0, scene.revision], 'nothing was written behind the jump of the other one');
  });

  for (const [where, jump] of [
    ['before what was known', 3],
    ['the newest that was known', 100],
  ] as const)
    test(`is jumped in again where the last jump was ${where}`, async () => {
      const scene = new Scene();
      scene.revision = 150;
      scene.jump = jump;
      assert.ok(await scene.recover({ revision: 100, cluster: undefined }));
      assert.ok(scene.jump > 1_100);
      assert.equal(scene.jumps, 1);
    });

  test('says that it was set back also while it does not answer', async () => {
    const scene = new Scene();
    scene.isAway = true;
    const isBack = await scene.recover({ revision: 100, cluster: undefined }, async (recovery) => {
      await eventually('the next try', () => scene.clock.pending > 0);
      assert.equal(recovery.why.message, 'its revision went back');
      scene.isAway = false;
      await scene.clock.advance(999);
      assert.equal(scene.jumps, 0);
      await scene.clock.advance(1);
    });
    assert.ok(isBack);
  });

  for (const [what, cluster, revision, message] of [
    ['of another cluster', namespace('b'), 100, /without the data of this cluster/],
    ['that lacks more than a million revisions', namespace('a'), 2_000_000, /its revision went back from 2000000 to \d+$/],
  ] as const)
    test(`${what} is refused, with what to do, until it is mended`, async () => {
      const scene = new Scene();
      scene.cluster = cluster;
      const isBack = await scene.recover({ revision, cluster: namespace('a') }, async (recovery) => {
        await eventually('the reason', () => message.test(recovery.why.message));
        assert.equal(recovery.why.code, 'STORE_CORRUPT');
        assert.match(recovery.why.hint ?? '', /etcdutl snapshot restore FILE --bump-revision \d+ --mark-compacted/);
        assert.equal(scene.jump, 0);
        scene.cluster = namespace('a');
        scene.revision = 3_000_000;
        await eventually('the next try', () => scene.clock.pending > 0);
        await scene.clock.advance(1_000);
      });
      assert.ok(isBack);
      assert.ok(scene.jump > 3_000_000);
    });

  test('that does not answer holds nobody up when the store closes', async () => {
    // Takes connections, and says nothing on them.
    await using silent = await FaultyProxy.start(1);
    silent.cut();
    const space = new KeySpace('/registry', '/registry');
    const endpoints = [`http://127.0.0.1:${silent.port}`];
    const settings: EtcdSettings = { endpoints, tls: undefined, shown: 'etcd=it', space, compactionMs: 0 };
    const stop = new AbortController();
    const before = { revision: 100, cluster: undefined };
    const recovery = new Recovery(settings, new FakeClock(), silentLog, before, new KnownError('STORE_CORRUPT', 'its revision went back'));
    const done = recovery.run(stop.signal);
    await new Promise((resolve) => setImmediate(resolve));
    stop.abort();
    assert.equal(await done, undefined);
  });

  test('is tried no more when the store closes', async () => {
    const scene = new Scene();
    scene.cluster = namespace('b');
    const isBack = await scene.recover({ revision: 100, cluster: namespace('a') }, async () => {
      await eventually('the next try', () => scene.clock.pending > 0);
      scene.stop.abort();
    });
    assert.deepEqual([isBack, scene.jump], [false, 0]);
  });
});
