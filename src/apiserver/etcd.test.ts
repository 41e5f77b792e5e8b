/** An API server over etcd, whose members die: what a client was told holds, and its watches go on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../clock/testing/eventually.ts';
import { openStore } from '../storage/open.ts';
import { TestEtcd } from '../storage/testing/etcd.ts';
import { withoutHistory } from './cache/load.ts';
import { type Json, type Reply, TestServer } from './testing/test-server.ts';

const maps = '/api/v1/namespaces/default/configmaps';

/** Clients that create ConfigMaps, one after the other, until they are stopped. */
class Writers {
  readonly acknowledged: string[] = [];
  readonly refused: Reply[] = [];
  readonly #server: TestServer;
  readonly #running: Promise<unknown>;
  #stopped = false;

  constructor(server: TestServer, count: number) {
    this.#server = server;
    this.#running = Promise.all(Array.from({ length: count }, (_, writer) => this.#write(writer)));
  }

  async #write(writer: number): Promise<void> {
    for (let i = 0; !this.#stopped; i++) {
      const name = `w${writer}-${i}`;
      const answer = await this.#server.call('POST', maps, { metadata: { name } });
      if (answer.status === 201) this.acknowledged.push(name);
      else {
        this.refused.push(answer);
        await sleep(20);
      }
    }
  }

  /** Returns after so many more were acknowledged. */
  async more(count: number): Promise<void> {
    const until = this.acknowledged.length + count;
    while (this.acknowledged.length < until) await sleep(5);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }
}

async function serverOver(etcd: TestEtcd): Promise<TestServer> {
  return TestServer.start(await openStore(etcd.url(), { withoutHistory }));
}

async function namesAt(server: TestServer): Promise<Set<string>> {
  const { body } = await server.call('GET', maps);
  return new Set(body.items.map(({ metadata }: Json) => metadata.name));
}

test('an API server answers 503 while its etcd is dead, and has lost nothing when it is back', async () => {
  await using etcd = await TestEtcd.start();
  const server = await serverOver(etcd);
  const writers = new Writers(server, 8);
  await writers.more(100);
  await etcd.kill();
  const unready = await server.call('GET', '/readyz?verbose');
  assert.equal(unready.status, 500);
  assert.match(unready.text, /store failed/);
  assert.equal((await server.call('GET', '/livez')).status, 500);
  const ping = await server.call('GET', '/livez/ping');
  assert.deepEqual([ping.status, ping.text], [200, 'ok'], 'the process itself is well');
  assert.equal((await server.call('GET', '/livez?exclude=etcd')).status, 200);
  assert.equal((await server.call('GET', `${maps}?resourceVersion=0`)).status, 200, 'the cache still answers');
  while (writers.refused.length === 0) await sleep(5);
  await etcd.start();
  await writers.more(100);
  await writers.stop();
  assert.equal((await server.call('GET', '/readyz')).status, 200);
  for (const { status, headers, body } of writers.refused) {
    // One whose answer was lost may have been created.
    if (status === 409) continue;
    assert.equal(status, 503, JSON.stringify(body));
    assert.equal(headers['retry-after'], '1');
  }
  const there = await namesAt(server);
  assert.deepEqual(
    writers.acknowledged.filter((name) => !there.has(name)),
    [],
  );
  await server.stop();
  const next = await serverOver(etcd);
  const again = await namesAt(next);
  assert.deepEqual(again, there, 'a server that starts anew finds the same');
  await next.stop();
});

test('a watch and writers go on while each of three members dies', async () => {
  await using etcd = await TestEtcd.start({ members: 3 });
  const server = await serverOver(etcd);
  const { body } = await server.call('GET', maps);
  const watch = await server.watch(`${maps}?watch=true&resourceVersion=${body.metadata.resourceVersion}`);
  const writers = new Writers(server, 4);
  for (const member of [0, 1, 2]) {
    await writers.more(50);
    await etcd.kill(member);
    await writers.more(50);
    await etcd.start(member);
  }
  await writers.stop();
  await server.call('POST', maps, { metadata: { name: 'last' } });
  const seen: string[] = [];
  let newest = 0;
  for (let event = await watch.next(); event.object.metadata.name !== 'last'; event = await watch.next()) {
    assert.equal(event.type, 'ADDED');
    assert.ok(Number(event.object.metadata.resourceVersion) > newest, 'in order, each once');
    newest = Number(event.object.metadata.resourceVersion);
    seen.push(event.object.metadata.name);
  }
  const known = new Set(seen);
  assert.deepEqual(
    writers.acknowledged.filter((name) => !known.has(name)),
    [],
  );
  watch.answer.destroy();
  await server.stop();
});

test('watches end with 410 when etcd was set back under living API servers, which go on with what is there without a restart', async () => {
  await using etcd = await TestEtcd.start();
  const server = await serverOver(etcd);
  const goBack = await etcd.keep();
  await eventually('a write', async () => (await server.call('POST', maps, { metadata: { name: 'lost' } })).status === 201);
  const { body } = await server.call('GET', maps);
  const from = body.metadata.resourceVersion as string;
  const watches = await Promise.all(
    [
      `${maps}?watch=true&resourceVersion=${from}`,
      '/api/v1/nodes?watch=true',
      '/api/v1/nodes?watch=true&fieldSelector=metadata.name%3Da',
    ].map((path) => server.watch(path)),
  );
  await goBack();
  for (const watch of watches) {
    const { type, object } = await watch.next();
    assert.deepEqual([type, object.code, object.reason], ['ERROR', 410, 'Expired']);
    assert.equal(await watch.next(), undefined, 'and the stream ends');
  }
  const refusals = new Set<string>();
  const now = await eventually('an answer', async () => {
    const answer = await server.call('GET', maps);
    if (answer.status !== 200) refusals.add(`${answer.status} ${answer.headers['retry-after']} ${answer.text}`);
    assert.equal(answer.status, 200);
    return answer;
  });
  for (const refusal of refusals) assert.match(refusal, /^503 1 .*went back.* by itself/);
  assert.ok(!now.body.items.some(({ metadata }: Json) => metadata.name === 'lost'));
  assert.ok(Number(now.body.metadata.resourceVersion) > Number(from), 'no revision is given twice');
  assert.equal((await server.call('GET', `${maps}/lost?resourceVersion=0`)).status, 404);
  // Whatever a client still knows of before is too old, and nothing else.
  for (const query of [`watch=true&resourceVersion=${from}`, `resourceVersion=${from}&resourceVersionMatch=Exact`]) {
    const { text } = await server.call('GET', `${maps}?${query}`);
    assert.match(text, /"code":410/, query);
  }
  const watch = await server.watch(`${maps}?watch=true&resourceVersion=${now.body.metadata.resourceVersion}`);
  await eventually('a write', async () => (await server.call('POST', maps, { metadata: { name: 'next' } })).status === 201);
  assert.equal((await watch.next()).object.metadata.name, 'next');
  watch.answer.destroy();
  assert.equal((await server.call('GET', '/readyz')).status, 200);
  const before = await namesAt(server);
  await server.stop();
  const next = await serverOver(etcd);
  assert.deepEqual(await namesAt(next), before, 'a server that is started anew shows the same');
  await next.stop();
});
