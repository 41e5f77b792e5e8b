import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Lease } from '../api/schema/types.ts';
import { FakeClock } from '../clock/testing/fake-clock.ts';
import { isKnownError } from '../errors/known-error.ts';
import { type Log, silentLog } from '../observability/log.ts';
import { ApiError } from './api-error.ts';
import type { EventRecorder } from './event-recorder.ts';
import { LeaderElector } from './leader-election.ts';

/** One Lease, with the API server's resourceVersions. */
class FakeLeases {
  lease: Lease | undefined;
  /** What the server does in place of answering. */
  trouble: (signal: AbortSignal) => Promise<void> = async () => {};
  /** Holders in the order in which they wrote. */
  readonly writers: string[] = [];
  /** Events: about what, type, reason and message. */
  readonly told: string[] = [];
  #version = 0;

  readonly client = {
    get: async (_type: unknown, _name: string, { signal }: { signal?: AbortSignal } = {}): Promise<never> => {
      await this.trouble(signal ?? new AbortController().signal);
      if (!this.lease) throw new ApiError({ apiVersion: 'v1', kind: 'Status', metadata: {}, code: 404, reason: 'NotFound' });
      return structuredClone(this.lease) as never;
    },
    create: (_type: unknown, lease: object, options: { signal?: AbortSignal } = {}): Promise<never> => this.#write(lease as Lease, options),
    update: (_type: unknown, lease: object, options: { signal?: AbortSignal } = {}): Promise<never> => this.#write(lease as Lease, options),
  };

  async #write(lease: Lease, { signal }: { signal?: AbortSignal }): Promise<never> {
    await this.trouble(signal ?? new AbortController().signal);
    const reason = lease.metadata.resourceVersion === undefined ? 'AlreadyExists' : 'Conflict';
    if (lease.metadata.resourceVersion !== this.lease?.metadata.resourceVersion)
      throw new ApiError({ apiVersion: 'v1', kind: 'Status', metadata: {}, code: 409, reason });
    this.lease = { ...lease, metadata: { ...lease.metadata, resourceVersion: String(++this.#version) } };
    this.writers.push(this.lease.spec?.holderIdentity ?? '');
    return structuredClone(this.lease) as never;
  }
}

const hangs = (signal: AbortSignal): Promise<void> =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));

class Candidate {
  readonly elector: LeaderElector;
  readonly stop = new AbortController();
  readonly ended: Promise<unknown>;
  /** When it began and ended to act. */
  readonly acts: string[] = [];
  /** How long its work goes on when it is told to stop. */
  slowMs = 0;

  constructor(clock: FakeClock, server: FakeLeases, identity: string) {
    this.elector = electorOf(clock, server, identity);
    const work = async (signal: AbortSignal): Promise<void> => {
      this.acts.push(`begins at ${clock.monotonic()}`);
      await hangs(signal).catch(() => {});
      if (this.slowMs > 0) await clock.sleep(this.slowMs);
      this.acts.push(`ends at ${clock.monotonic()}`);
    };
    this.ended = this.elector.run(work, this.stop.signal).catch((err: unknown) => err);
  }
}

function electorOf(clock: FakeClock, { client, told }: FakeLeases, identity: string, log: Log = silentLog): LeaderElector {
  const recorder: Pick<EventRecorder, 'event'> = {
    event: ({ kind, metadata }, ...words) => void told.push([kind, metadata.namespace, metadata.name, ...words].join(' ')),
  };
  return new LeaderElector({
    client,
    recorder,
    namespace: 'kube-system',
    name: 'kube-scheduler',
    identity,
    leaseDurationMs: 15_000,
    renewDeadlineMs: 10_000,
    retryPeriodMs: 2_000,
    clock,
    log,
  });
}

const { signal } = new AbortController();

