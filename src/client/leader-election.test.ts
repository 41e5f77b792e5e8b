import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readTerm } from '../api/leader-term.ts';
import { FakeClock } from '../clock/testing/fake-clock.ts';
import { type Log, silentLog } from '../observability/log.ts';
import type { EventRecorder } from './event-recorder.ts';
import { LeaderElector } from './leader-election.ts';
import type { Term } from './term.ts';
import { FakeLeases, hangs } from './testing/fake-leases.ts';

class Candidate {
  readonly elector: LeaderElector;
  readonly stop = new AbortController();
  readonly ended: Promise<unknown>;
  /** When it began and ended to act. */
  readonly acts: string[] = [];
  /** How long its work goes on when it is told to stop. */
  slowMs = 0;
  /** In order. */
  readonly terms: Term[] = [];

  constructor(clock: FakeClock, server: FakeLeases, identity: string) {
    this.elector = electorOf(clock, server, identity);
    const work = async (term: Term): Promise<void> => {
      const { signal } = term;
      this.terms.push(term);
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
    await clock.advance(1);
    assert.equal(await other.tryAcquireOrRenew(signal), true);
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

  test('begins a term of its own over a Lease that bears its name already', async () => {
    const [clock, server] = [new FakeClock(), new FakeLeases()];
    await electorOf(clock, server, 'a').tryAcquireOrRenew(signal);
    await clock.advance(1_000);
    await electorOf(clock, server, 'a').tryAcquireOrRenew(signal);
    assert.equal(server.lease?.spec?.acquireTime, '2026-01-01T00:00:01.000000Z');
  });

  test('waits its own duration for a Lease that says none', async () => {
    const [clock, server] = [new FakeClock(), new FakeLeases()];
    await electorOf(clock, server, 'a').tryAcquireOrRenew(signal);
    delete server.lease?.spec?.leaseDurationSeconds;
    delete server.lease?.spec?.leaseTransitions;
    const other = electorOf(clock, server, 'b');
    await other.tryAcquireOrRenew(signal);
    await clock.advance(14_999);
    assert.equal(await other.tryAcquireOrRenew(signal), false);
    await clock.advance(1);
    assert.equal(await other.tryAcquireOrRenew(signal), true);
    assert.equal(server.lease?.spec?.leaseTransitions, 1);
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
    // As client-go gives it back; no duration would be refused.
    const { holderIdentity, leaseDurationSeconds } = server.lease?.spec ?? {};
    assert.deepEqual([holderIdentity, leaseDurationSeconds], ['', 1]);
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
      assert.deepEqual([a.terms[0]?.mayAct(), a.elector.isLeader], [false, false]);
      assert.deepEqual(server.writers, ['a'], 'it left alone what may be the Lease of another one');
      await clock.advance(5_000);
      assert.equal(await a.ended, undefined);
    });

  test('names its term to API servers: the same through renewals, another one after the Lease was deleted', async () => {
    const [clock, server] = [new FakeClock(), new FakeLeases()];
    const a = new Candidate(clock, server, 'a');
    await clock.advance(1_000);
    const named = (): unknown => readTerm(a.terms[0]?.text() ?? '');
    const term = { namespace: 'kube-system', name: 'kube-scheduler', holder: 'a', acquired: '2026-01-01T00:00:00.000000Z' };
    assert.deepEqual(named(), term);
    await clock.advance(60_000);
    assert.deepEqual(named(), term);
    server.lease = undefined;
    await clock.advance(2_000);
    assert.deepEqual([named(), a.terms.length], [{ ...term, acquired: server.lease!.spec!.acquireTime }, 1]);
    assert.notEqual(server.lease!.spec!.acquireTime, term.acquired);
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
    server.givenTo('b');
    await clock.advance(2_000);
    assert.deepEqual(a.acts, ['begins at 0', 'ends at 2000']);
    assert.equal(server.lease?.spec?.holderIdentity, 'b');
  });

  test('leaves alone work that goes on although the Lease ran out: it may act no more, and this one may lead again', async () => {
    const [clock, server] = [new FakeClock(), new FakeLeases()];
    const said: string[] = [];
    const elector = electorOf(clock, server, 'a', { ...silentLog, warn: (msg: string) => void said.push(msg) });
    const terms: Term[] = [];
    const endless = (term: Term): Promise<void> => new Promise(() => void terms.push(term));
    const stop = new AbortController();
    let isOver = false;
    const first = elector.run(endless, stop.signal).finally(() => {
      isOver = true;
    });
    await clock.advance(0);
    server.trouble = hangs;
    await clock.advance(14_999);
    assert.deepEqual([isOver, elector.isExpired], [false, false]);
    await clock.advance(1);
    await first;
    assert.equal(said.at(-1), 'The work of the last term under lease "kube-system/kube-scheduler" has not ended; it can write no more');
    server.trouble = async () => {};
    void elector.run(endless, stop.signal);
    await clock.advance(0);
    assert.deepEqual(
      terms.map(({ signal, mayAct }) => [signal.aborted, mayAct()]),
      [
        [true, false],
        [false, true],
      ],
    );
  });

  test('lets nobody act from the renew deadline on, also before anything could tell the work to stop', async () => {
    const [clock, server] = [new FakeClock(), new FakeLeases()];
    const a = new Candidate(clock, server, 'a');
    await clock.advance(0);
    server.trouble = hangs;
    await clock.advance(9_999);
    const [term] = a.terms;
    assert.deepEqual([term?.mayAct(), a.elector.isLeader, a.elector.isExpired], [true, true, false]);
    // It was frozen: time went on, timers did not.
    clock.freeze(1);
    assert.deepEqual([term?.mayAct(), a.elector.isLeader, a.elector.isExpired], [false, true, false]);
    clock.freeze(5_000);
    assert.deepEqual([term?.mayAct(), a.elector.isLeader, a.elector.isExpired], [false, true, true]);
    await clock.advance(0);
    assert.deepEqual([term?.signal.aborted, a.elector.isLeader, a.elector.isExpired], [true, false, false]);
  });

  test('a process that was frozen gives its work the same time to end, however long ago the Lease ran out', async () => {
    const [clock, server] = [new FakeClock(), new FakeLeases()];
    const a = new Candidate(clock, server, 'a');
    a.slowMs = 4_000;
    await clock.advance(0);
    clock.freeze(3_600_000);
    server.trouble = hangs;
    let isOver = false;
    const ended = a.ended.finally(() => {
      isOver = true;
    });
    await clock.advance(4_999);
    assert.deepEqual([a.acts, isOver], [['begins at 0', 'ends at 3604000'], false], 'what it sent last may still be on its way');
    await clock.advance(1);
    assert.equal(await ended, undefined);
  });

  test('who lost a Lease of its own waits for what it sent last to arrive before it leads again', async () => {
    const [clock, server] = [new FakeClock(), new FakeLeases()];
    const elector = electorOf(clock, server, 'a');
    const begun: number[] = [];
    const work = async (term: Term): Promise<void> => {
      begun.push(clock.monotonic());
      await hangs(term.signal).catch(() => {});
    };
    const stop = new AbortController();
    const takesPart = async (): Promise<void> => {
      while (!stop.signal.aborted) await elector.run(work, stop.signal);
    };
    const over = takesPart();
    await clock.advance(0);
    server.trouble = () => Promise.reject(new Error('no route'));
    await clock.advance(10_000);
    server.trouble = async () => {};
    await clock.advance(4_999);
    assert.deepEqual(begun, [0]);
    await clock.advance(1);
    assert.deepEqual(begun, [0, 15_000]);
    assert.equal(server.lease?.spec?.leaseTransitions, 0, 'nobody else had it');
    assert.equal(server.lease?.spec?.acquireTime, '2026-01-01T00:00:15.000000Z', 'what the first term sent is of another one');
    stop.abort();
    await clock.advance(0);
    await over;
    assert.equal(server.lease?.spec?.holderIdentity, '');
  });

  for (const [name, lose] of [
    [
      'at the renew deadline',
      async (clock: FakeClock, server: FakeLeases) => {
        server.trouble = hangs;
        await clock.advance(10_000);
      },
    ],
    [
      'in a process that was frozen, whose work notices first',
      async (clock: FakeClock, server: FakeLeases) => {
        server.trouble = hangs;
        clock.freeze(60_000);
      },
    ],
    [
      "when it is seen to be another one's",
      async (clock: FakeClock, server: FakeLeases) => {
        server.givenTo('b');
        await clock.advance(2_000);
      },
    ],
  ] as const)
    test(`does not throw what work throws that ends for a Lease lost ${name}`, async () => {
      const [clock, server] = [new FakeClock(), new FakeLeases()];
      const said: string[] = [];
      const elector = electorOf(clock, server, 'a', { ...silentLog, warn: (msg: string) => void said.push(msg) });
      const work = Promise.withResolvers<void>();
      let term: Term | undefined;
      const ended = elector.run((its) => {
        term = its;
        return work.promise;
      }, signal);
      await clock.advance(0);
      await lose(clock, server);
      assert.equal(term?.mayAct(), false);
      work.reject(new Error('this process may not write any more'));
      await clock.advance(5_000);
      await ended;
      assert.ok(
        said.includes('The last term under lease "kube-system/kube-scheduler" ended: this process may not write any more'),
        said.join('\n'),
      );
    });

  test('a process that is to end waits for its work alone, when it has lost the Lease', async () => {
    const [clock, server] = [new FakeClock(), new FakeLeases()];
    const a = new Candidate(clock, server, 'a');
    a.slowMs = 2_000;
    await clock.advance(0);
    server.trouble = hangs;
    await clock.advance(11_000);
    a.stop.abort();
    let isOver = false;
    const ended = a.ended.finally(() => {
      isOver = true;
    });
    await clock.advance(999);
    assert.ok(!isOver);
    await clock.advance(1);
    assert.equal(await ended, undefined);
  });

  test('gives the Lease back also when a renewal is under way', async () => {
    const [clock, server] = [new FakeClock(), new FakeLeases()];
    const a = new Candidate(clock, server, 'a');
    await clock.advance(0);
    server.trouble = () => clock.sleep(300);
    await clock.advance(2_400);
    a.stop.abort();
    await clock.advance(2_000);
    assert.equal(await a.ended, undefined);
    assert.deepEqual(server.writers, ['a', 'a', '']);
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
    await clock.advance(15_000);
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
    const ended = electorOf(clock, server, 'a', log).run((term) => hangs(term.signal).catch(() => {}), stop.signal);
    await clock.advance(10_000);
    server.trouble = async () => {};
    await clock.advance(2_000);
    server.trouble = forbidden;
    await clock.advance(15_000);
    await ended;
    assert.deepEqual(said, [
      'warn: Cannot take lease "kube-system/kube-scheduler" yet: forbidden',
      'info: Leading by lease "kube-system/kube-scheduler"',
      'warn: Cannot take lease "kube-system/kube-scheduler" yet: forbidden',
      'warn: Lost lease "kube-system/kube-scheduler"',
    ]);
  });

  test('says how long it waited for an answer, whatever the client says of a request that is cut', async () => {
    const [clock, server] = [new FakeClock(), new FakeLeases()];
    const said: string[] = [];
    server.trouble = (its) => hangs(its).catch(() => Promise.reject(new Error('The operation was aborted')));
    const elector = electorOf(clock, server, 'a', { ...silentLog, warn: (msg: string) => void said.push(msg) });
    const stop = new AbortController();
    const ended = elector.run(async () => {}, stop.signal);
    await clock.advance(5_000);
    assert.deepEqual(said, ['Cannot take lease "kube-system/kube-scheduler" yet: no answer within 5 s']);
    stop.abort();
    await clock.advance(0);
    await ended;
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

  test('who waits for the lead tells of each outage once, also of a second one like the first', async () => {
    const [clock, server] = [new FakeClock(), new FakeLeases()];
    await electorOf(clock, server, 'b').tryAcquireOrRenew(signal);
    const said: string[] = [];
    const elector = electorOf(clock, server, 'a', { ...silentLog, warn: (msg: string) => void said.push(msg) });
    const stop = new AbortController();
    const ended = elector.run(async () => {}, stop.signal);
    await clock.advance(2_000);
    const outage = 'Cannot take lease "kube-system/kube-scheduler" yet: forbidden';
    for (const told of [[outage], [outage, outage]]) {
      server.trouble = () => Promise.reject(new Error('forbidden'));
      await clock.advance(6_000);
      assert.deepEqual(said, told);
      server.trouble = async () => {};
      server.givenTo('b');
      await clock.advance(4_000);
    }
    stop.abort();
    await clock.advance(0);
    await ended;
  });

  test('says nothing of another one that took a free Lease faster', async () => {
    const [clock, server] = [new FakeClock(), new FakeLeases()];
    await electorOf(clock, server, 'c').tryAcquireOrRenew(signal);
    server.givenTo('');
    assert.deepEqual(await warningsOf(['a', 'b'], clock, server), []);
  });

  test('says nothing of another one that made the Lease faster', async () => {
    const [clock, server] = [new FakeClock(), new FakeLeases()];
    assert.deepEqual(await warningsOf(['a', 'b', 'c'], clock, server), []);
  });
});

/** What all of them say while they run for the Lease at once. */
async function warningsOf(names: readonly string[], clock: FakeClock, server: FakeLeases): Promise<string[]> {
  const said: string[] = [];
  const log = { ...silentLog, warn: (msg: string) => void said.push(msg) };
  const stop = new AbortController();
  const all = names.map((name) => electorOf(clock, server, name, log).run((term) => hangs(term.signal).catch(() => {}), stop.signal));
  await clock.advance(10_000);
  const saidInTime = [...said];
  stop.abort();
  await clock.advance(10_000);
  await Promise.all(all);
  return saidInTime;
}
