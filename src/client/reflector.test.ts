/** The reflector one step at a time, against a server that says what the test wants. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configMaps } from '../api/resource-types.ts';
import type { ConfigMap } from '../api/schema/types.ts';
import { FakeClock } from '../clock/testing/fake-clock.ts';
import { silentLog } from '../observability/log.ts';
import type { Client, WatchEvent, WatchOptions } from './client.ts';
import { Reflector } from './reflector.ts';
import { refusal } from './testing/fake-client.ts';

const { signal } = new AbortController();

function configMap(name: string, resourceVersion: string): ConfigMap {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default', uid: name, resourceVersion } };
}

function bookmark(resourceVersion: string): WatchEvent<ConfigMap> {
  return { type: 'BOOKMARK', object: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: '', resourceVersion } } };
}

type Step = (signal: AbortSignal | undefined) => AsyncIterable<WatchEvent<ConfigMap>>;

class World {
  readonly clock = new FakeClock();
  readonly asked: string[] = [];
  readonly store: string[] = [];
  /** What the next lists and watches answer. */
  readonly lists: (() => readonly ConfigMap[])[] = [];
  readonly watches: Step[] = [];
  readonly warnings: string[] = [];
  /** The cluster that answers. */
  cluster: string | undefined;
  readonly reflector: Reflector<ConfigMap>;

  constructor(transform?: (object: ConfigMap) => ConfigMap) {
    this.reflector = new Reflector<ConfigMap>({
      client: this.#client(),
      type: configMaps,
      selection: { namespace: 'default', labelSelector: 'app=web' },
      store: {
        replace: (objects) => this.store.push(`= ${objects.map((o) => o.metadata.name)}`),
        put: ({ metadata }) => this.store.push(`+ ${metadata.name}`),
        delete: ({ metadata }) => this.store.push(`- ${metadata.name}`),
      },
      transform,
      clock: this.clock,
      log: { ...silentLog, warn: (text) => void this.warnings.push(text) },
      random: () => 0.5,
    });
  }

  #client(): Pick<Client, 'list' | 'watch'> {
    const client = {
      list: async (_type: unknown, { namespace, labelSelector, resourceVersion }: Record<string, unknown>) => {
        this.asked.push(`list ${namespace} ${labelSelector} from "${resourceVersion}"`);
        const items = this.lists.shift()?.() ?? [];
        return { items, resourceVersion: '10', cluster: this.cluster };
      },
      watch: async (
        _type: unknown,
        { resourceVersion, timeoutSeconds, sendInitialEvents, signal: ended, onOpen }: WatchOptions,
        onEvent: (event: WatchEvent<ConfigMap>) => void,
      ) => {
        this.asked.push(`${sendInitialEvents ? 'list and ' : ''}watch from "${resourceVersion}" for ${timeoutSeconds} s`);
        onOpen?.(this.cluster);
        for await (const event of this.watches.shift()?.(ended) ?? this.events()) onEvent(event);
      },
    };
    return client as unknown as Pick<Client, 'list' | 'watch'>;
  }

  /** A watch that lasts for `ms`, brings these, and then ends, or fails. */
  async *events(events: readonly WatchEvent<ConfigMap>[] = [], ms: number = 0, failure?: Error): AsyncGenerator<WatchEvent<ConfigMap>> {
    yield* events;
    await this.clock.advance(ms);
    if (failure) throw failure;
  }
}

test('listAndWatch() lists what the server has at hand, hands on what the watch brings, and goes on from there', async () => {
  const world = new World();
  world.lists.push(() => [configMap('a', '7'), configMap('b', '8')]);
  world.watches.push(() =>
    world.events([
      { type: 'ADDED', object: configMap('c', '11') },
      { type: 'MODIFIED', object: configMap('a', '12') },
      { type: 'DELETED', object: configMap('b', '13') },
      bookmark('20'),
    ]),
  );
  await world.reflector.listAndWatch(signal);
  assert.deepEqual(world.store, ['= a,b', '+ c', '+ a', '- b']);
  assert.equal(world.reflector.resourceVersion, '20');
  world.watches.push(() => world.events([], 1_000));
  await world.reflector.listAndWatch(signal);
  assert.deepEqual(world.asked, ['list default app=web from "0"', 'watch from "10" for 450 s', 'watch from "20" for 450 s']);
});