describe('tryAcquireOrRenew()', () => {
  test('makes the Lease when there is none, in the form that client-go writes', async () => {
    const server = new FakeLeases();
    assert.equal(await electorOf(new FakeClock(), server, 'a').tryAcquireOrRenew(signal), true);
    assert.deepEqual(server.lease, {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { namespace: 'kube-system', name: 'kube-scheduler', resourceVersion: '1' },
      spec: {
        holderIdentity: 'a',
        leaseDurationSeconds: 15,
        acquireTime: '2026-01-01T00:00:00.000000Z',
        renewTime: '2026-01-01T00:00:00.000000Z',
        leaseTransitions: 0,
      },
    });
  });

  test('renews its own: a later renewTime, and nothing else', async () => {
    const [clock, server] = [new FakeClock(), new FakeLeases()];
    const elector = electorOf(clock, server, 'a');
    await elector.tryAcquireOrRenew(signal);
    const before = server.lease?.spec;
    await clock.advance(2_000);
    assert.equal(await elector.tryAcquireOrRenew(signal), true);
    assert.deepEqual(server.lease?.spec, { ...before, renewTime: '2026-01-01T00:00:02.000000Z' });
  });

  test("leaves another one's alone until it was not renewed for its own duration, and counts the transition", async () => {
    const [clock, server] = [new FakeClock(), new FakeLeases()];
    await electorOf(clock, server, 'a').tryAcquireOrRenew(signal);
    if (server.lease?.spec) server.lease.spec.leaseDurationSeconds = 20;
    const other = electorOf(clock, server, 'b');
    assert.equal(await other.tryAcquireOrRenew(signal), false);
    await clock.advance(19_999);
    assert.equal(await other.tryAcquireOrRenew(signal), false);
    assert.equal(other.isLeader, false);
    await clock.advance(1);
    assert.equal(await other.tryAcquireOrRenew(signal), true);
    assert.equal(other.isLeader, true);
    const { holderIdentity, leaseTransitions, acquireTime } = server.lease?.spec ?? {};
    assert.deepEqual([holderIdentity, leaseTransitions, acquireTime], ['b', 1, '2026-01-01T00:00:20.000000Z']);
  });

  test('counts from the last renewal that it saw, whatever the clock of the other machine says', async () => {
    const [clock, server] = [new FakeClock(), new FakeLeases()];
    const [a, b] = [electorOf(clock, server, 'a'), electorOf(clock, server, 'b')];
    await a.tryAcquireOrRenew(signal);
    await b.tryAcquireOrRenew(signal);
    await clock.advance(10_000);
    await a.tryAcquireOrRenew(signal);
    if (server.lease?.spec) server.lease.spec.renewTime = '2001-01-01T00:00:00.000000Z';
    await b.tryAcquireOrRenew(signal);
    clock.leap(3_600_000);
    await clock.advance(14_999);
    assert.equal(await b.tryAcquireOrRenew(signal), false);
    await clock.advance(1);
    assert.equal(await b.tryAcquireOrRenew(signal), true);
  });

  test('waits its own duration for a Lease that says none', async () => {
    const [clock, server] = [new FakeClock(), new FakeLeases()];
    await electorOf(clock, server, 'a').tryAcquireOrRenew(signal);
    delete server.lease?.spec?.leaseDurationSeconds;
    const other = electorOf(clock, server, 'b');
    await other.tryAcquireOrRenew(signal);
    await clock.advance(14_999);
    assert.equal(await other.tryAcquireOrRenew(signal), false);
    await clock.advance(1);
    assert.equal(await other.tryAcquireOrRenew(signal), true);
  });

  test('loses to who wrote first', async () => {
    const [clock, server] = [new FakeClock(), new FakeLeases()];
    const all = ['a', 'b', 'c'].map((identity) => electorOf(clock, server, identity).tryAcquireOrRenew(signal));
    const outcomes = await Promise.allSettled(all);
    assert.equal(outcomes.filter((o) => o.status === 'fulfilled' && o.value).length, 1);
    assert.deepEqual(server.writers, ['a']);
  });
});

