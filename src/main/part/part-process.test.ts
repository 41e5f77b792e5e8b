import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { aborted } from '../../clock/aborted.ts';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { KnownError } from '../../errors/known-error.ts';
import { type Log, silentLog } from '../../observability/log.ts';
import { FlagReader } from '../flag-reader.ts';
import type { Part } from './part.ts';
import { healthPage, PartProcess, runParts, type Wanted } from './part-process.ts';

/** What happened, in order, and what was said. */
class Scene {
  readonly happened: string[] = [];
  readonly said: string[] = [];
  readonly stop = new AbortController();
  readonly log: Log = this.#logOf('');

  #logOf(part: string): Log {
    const say = (level: string) => (msg: string) => void this.said.push(`${level} ${part}${msg}`);
    const child = (fields: object): Log => this.#logOf(`${(fields as { part: string }).part}: `);
    return { ...silentLog, info: say('info'), error: say('error'), child };
  }

  part(name: string, more: Partial<Pick<Part, 'config' | 'start'>> = {}): Part {
    return {
      name,
      flags: {},
      config: async () => void this.happened.push(`config ${name}`),
      start: async (_config, { signal }) => {
        this.happened.push(`start ${name}`);
        return {
          ready: Promise.resolve(`${name} is there`),
          stopped: aborted(signal).then(() => void this.happened.push(`end ${name}`)),
        };
      },
      ...more,
    };
  }

  run(...parts: readonly Part[]): Promise<number> {
    const wanted: Wanted[] = parts.map((part) => ({ part, flags: new FlagReader({}) }));
    return runParts(wanted, {
      setting: { parts: parts.map((part) => part.name) },
      farewell: 'Stopping; rules stay',
      clock: new FakeClock(),
      log: this.log,
      signal: this.stop.signal,
    });
  }
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const taken = new KnownError('PORT_TAKEN', 'Cannot listen on "127.0.0.1:53": another program does');

describe('runParts()', () => {
  test('reads all settings, starts in order, says who is ready, and ends in reverse', async () => {
    const scene = new Scene();
    const ended = scene.run(scene.part('a'), scene.part('b'), scene.part('c'));
    await settle();
    const started = ['config a', 'config b', 'config c', 'start a', 'start b', 'start c'];
    assert.deepEqual(scene.happened, started);
    assert.deepEqual(scene.said, ['info a: a is there', 'info b: b is there', 'info c: c is there']);
    scene.stop.abort();
    assert.equal(await ended, 0);
    assert.deepEqual(scene.happened, [...started, 'end c', 'end b', 'end a']);
    assert.equal(scene.said.at(-1), 'info Stopping; rules stay');
  });

  test('ends no part before all that started behind it have ended', async () => {
    const scene = new Scene();
    const slow = Promise.withResolvers<void>();
    const lameduck = scene.part('dns', {
      start: async () => ({ ready: new Promise<string>(() => {}), stopped: slow.promise }),
    });
    const ended = scene.run(scene.part('proxy'), lameduck);
    await settle();
    scene.stop.abort();
    await settle();
    assert.ok(!scene.happened.includes('end proxy'));
    slow.resolve();
    await ended;
    assert.equal(scene.happened.at(-1), 'end proxy');
  });

  const troubles: [string, (scene: Scene) => Partial<Pick<Part, 'config' | 'start'>>, string[], string[]][] = [
    ['whose settings are wrong: nothing has started', () => ({ config: () => Promise.reject(taken) }), ['config a'], []],
    [
      'that cannot start: the one before it ends, the one behind it never starts',
      () => ({ start: () => Promise.reject(taken) }),
      ['config a', 'config c', 'start a', 'end a'],
      [`error Cannot start b: ${taken.message}`],
    ],
    [
      'that fails later: all others end in reverse',
      (scene) => ({
        start: async () => {
          scene.happened.push('start b');
          return { stopped: settle().then(() => Promise.reject(taken)) };
        },
      }),
      ['config a', 'config c', 'start a', 'start b', 'start c', 'end c', 'end a'],
      [`error Cannot go on with b: ${taken.message}`],
    ],
  ];
  for (const [name, trouble, happened, said] of troubles)
    test(`throws what is wrong with a part ${name}`, async () => {
      const scene = new Scene();
      const running = scene.run(scene.part('a'), scene.part('b', trouble(scene)), scene.part('c'));
      await assert.rejects(running, taken);
      assert.deepEqual(
        scene.happened.filter((what) => what !== 'config b'),
        happened,
      );
      assert.deepEqual(
        scene.said.filter((line) => !line.endsWith('is there')),
        said,
      );
    });

  test('a part that is told to stop while it starts ends its start, and is no failure', async () => {
    const scene = new Scene();
    const b = scene.part('b', {
      start: async (_config, { signal }) => {
        await aborted(signal);
        throw new Error('interrupted');
      },
    });
    const running = scene.run(scene.part('a'), b, scene.part('c'));
    await settle();
    scene.stop.abort();
    await assert.rejects(running, /interrupted/);
    assert.deepEqual(scene.happened, ['config a', 'config b', 'config c', 'start a', 'end a']);
    assert.deepEqual(scene.said, ['info a: a is there']);
  });

  test('starts nothing when it is told to stop before', async () => {
    const scene = new Scene();
    scene.stop.abort();
    assert.equal(await scene.run(scene.part('a')), 0);
    assert.deepEqual(scene.happened, ['config a']);
  });

  test('goes on when a part has nothing more to do', async () => {
    const scene = new Scene();
    const brief = scene.part('b', {
      start: async () => ({ stopped: Promise.resolve() }),
    });
    let isOver = false;
    const ended = scene.run(scene.part('a'), brief).finally(() => {
      isOver = true;
    });
    await settle();
    assert.ok(!isOver);
    scene.stop.abort();
    await ended;
  });
});

describe('/healthz of several parts', () => {
  test('asks each of them', async () => {
    const scene = new Scene();
    let problem: string | undefined;
    const parts = [
      { name: 'a', start: async ({ signal }: { signal: AbortSignal }) => ({ stopped: aborted(signal) }) },
      { name: 'b', start: async ({ signal }: { signal: AbortSignal }) => ({ stopped: aborted(signal), health: () => problem }) },
    ];
    const process = new PartProcess(parts, { clock: new FakeClock(), log: silentLog });
    assert.equal(healthPage(process.health()).body, '[-]a failed: it does not run\n[-]b failed: it does not run\nhealthz check failed\n');
    await process.start(scene.stop.signal);
    assert.deepEqual(healthPage(process.health()), { code: 200, body: 'ok' });
    problem = 'no word of the API server';
    assert.deepEqual(healthPage(process.health()), {
      code: 500,
      body: '[+]a ok\n[-]b failed: no word of the API server\nhealthz check failed\n',
    });
    await process.stop();
    assert.equal(healthPage(process.health()).code, 500);
  });
});