for (const [sentence, failure, isRelisted] of [
  ['a version that is too old', refusal(410, 'Expired'), true],
  ['a version from the future', refusal(504, 'Timeout'), true],
  ['a refusal', refusal(403, 'Forbidden'), true],
  ['too many requests', refusal(429, 'TooManyRequests'), false],
  ['a server that is not ready', refusal(503, 'ServiceUnavailable'), false],
  ['a connection that broke', new Error('broken'), false],
] as const) {
  test(`after ${sentence} listAndWatch() ${isRelisted ? 'lists the newest' : 'goes on from where it was'}`, async () => {
    const world = new World();
    world.watches.push(() => world.events([bookmark('20')], 0, failure));
    await assert.rejects(world.reflector.listAndWatch(signal), failure);
    await assert.rejects(world.reflector.listAndWatch(signal), /it ended at once/);
    assert.deepEqual(
      world.asked.slice(2),
      isRelisted ? ['list default app=web from ""', 'watch from "10" for 450 s'] : ['watch from "20" for 450 s'],
    );
  });
}

for (const [sentence, before, after, isRelisted] of [
  ['another cluster', 'a', 'b', true],
  ['the same cluster', 'a', 'a', false],
  ['a server that says no cluster', 'a', undefined, false],
  ['the first server to say its cluster', undefined, 'b', false],
] as const) {
  test(`a watch that is opened at ${sentence} ${isRelisted ? 'hands on nothing: all is listed again' : 'goes on'}`, async () => {
    const world = new World();
    world.cluster = before;
    world.watches.push(() => world.events([bookmark('20')]));
    await world.reflector.listAndWatch(signal);
    world.cluster = after;
    world.watches.push(() => world.events([{ type: 'ADDED', object: configMap('a', '21') }]));
    const step = world.reflector.listAndWatch(signal);
    if (!isRelisted) {
      await step;
      return assert.deepEqual(world.store, ['= ', '+ a']);
    }
    await assert.rejects(step, /the cluster was made anew/);
    assert.deepEqual(world.warnings, ['configmaps are listed again: the cluster was made anew']);
    await world.reflector.listAndWatch(signal);
    assert.deepEqual(world.asked.slice(3), ['list default app=web from ""', 'watch from "10" for 450 s']);
    assert.deepEqual(world.store, ['= ', '= ', '+ a']);
  });
}

const upper = ({ metadata, ...rest }: ConfigMap): ConfigMap => ({ ...rest, metadata: { ...metadata, name: metadata.name.toUpperCase() } });

function listEnd(resourceVersion: string): WatchEvent<ConfigMap> {
  const { type, object } = bookmark(resourceVersion);
  return { type, object: { ...object, metadata: { ...object.metadata, annotations: { 'k8s.io/initial-events-end': 'true' } } } };
}

test('with a transform a list comes as events: it is handed on whole once its end has come, and the same watch goes on', async () => {
  const world = new World(upper);
  world.watches.push(() =>
    world.events(
      [
        { type: 'ADDED', object: configMap('a', '7') },
        { type: 'ADDED', object: configMap('b', '8') },
        { type: 'MODIFIED', object: configMap('a', '9') },
        { type: 'DELETED', object: configMap('b', '10') },
        bookmark('11'),
        { type: 'ADDED', object: configMap('c', '12') },
        listEnd('13'),
        { type: 'ADDED', object: configMap('d', '14') },
        { type: 'DELETED', object: configMap('a', '15') },
      ],
      1_000,
    ),
  );
  await world.reflector.listAndWatch(signal);
  assert.deepEqual(world.store, ['= A,C', '+ D', '- A']);
  world.watches.push(() => world.events([], 0, refusal(410, 'Expired')));
  await assert.rejects(world.reflector.listAndWatch(signal), /Expired/);
  world.watches.push(() => world.events([listEnd('20')], 1_000));
  await world.reflector.listAndWatch(signal);
  assert.deepEqual(world.store.slice(3), ['= ']);
  assert.deepEqual(world.asked, ['list and watch from "0" for 450 s', 'watch from "15" for 450 s', 'list and watch from "" for 450 s']);
});

