import assert from 'node:assert/strict';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { configMaps } from '../api/resource-types.ts';
import type { ConfigMap } from '../api/schema/types.ts';
import { eventually } from '../clock/testing/eventually.ts';
import { FakeClock } from '../clock/testing/fake-clock.ts';
import { silentLog } from '../observability/log.ts';
import { ApiError, isNotFound } from './api-error.ts';
import { Client } from './client.ts';
import { Informer } from './informer.ts';
import { InformerSet } from './informers.ts';

function configMap(name: string, resourceVersion: number, uid: string = name): ConfigMap {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: 'default', uid, resourceVersion: String(resourceVersion) },
    data: { v: String(resourceVersion) },
  };
}

/** An API server of one resource whose lists and watches the test decides. */
async function fakeApi(): Promise<{
  client: Client;
  lists: ConfigMap[][];
  listed: string[];
  watches: string[];
  /** So many requests get no answer. */
  away: number;
  nextWatch(): Promise<ServerResponse>;
  close(): void;
}> {
  const lists: ConfigMap[][] = [];
  const listed: string[] = [];
  const watches: string[] = [];
  const open: ServerResponse[] = [];
  const waiting: ((r: ServerResponse) => void)[] = [];
  const server = createServer((req, res) => {
    if (api.away > 0) {
      api.away--;
      res.destroy();
      return;
    }
    const url = new URL(req.url ?? '', 'http://x');
    if (url.searchParams.get('watch')) {
      watches.push(url.searchParams.get('resourceVersion') ?? '');
      res.writeHead(200);
      res.flushHeaders();
      const waiter = waiting.shift();
      if (waiter) waiter(res);
      else open.push(res);
      return;
    }
    listed.push(url.searchParams.get('resourceVersion') ?? '');
    const items = lists.shift();
    if (!items) {
      res
        .writeHead(404)
        .end(JSON.stringify({ kind: 'Status', status: 'Failure', reason: 'NotFound', code: 404, message: 'no such thing' }));
      return;
    }
    const newest = Math.max(0, ...items.map((i) => Number(i.metadata.resourceVersion)));
    res.end(JSON.stringify({ kind: 'ConfigMapList', metadata: { resourceVersion: String(newest) }, items }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = new Client({ server: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
  const api = {
    client,
    lists,
    listed,
    watches,
    away: 0,
    nextWatch: () => {
      const res = open.shift();
      return res ? Promise.resolve(res) : new Promise<ServerResponse>((resolve) => waiting.push(resolve));
    },
    close: () => {
      client.close();
      server.closeAllConnections();
      server.close();
    },
  };
  return api;
}

test('Informer keeps of an object what its transform leaves', async () => {
  const api = await fakeApi();
  const transform = ({ data, ...rest }: ConfigMap): ConfigMap => ({ ...rest, data: { length: String(Object.keys(data ?? {}).length) } });
  const informer = new Informer(api.client, configMaps, { clock: new FakeClock(), random: () => 0, transform });
  const seen: unknown[] = [];
  informer.on({ add: (o) => seen.push(o.data), update: (now, before) => seen.push(now.data, before.data) });
  const stop = new AbortController();
  const running = informer.start(stop.signal);
  try {
    const watch = await api.nextWatch();
    const bookmark = { metadata: { name: '', resourceVersion: '1', annotations: { 'k8s.io/initial-events-end': 'true' } } };
    watch.write(
      `${JSON.stringify({ type: 'ADDED', object: configMap('a', 1) })}\n${JSON.stringify({ type: 'BOOKMARK', object: bookmark })}\n`,
    );
    await informer.synced;
    assert.deepEqual(informer.get('default/a')?.data, { length: '1' });
    const updated = new Promise((resolve) => informer.on({ update: resolve }));
    watch.write(`${JSON.stringify({ type: 'MODIFIED', object: { ...configMap('a', 2), data: { x: '1', y: '2' } } })}\n`);
    await updated;
    assert.deepEqual(seen, [{ length: '1' }, { length: '2' }, { length: '1' }]);
  } finally {
    stop.abort();
    await running;
    api.close();
  }
});

test('an informer lists, follows the watch, goes on from the last resourceVersion, and relists after 410', async (t) => {
  const api = await fakeApi();
  t.after(() => api.close());
  const end = new AbortController();
  t.after(() => end.abort());
  const seen: string[] = [];
  const informer = new Informer(api.client, configMaps).addIndex('v', (o) => [o.data?.v ?? '']);
  informer.on({
    add: (o) => seen.push(`+${o.metadata.name}`),
    update: (o, old) => seen.push(`~${o.metadata.name} ${old.metadata.resourceVersion}>${o.metadata.resourceVersion}`),
    delete: (o) => seen.push(`-${o.metadata.name}`),
    synced: () => seen.push('synced'),
  });
  api.lists.push([configMap('a', 1), configMap('b', 2)]);
  const running = informer.start(end.signal);
  await informer.synced;
  assert.deepEqual(seen.splice(0), ['+a', '+b', 'synced']);

  const first = await api.nextWatch();
  // A line that comes in two pieces, with a character cut in half.
  const line = Buffer.from(`${JSON.stringify({ type: 'MODIFIED', object: { ...configMap('a', 3), data: { v: 'ä' } } })}\n`);
  const cut = line.indexOf(0xc3) + 1;
  first.write(line.subarray(0, cut));
  first.write(line.subarray(cut));
  first.write(`${JSON.stringify({ type: 'BOOKMARK', object: { kind: 'ConfigMap', metadata: { resourceVersion: '7' } } })}\n`);
  await eventually(() => informer.resourceVersion === '7');
  assert.deepEqual(seen.splice(0), ['~a 1>3']);
  assert.equal(informer.byIndex('v', 'ä')[0]?.metadata.name, 'a');
  assert.equal(informer.byIndex('v', '1').length, 0);

  first.end();
  const second = await api.nextWatch();
  assert.deepEqual(api.watches, ['2', '7']);
  api.lists.push([configMap('a', 9, 'another'), configMap('c', 8)]);
  second.end(`${JSON.stringify({ type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired' } })}\n`);
  await api.nextWatch();
  assert.deepEqual(seen.splice(0), ['-a', '+a', '+c', '-b']);
  assert.equal(api.listed[1], '', 'after 410 only the newest list will do');
  end.abort();
  await running;
});

test('an informer lists again when the server lost what it had, but waits when it is only too busy', async (t) => {
  const api = await fakeApi();
  t.after(() => api.close());
  const end = new AbortController();
  t.after(() => end.abort());
  const informer = new Informer(api.client, configMaps, { random: () => 0 });
  api.lists.push([configMap('a', 900)]);
  const running = informer.start(end.signal);
  await informer.synced;
  const busy = await api.nextWatch();
  busy.end(`${JSON.stringify({ type: 'ERROR', object: { kind: 'Status', code: 429, reason: 'TooManyRequests' } })}\n`);
  const future = await api.nextWatch();
  assert.equal(api.listed.length, 1);
  api.lists.push([configMap('b', 3)]);
  future.end(`${JSON.stringify({ type: 'ERROR', object: { kind: 'Status', code: 504, reason: 'Timeout' } })}\n`);
  await api.nextWatch();
  assert.deepEqual(api.watches, ['900', '900', '3']);
  assert.deepEqual(
    informer.list().map((o) => o.metadata.name),
    ['b'],
  );
  end.abort();
  await running;
});

/** Counts the sleeps that have begun. */
class SleepCounter extends FakeClock {
  sleeps = 0;

  override sleep(ms: number, signal?: AbortSignal): Promise<void> {
    this.sleeps++;
    return super.sleep(ms, signal);
  }
}

test('a watch that the server ends at once is opened again ever more slowly', async () => {
  const api = await fakeApi();
  const clock = new SleepCounter();
  const end = new AbortController();
  const informer = new Informer(api.client, configMaps, { clock, random: () => 0.5 });
  api.lists.push([configMap('a', 1)]);
  const running = informer.start(end.signal);
  try {
    for (const [i, delay] of [100, 200, 400].entries()) {
      (await api.nextWatch()).end();
      await eventually(() => clock.sleeps === i + 1);
      assert.equal(clock.pending, 1, 'nothing but the delay');
      const { length } = api.watches;
      await clock.advance(delay - 1);
      assert.equal(api.watches.length, length);
      await clock.advance(1);
    }
    await api.nextWatch();
  } finally {
    end.abort();
    api.close();
    await running;
  }
});

test('whoever waits for the first list is let go when the start is called off', async () => {
  const informer = new Informer(new Client({ server: 'http://127.0.0.1:1' }), configMaps);
  const end = new AbortController();
  const running = informer.start(end.signal);
  end.abort();
  await informer.synced;
  assert.equal(informer.hasSynced, false);
  await running;
});

test('errors carry the Status of the server, and an unreachable server its address and a hint', async (t) => {
  const api = await fakeApi();
  t.after(() => api.close());
  await assert.rejects(
    api.client.get(configMaps, 'x', { namespace: 'default' }),
    (err) => isNotFound(err) && err instanceof ApiError && err.message === 'no such thing',
  );
  api.close();
  const nobody = new Client({ server: 'http://127.0.0.1:1' });
  await assert.rejects(nobody.list(configMaps), { code: 'API_UNREACHABLE', hint: 'Nothing listens there: is the API server running?' });
});

test('an informer set watches each resource and selection once', () => {
  const set = new InformerSet(new Client({ server: 'http://127.0.0.1:1' }));
  assert.equal(set.of(configMaps), set.of(configMaps));
  assert.notEqual(set.of(configMaps), set.of(configMaps, { namespace: 'default' }));
});

/** Writes delays down instead of waiting. */
class ImpatientClock extends FakeClock {
  readonly delays: number[] = [];

  override async sleep(ms: number): Promise<void> {
    this.delays.push(ms);
  }
}

test('informer: a quiet watch that lasted begins with the first delay again when it breaks', async () => {
  const api = await fakeApi();
  const clock = new ImpatientClock();
  const stop = new AbortController();
  api.lists.push([configMap('a', 1)]);
  const informer = new Informer(api.client, configMaps, { clock, random: () => 0.5 });
  const running = informer.start(stop.signal);
  try {
    await informer.synced;
    for (let n = 0; n < 4; n++) {
      const watch = await api.nextWatch();
      await clock.advance(2000);
      watch.destroy();
    }
    await api.nextWatch();
    assert.deepEqual(clock.delays, [100, 100, 100, 100]);
  } finally {
    stop.abort();
    api.close();
    await running;
  }
});

test('informer: a server that is away is asked again every few seconds, and listed at once when it is back without a past', async () => {
  const api = await fakeApi();
  const clock = new ImpatientClock();
  const stop = new AbortController();
  api.lists.push([configMap('a', 900)]);
  const informer = new Informer(api.client, configMaps, { clock, random: () => 0.5 });
  const running = informer.start(stop.signal);
  try {
    await informer.synced;
    (await api.nextWatch()).destroy();
    api.away = 12;
    await eventually(() => api.away === 0);
    api.lists.push([configMap('b', 3)]);
    (await api.nextWatch()).end(`${JSON.stringify({ type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired' } })}\n`);
    await eventually(() => informer.get('default/b') !== undefined);
    assert.deepEqual(clock.delays.slice(-4), [3000, 3000, 3000, 100]);
  } finally {
    stop.abort();
    api.close();
    await running;
  }
});

test('informer: a refusal that lasts is told once, with what to do about it, and so is a server that stays away', async (t) => {
  let answer = 403;
  const server = createServer((_req, res) => {
    if (answer === 0) res.destroy();
    else
      res
        .writeHead(403)
        .end(JSON.stringify({ kind: 'Status', code: 403, reason: 'Forbidden', message: 'User "n1" cannot list resource "configmaps"' }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const client = new Client({ server: `http://127.0.0.1:${port}`, whenForbidden: (user) => `to allow it: give ${user} a role` });
  t.after(() => {
    client.close();
    server.closeAllConnections();
    server.close();
  });
  const clock = new FakeClock();
  const said: string[] = [];
  const log = { ...silentLog, warn: (text: string) => void said.push(text) };
  const stop = new AbortController();
  t.after(() => stop.abort());
  let asked = 0;
  server.on('request', () => asked++);
  const ended = new Informer(client, configMaps, { clock, log, random: () => 0.5 }).start(stop.signal);
  const rounds = async (count: number): Promise<void> => {
    for (const until = asked + count; asked < until; await new Promise((resolve) => setImmediate(resolve))) await clock.advance(30_000);
  };
  await rounds(3);
  // A server that has just been started may not know its roles yet.
  assert.deepEqual(said, []);
  await rounds(6);
  assert.deepEqual(said, ['Cannot watch configmaps: User "n1" cannot list resource "configmaps"; to allow it: give n1 a role']);
  answer = 0;
  await rounds(4);
  assert.equal(said.length, 2);
  assert.match(said[1] ?? '', /^Cannot watch configmaps: Cannot GET http:/);
  stop.abort();
  await ended;
});

test('informer: a watch that dies without a word is opened anew within a minute, from where it was, and its age is known', async () => {
  const api = await fakeApi();
  const clock = new SleepCounter();
  const stop = new AbortController();
  api.lists.push([configMap('a', 1)]);
  const warnings: string[] = [];
  const log = { ...silentLog, warn: (text: string) => void warnings.push(text) };
  const set = new InformerSet(api.client, { clock, log, random: () => 0 });
  const informer = set.of(configMaps);
  const running = set.start(stop.signal);
  try {
    await informer.synced;
    const first = await api.nextWatch();
    const bookmark = async (resourceVersion: string): Promise<void> => {
      first.write(`${JSON.stringify({ type: 'BOOKMARK', object: { kind: 'ConfigMap', metadata: { resourceVersion } } })}\n`);
      await eventually(() => informer.resourceVersion === resourceVersion);
    };
    await bookmark('5');
    // As this project's server sends them.
    await clock.advance(30_000);
    await bookmark('7');
    // Nothing more comes, and the connection stays open.
    await clock.advance(45_000);
    assert.deepEqual([...set.agesMs], [['configmaps', 45_000]]);
    assert.deepEqual(api.watches, ['1']);
    await clock.advance(8_000);
    await eventually(() => clock.sleeps === 1);
    await clock.advance(1_000);
    const second = await api.nextWatch();
    assert.deepEqual(api.watches, ['1', '7']);
    assert.equal(api.listed.length, 1, 'nothing is listed again');
    assert.deepEqual(warnings, ['The watch of configmaps had died: nothing came for 53 s, not even a bookmark']);
    await eventually(() => informer.ageMs <= 1_000);
    second.write(`${JSON.stringify({ type: 'ADDED', object: configMap('b', 9) })}\n`);
    await eventually(() => informer.get('default/b') !== undefined);
  } finally {
    stop.abort();
    api.close();
    await running;
  }
});

test('informer: a server that takes the question for a watch and never answers is not waited for longer', async () => {
  let asked = 0;
  const server = createServer((req, res) => {
    if (!new URL(req.url ?? '', 'http://x').searchParams.has('watch'))
      res.end(JSON.stringify({ kind: 'ConfigMapList', metadata: { resourceVersion: '1' }, items: [] }));
    else asked++;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = new Client({ server: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
  const clock = new SleepCounter();
  const stop = new AbortController();
  const said: string[] = [];
  const log = { ...silentLog, debug: (text: string) => void said.push(text) };
  const running = new Informer(client, configMaps, { clock, log, random: () => 0.5 }).start(stop.signal);
  try {
    await eventually(() => asked === 1);
    await clock.advance(75_000);
    await eventually(() => said.length === 1);
    assert.equal(said[0], 'Cannot watch configmaps: nothing came for 75 s, not even a bookmark');
    await eventually(() => clock.sleeps === 1);
    await clock.advance(1_000);
    await eventually(() => asked === 2);
  } finally {
    stop.abort();
    await running;
    client.close();
    server.closeAllConnections();
    server.close();
  }
});