describe('run()', () => {
  test('gives the Lease back at the end, so that the next one leads after one retry period', async () => {
    const [clock, server] = [new FakeClock(), new FakeLeases()];
    const a = new Candidate(clock, server, 'a');
    await clock.advance(0);
    const b = new Candidate(clock, server, 'b');
    await clock.advance(100_000);
    a.stop.abort();
    await clock.advance(2_000);
    assert.deepEqual([a.acts, b.acts], [['begins at 0', 'ends at 100000'], ['begins at 102000']]);
    assert.equal(await a.ended, undefined);
    assert.equal(server.lease?.spec?.leaseTransitions, 1);
    b.stop.abort();
    await clock.advance(0);
    assert.equal(server.lease?.spec?.holderIdentity, '');
  });

  test('keeps the Lease while the work ends', async () => {
    const [clock, server] = [new FakeClock(), new FakeLeases()];
    const a = new Candidate(clock, server, 'a');
    a.slowMs = 60_000;
    await clock.advance(0);
    const b = new Candidate(clock, server, 'b');
    await clock.advance(1_000);
    a.stop.abort();
    await clock.advance(59_999);
    assert.deepEqual(b.acts, []);
    await clock.advance(3_000);
    assert.deepEqual([a.acts[1], b.acts], ['ends at 61000', ['begins at 62000']]);
  });

  for (const [name, trouble] of [
    ['refuses', () => Promise.reject(new Error('no route'))],
    ['never answers', hangs],
  ] as const)
    test(`stops the work at the renew deadline when the server ${name}, before anybody else may lead`, async () => {
      const [clock, server] = [new FakeClock(), new FakeLeases()];
      const a = new Candidate(clock, server, 'a');
      await clock.advance(0);
      server.trouble = trouble;
      await clock.advance(9_999);
      assert.deepEqual(a.acts, ['begins at 0']);
      await clock.advance(1);
      assert.deepEqual(a.acts, ['begins at 0', 'ends at 10000']);
      assert.equal(await a.ended, undefined);
      assert.deepEqual(server.writers, ['a'], 'it left alone what may be the Lease of another one');
    });

  test('goes on leading over an outage that is shorter', async () => {
    const [clock, server] = [new FakeClock(), new FakeLeases()];
    const a = new Candidate(clock, server, 'a');
    await clock.advance(0);
    server.trouble = hangs;
    await clock.advance(7_000);
    server.trouble = async () => {};
    await clock.advance(60_000);
    assert.deepEqual(a.acts, ['begins at 0']);
    assert.equal(
      server.writers.every((writer) => writer === 'a'),
      true,
    );
  });

  test("stops at once when the Lease is seen to be another one's", async () => {
    const [clock, server] = [new FakeClock(), new FakeLeases()];
    const a = new Candidate(clock, server, 'a');
    await clock.advance(0);
    if (server.lease)
      server.lease = { ...server.lease, metadata: { ...server.lease.metadata, resourceVersion: '99' }, spec: { holderIdentity: 'b' } };
    await clock.advance(2_000);
    assert.deepEqual(a.acts, ['begins at 0', 'ends at 2000']);
    assert.equal(server.lease?.spec?.holderIdentity, 'b');
  });

  test('tells that the process must end when the work goes on although the Lease ran out', async () => {
    const [clock, server] = [new FakeClock(), new FakeLeases()];
    const a = new Candidate(clock, server, 'a');
    a.slowMs = 3_600_000;
    await clock.advance(0);
    server.trouble = hangs;
    await clock.advance(14_999);
    assert.equal(a.elector.isExpired, false);
    let outcome: unknown;
    void a.ended.then((err) => {
      outcome = err;
    });
    await clock.advance(1);
    assert.equal(a.elector.isExpired, true);
    assert.ok(isKnownError(outcome, 'TIMED_OUT'));
  });

  test('lets nothing be written from the renew deadline on, also before anybody could tell the work to stop', async () => {
    const [clock, server] = [new FakeClock(), new FakeLeases()];
    const elector = electorOf(clock, server, 'a');
    assert.equal(elector.mayAct, false);
    await elector.tryAcquireOrRenew(signal);
    await clock.advance(9_999);
    assert.equal(elector.mayAct, true);
    // Frozen for a second: time goes on, timers do not.
    await clock.advance(1);
    assert.deepEqual([elector.isLeader, elector.mayAct, elector.isExpired], [true, false, false]);
    await elector.tryAcquireOrRenew(signal);
    assert.equal(elector.mayAct, true);
    if (server.lease)
      server.lease = { ...server.lease, metadata: { ...server.lease.metadata, resourceVersion: '99' }, spec: { holderIdentity: 'b' } };
    await elector.tryAcquireOrRenew(signal);
    assert.equal(elector.mayAct, false);
  });

  test('throws what the work throws, and gives the Lease back', async () => {
    const [clock, server] = [new FakeClock(), new FakeLeases()];
    const failing = electorOf(clock, server, 'a').run(() => Promise.reject(new Error('out of memory')), signal);
    await assert.rejects(failing, /out of memory/);
    assert.equal(server.lease?.spec?.holderIdentity, '');
  });

  test('waits for nothing when it is told to stop before it leads', async () => {
    const [clock, server] = [new FakeClock(), new FakeLeases()];
    await electorOf(clock, server, 'a').tryAcquireOrRenew(signal);
    const b = new Candidate(clock, server, 'b');
    await clock.advance(5_000);
    b.stop.abort();
    assert.equal(await b.ended, undefined);
    assert.deepEqual([b.acts, server.writers], [[], ['a']]);
  });

  test('never leads while the server answers nothing but errors', async () => {
    const [clock, server] = [new FakeClock(), new FakeLeases()];
    server.trouble = () => Promise.reject(new Error('forbidden'));
    const a = new Candidate(clock, server, 'a');
    await clock.advance(60_000);
    assert.deepEqual(a.acts, []);
    server.trouble = async () => {};
    await clock.advance(2_000);
    assert.deepEqual(a.acts, ['begins at 62000']);
  });

  test('ends at once when it is told to while an answer is late', async () => {
    const [clock, server] = [new FakeClock(), new FakeLeases()];
    server.trouble = hangs;
    const a = new Candidate(clock, server, 'a');
    await clock.advance(1_000);
    a.stop.abort();
    await clock.advance(0);
    assert.equal(await a.ended, undefined);
    assert.equal(clock.pending, 0);
  });

  test('asks again when an answer is late, after half the renew deadline', async () => {
    const [clock, server] = [new FakeClock(), new FakeLeases()];
    const asked: number[] = [];
    server.trouble = (signal) => {
      asked.push(clock.monotonic());
      return hangs(signal);
    };
    const a = new Candidate(clock, server, 'a');
    await clock.advance(14_000);
    assert.deepEqual(asked, [0, 7_000, 14_000]);
    a.stop.abort();
    await clock.advance(0);
  });

  test('asks at least twice within the renew deadline', async () => {
    const [clock, server] = [new FakeClock(), new FakeLeases()];
    const a = new Candidate(clock, server, 'a');
    await clock.advance(0);
    const asked: number[] = [];
    server.trouble = (signal) => {
      asked.push(clock.monotonic());
      return hangs(signal);
    };
    await clock.advance(10_000);
    assert.deepEqual(asked, [2_000, 9_000]);
    assert.equal(await a.ended, undefined);
  });

  test('does not wait at its end for a server that no longer answers', async () => {
    const [clock, server] = [new FakeClock(), new FakeLeases()];
    const a = new Candidate(clock, server, 'a');
    await clock.advance(0);
    server.trouble = hangs;
    a.stop.abort();
    let isOver = false;
    void a.ended.then(() => {
      isOver = true;
    });
    await clock.advance(4_999);
    assert.ok(!isOver);
    await clock.advance(1);
    assert.ok(isOver);
  });

  test('leaves no timer behind', async () => {
    const [clock, server] = [new FakeClock(), new FakeLeases()];
    const a = new Candidate(clock, server, 'a');
    await clock.advance(6_000);
    a.stop.abort();
    await clock.advance(0);
    assert.equal(clock.pending, 0);
  });

  test('says that it leads, that it lost the lead, and once what is in the way', async () => {
    const [clock, server] = [new FakeClock(), new FakeLeases()];
    const said: string[] = [];
    const say = (level: string) => (msg: string) => void said.push(`${level}: ${msg}`);
    const log = { ...silentLog, info: say('info'), warn: say('warn'), error: say('error') };
    const forbidden = (): Promise<never> => Promise.reject(new Error('forbidden'));
    server.trouble = forbidden;
    const stop = new AbortController();
    const ended = electorOf(clock, server, 'a', log).run((term) => hangs(term).catch(() => {}), stop.signal);
    await clock.advance(10_000);
    server.trouble = async () => {};
    await clock.advance(2_000);
    server.trouble = forbidden;
    await clock.advance(10_000);
    await ended;
    assert.deepEqual(said, [
      'warn: Cannot take lease "kube-system/kube-scheduler" yet: forbidden',
      'info: Leading by lease "kube-system/kube-scheduler"',
      'warn: Cannot take lease "kube-system/kube-scheduler" yet: forbidden',
      'error: Lost lease "kube-system/kube-scheduler"',
    ]);
  });

  test('tells the cluster who leads and who no longer does, as client-go does', async () => {
    const [clock, server] = [new FakeClock(), new FakeLeases()];
    const a = new Candidate(clock, server, 'a');
    await clock.advance(0);
    const b = new Candidate(clock, server, 'b');
    a.stop.abort();
    await clock.advance(4_000);
    server.trouble = hangs;
    await clock.advance(20_000);
    const told = ['a became leader', 'a stopped leading', 'b became leader', 'b stopped leading'];
    assert.deepEqual(
      server.told,
      told.map((words) => `Lease kube-system kube-scheduler Normal LeaderElection ${words}`),
    );
    await Promise.all([a.ended, b.ended]);
  });

  test('says nothing of another one that was faster', async () => {
    const [clock, server] = [new FakeClock(), new FakeLeases()];
    const said: string[] = [];
    const log = { ...silentLog, warn: (msg: string) => void said.push(msg) };
    const stop = new AbortController();
    const all = ['a', 'b', 'c'].map((name) => electorOf(clock, server, name, log).run((term) => hangs(term).catch(() => {}), stop.signal));
    await clock.advance(10_000);
    assert.deepEqual(said, []);
    stop.abort();
    await clock.advance(10_000);
    await Promise.all(all);
  });
});