test('of a list as events that breaks off nothing is handed on, and it begins anew', async () => {
  const world = new World(upper);
  for (const failure of [new Error('broken'), undefined])
    world.watches.push(() => world.events([{ type: 'ADDED', object: configMap('a', '7') }], 1_000, failure));
  await assert.rejects(world.reflector.listAndWatch(signal), /broken/);
  await world.reflector.listAndWatch(signal);
  assert.deepEqual(world.store, []);
  world.watches.push(() => world.events([{ type: 'ADDED', object: configMap('b', '8') }, listEnd('9')], 1_000));
  await world.reflector.listAndWatch(signal);
  assert.deepEqual(world.store, ['= B']);
});

test('a list as events says its cluster, too: it may be another one each time', async () => {
  const world = new World(upper);
  for (const [cluster, events] of [
    ['a', [listEnd('20')]],
    ['b', [{ type: 'ADDED', object: configMap('a', '21') }]],
    ['b', [listEnd('22')]],
    ['b', [{ type: 'ADDED', object: configMap('b', '23') }]],
  ] as const) {
    world.cluster = cluster;
    world.watches[0] = () => world.events(events);
    await world.reflector.listAndWatch(signal).catch((err: unknown) => assert.match(String(err), /made anew/));
  }
  assert.deepEqual(world.store, ['= ', '= ', '+ B']);
});

for (const code of [400, 422, 500])
  test(`a server that answers ${code} to such a list is at once asked for a plain one`, async () => {
    const world = new World(upper);
    world.watches.push(() => world.events([], 0, refusal(code, 'Invalid')));
    world.lists.push(() => [configMap('a', '7')]);
    world.watches.push(() => world.events([], 1_000));
    await world.reflector.listAndWatch(signal);
    assert.deepEqual(world.store, ['= A']);
    assert.deepEqual(world.asked.slice(1), ['list default app=web from "0"', 'watch from "10" for 450 s']);
  });

test('so is one that says nothing of the end of such a list', async () => {
  const world = new World(upper);
  world.watches.push(async function* (ended) {
    yield { type: 'ADDED', object: configMap('a', '7') };
    await world.clock.advance(120_000);
    ended?.throwIfAborted();
  });
  await assert.rejects(world.reflector.listAndWatch(signal), /nothing came/);
  await assert.rejects(world.reflector.listAndWatch(signal), /it ended at once/);
  assert.deepEqual(world.asked.slice(1), ['list default app=web from "0"', 'watch from "10" for 450 s']);
});

test('a list that fails leaves the store alone, and comes again', async () => {
  const world = new World();
  world.lists.push(() => assert.fail('no disk'));
  await assert.rejects(world.reflector.listAndWatch(signal), /no disk/);
  assert.deepEqual(world.store, []);
  await assert.rejects(world.reflector.listAndWatch(signal), /it ended at once/);
  assert.deepEqual(world.asked.slice(0, 2), ['list default app=web from "0"', 'list default app=web from "0"']);
});

for (const [sentence, events, ms, isTrouble] of [
  ['at once and brought nothing', [], 999, true],
  ['after a second', [], 1_000, false],
  ['at once and brought something', [bookmark('20')], 0, false],
] as const) {
  test(`a watch that ended ${sentence} is ${isTrouble ? '' : 'no '}trouble`, async () => {
    const world = new World();
    world.watches.push(() => world.events(events, ms));
    const step = world.reflector.listAndWatch(signal);
    if (isTrouble) await assert.rejects(step, /it ended at once/);
    else await step;
  });
}

test('a watch on which nothing comes for longer than between bookmarks is given up, and said to have died', async () => {
  const world = new World();
  world.watches.push(async function* (ended) {
    yield bookmark('20');
    await world.clock.advance(30_000);
    yield bookmark('21');
    const gone = new Promise((_, reject) => ended?.addEventListener('abort', () => reject(ended.reason)));
    void world.clock.advance(60_000);
    await gone;
  });
  await assert.rejects(world.reflector.listAndWatch(signal), /^Error: nothing came for 53 s, not even a bookmark$/);
  assert.deepEqual(world.warnings, ['The watch of configmaps had died: nothing came for 53 s, not even a bookmark']);
  assert.equal(world.clock.pending, 0);
});

test('run() ends with the signal, also while it waits', async () => {
  const world = new World();
  const stop = new AbortController();
  const ended = world.reflector.run(stop.signal);
  for (let i = 0; i < 20 && world.clock.pending === 0; i++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(world.clock.pending, 1, 'nothing but the delay');
  stop.abort();
  await ended;
  assert.equal(world.clock.pending, 0);
});
