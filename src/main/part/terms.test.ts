import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LeaderElector } from '../../client/leader-election.ts';
import type { Term } from '../../client/term.ts';
import { FakeLeases, hangs } from '../../client/testing/fake-leases.ts';
import { aborted } from '../../clock/aborted.ts';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { KnownError } from '../../errors/known-error.ts';
import { type Log, silentLog } from '../../observability/log.ts';
import { FlagReader } from '../flag-reader.ts';
import { InformerPool } from './informer-pool.ts';
import type { Part, PartContext, Running, Setting } from './part.ts';
import { Terms } from './terms.ts';

/** What a part was given in one term. */
interface Given {
  readonly term: Pick<Term, 'mayAct' | 'text'>;
  readonly context: PartContext;
}

const wrong = new KnownError('BAD_CONFIG', 'Cannot read "/nowhere": there is no such file');

/** A part that takes part in the election of a Lease, in a process whose other parts go on as long as `ended` is pending. */
class Scene {
  readonly clock = new FakeClock();
  readonly server = new FakeLeases();
  readonly stop = new AbortController();
  readonly happened: string[] = [];
  /** Errors in its log. */
  readonly said: string[] = [];
  readonly given: Given[] = [];
  /** What the part does in its term of that number: the first is 1. */
  config: (term: number) => Promise<void> = async () => {};
  start: (term: number, context: PartContext) => Promise<Partial<Running>> = async () => ({});
  readonly elector = new LeaderElector({
    ...{ client: this.server.client, namespace: 'kube-system', name: 'kube-test', identity: 'a', clock: this.clock, log: silentLog },
    ...{ leaseDurationMs: 15_000, renewDeadlineMs: 10_000, retryPeriodMs: 2_000 },
  });
  readonly #log: Log = { ...silentLog, error: (message) => void this.said.push(message) };
  readonly #part: Part = {
    name: 'test',
    flags: {},
    config: async (_read, { term: given }: Setting) => {
      const term = this.#say('config');
      await this.config(term);
      return given;
    },
    start: async (given, context) => {
      const term = this.#say('start');
      this.given.push({ term: given as Term, context });
      const running = await this.start(term, context);
      return { stopped: aborted(context.signal).then(() => void this.#say('end')), ...running };
    },
  };
  readonly terms = new Terms({
    part: this.#part,
    flags: new FlagReader({}),
    setting: { parts: ['test'] },
    elector: this.elector,
    context: { informers: new InformerPool(), clock: this.clock, log: this.#log, signal: this.stop.signal },
  });
  isOver = false;
  readonly ended: Promise<unknown> = this.terms
    .run()
    .catch((err: unknown) => err)
    .finally(() => {
      this.isOver = true;
    });

  /** How often that has happened, with this time. */
  #say(what: string): number {
    this.happened.push(`${what} at ${this.clock.monotonic() / 1000}`);
    return this.happened.filter((line) => line.startsWith(what)).length;
  }

  /** Nothing answers for so long; then all is well again. */
  async outage(ms: number): Promise<void> {
    this.server.trouble = hangs;
    await this.clock.advance(ms);
    this.server.trouble = async () => {};
  }
}

describe('a part that works when it leads', () => {
  test('ends with its term, and begins anew in the same process: with settings, connections and copies of its own', async () => {
    const scene = new Scene();
    await scene.clock.advance(0);
    await scene.outage(12_000);
    assert.deepEqual(
      scene.given.map(({ term }) => term.mayAct()),
      [false],
    );
    await scene.clock.advance(3_000);
    assert.deepEqual(scene.happened, ['config at 0', 'start at 0', 'end at 10', 'config at 15', 'start at 15']);
    const [first, second] = scene.given;
    assert.ok(first && second);
    assert.deepEqual([first.term.mayAct(), second.term.mayAct()], [false, true]);
    assert.notEqual(first.context.informers, second.context.informers);
    assert.deepEqual([first.context.signal.aborted, second.context.signal.aborted], [true, false]);
    scene.stop.abort();
    await scene.clock.advance(0);
    assert.equal(await scene.ended, undefined);
    assert.equal(scene.server.lease?.spec?.holderIdentity, '');
  });

  test("waits while another one leads, and follows that one's end", async () => {
    const scene = new Scene();
    await scene.clock.advance(1_000);
    scene.server.givenTo('b');
    await scene.clock.advance(1_000);
    assert.deepEqual(scene.happened, ['config at 0', 'start at 0', 'end at 2']);
    await scene.clock.advance(14_999);
    assert.equal(scene.happened.length, 3);
    assert.deepEqual([scene.isOver, scene.elector.isLeader, scene.terms.health()], [false, false, undefined]);
    await scene.clock.advance(2_000);
    assert.match(scene.happened.at(-1) ?? '', /^start at 1[78]/);
  });

  test('whose API server is away when it wants to begin begins when that is back', async () => {
    const scene = new Scene();
    await scene.outage(60_000);
    assert.deepEqual([scene.happened, scene.isOver], [[], false]);
    await scene.clock.advance(7_000);
    assert.match(scene.happened.at(-1) ?? '', /^start at/);
  });

  test('whose term ends while its settings are read does not start in it', async () => {
    const scene = new Scene();
    scene.config = (term) => (term === 1 ? scene.clock.sleep(12_000) : Promise.resolve());
    await scene.clock.advance(0);
    await scene.outage(12_000);
    await scene.clock.advance(3_000);
    assert.deepEqual(scene.happened, ['config at 0', 'config at 15', 'start at 15']);
    assert.equal(scene.given[0]?.term.mayAct(), true);
  });

  test('whose term ends while it starts has that behind it before the next one', async () => {
    const scene = new Scene();
    scene.start = async (term) => {
      if (term === 1) await scene.clock.sleep(12_000);
      return {};
    };
    await scene.clock.advance(0);
    await scene.outage(12_000);
    await scene.clock.advance(3_000);
    assert.deepEqual(scene.happened, ['config at 0', 'start at 0', 'end at 12', 'config at 15', 'start at 15']);
  });

  const ends: [string, (scene: Scene) => void][] = [
    [
      'while it starts',
      (scene) => {
        scene.start = async (term, { signal }) => {
          if (term > 1) return {};
          await aborted(signal);
          throw signal.reason;
        };
      },
    ],
    [
      'while it works',
      (scene) => {
        scene.start = async (term, { signal }) => {
          if (term > 1) return {};
          return { stopped: aborted(signal).then(() => Promise.reject(new Error('the client was closed'))) };
        };
      },
    ],
    [
      'while its settings are read',
      (scene) => {
        scene.config = async (term) => {
          if (term > 1) return;
          await scene.clock.sleep(11_000);
          throw new Error('interrupted');
        };
      },
    ],
  ];
  for (const [when, prepare] of ends)
    test(`that throws because its term ends ${when} stands for the next one`, async () => {
      const scene = new Scene();
      prepare(scene);
      await scene.clock.advance(0);
      await scene.outage(12_000);
      await scene.clock.advance(3_000);
      assert.equal(scene.isOver, false);
      assert.equal(scene.happened.at(-1), 'start at 15');
      assert.deepEqual([scene.given.at(-1)?.term.mayAct(), scene.elector.isLeader], [true, true]);
    });

  const faults: [string, (scene: Scene) => void][] = [
    [
      'of its settings',
      (scene) => {
        scene.config = () => Promise.reject(wrong);
      },
    ],
    [
      'of its start',
      (scene) => {
        scene.start = () => Promise.reject(wrong);
      },
    ],
  ];
  for (const [what, prepare] of faults)
    test(`tells a fault ${what} that has nothing to do with the Lease, and gives that back`, async () => {
      const scene = new Scene();
      prepare(scene);
      await scene.clock.advance(32_000);
      assert.equal(await scene.ended, wrong);
      assert.equal(scene.server.lease?.spec?.holderIdentity, '');
    });

  test('whose work fails says so, gives the Lease back, and stands for the next term a little later each time', async () => {
    const scene = new Scene();
    scene.start = async () => ({ stopped: scene.clock.sleep(5_000).then(() => Promise.reject(wrong)) });
    await scene.clock.advance(5_000);
    assert.deepEqual(scene.said, [`The work of this term failed; stands for election again: ${wrong.message}`]);
    assert.deepEqual([scene.server.lease?.spec?.holderIdentity, scene.terms.health()], ['', undefined]);
    await scene.clock.advance(12_000);
    assert.deepEqual(
      scene.happened.filter((line) => line.startsWith('start')),
      ['start at 0', 'start at 6', 'start at 13'],
    );
    assert.equal(scene.isOver, false);
    assert.deepEqual(
      scene.given.map(({ term }) => term.mayAct()),
      [false, false, true],
    );
    scene.stop.abort();
    await scene.clock.advance(5_000);
    assert.equal(scene.isOver, true);
  });

  test('whose work goes well for long enough begins anew at once after a fault', async () => {
    const scene = new Scene();
    scene.start = async (term) => ({
      stopped: scene.clock.sleep(term < 3 ? 1_000 : 100_000).then(() => Promise.reject(wrong)),
    });
    await scene.clock.advance(120_000);
    assert.deepEqual(
      scene.happened.filter((line) => line.startsWith('start')),
      ['start at 0', 'start at 2', 'start at 5', 'start at 106'],
    );
  });

  test('whose work fails at once waits longer each time, however long it stood by in between', async () => {
    const scene = new Scene();
    scene.start = async () => ({ stopped: Promise.reject(wrong) });
    await scene.clock.advance(4_000);
    // Another one leads now, and renews.
    for (let seconds = 0; seconds < 70; seconds += 10) {
      scene.server.givenTo('b');
      await scene.clock.advance(10_000);
    }
    scene.server.givenTo('');
    await scene.clock.advance(20_000);
    assert.deepEqual(
      scene.happened.filter((line) => line.startsWith('start')),
      ['start at 0', 'start at 1', 'start at 3', 'start at 75', 'start at 83'],
    );
  });

  test('that does not end with its term writes nothing any more, and is in the way of no other term', async () => {
    const scene = new Scene();
    const late = Promise.withResolvers<void>();
    scene.start = async (term) => (term === 1 ? { stopped: late.promise, health: () => 'it hangs' } : { health: () => 'it is new' });
    await scene.clock.advance(0);
    assert.equal(scene.terms.health(), 'it hangs');
    await scene.outage(12_000);
    await scene.clock.advance(3_000);
    assert.deepEqual(
      scene.given.map(({ term }) => term.mayAct()),
      [false, true],
    );
    late.resolve();
    await scene.clock.advance(0);
    assert.equal(scene.terms.health(), 'it is new');
  });

  test('is not well when its Lease has run out and it has not noticed, as in a process that was frozen', async () => {
    const scene = new Scene();
    await scene.clock.advance(0);
    assert.equal(scene.terms.health(), undefined);
    scene.server.trouble = hangs;
    scene.clock.freeze(15_000);
    assert.equal(scene.terms.health(), 'it leads by a Lease that has run out');
    await scene.clock.advance(0);
    assert.deepEqual([scene.terms.health(), scene.elector.isLeader], [undefined, false]);
  });

  test('whose readiness fails ends nothing by that', async () => {
    const scene = new Scene();
    scene.start = async () => ({ ready: Promise.reject(new Error('never')) });
    await scene.clock.advance(60_000);
    assert.equal(scene.isOver, false);
  });
});
