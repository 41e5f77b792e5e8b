/** Three API servers over one etcd that is set back to an earlier state while all of them live: each finds out by itself, and they agree on what is there. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { services } from '../../src/api/resource-types.ts';
import type { Service } from '../../src/api/schema/types.ts';
import { withoutHistory } from '../../src/apiserver/cache/load.ts';
import { TestServer, type TestWatch } from '../../src/apiserver/testing/test-server.ts';
import { Client } from '../../src/client/client.ts';
import { Informer } from '../../src/client/informer.ts';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { openStore } from '../../src/storage/open.ts';
import { TestEtcd } from '../../src/storage/testing/etcd.ts';
import { FaultyProxy } from '../../src/storage/testing/faulty-proxy.ts';

const bump = 1_000_000_000;
const cannotBump = spawnSync('etcdutl', ['snapshot', 'restore', '--help']).stdout?.includes('--bump-revision') !== true;

const path = '/api/v1/namespaces/default/services';

/** An API server with a client of its own that lists and watches. */
class Replica implements AsyncDisposable {
  readonly server: TestServer;
  readonly proxy: FaultyProxy;
  readonly #client: Client;
  readonly #informer: Informer<Service>;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  private constructor(server: TestServer, proxy: FaultyProxy, client: Client) {
    this.server = server;
    this.proxy = proxy;
    this.#client = client;
    this.#informer = new Informer(client, services);
    this.#running = this.#informer.start(this.#stop.signal);
  }

  static async start(etcd: TestEtcd, beside: TestServer | undefined, number: number): Promise<Replica> {
    const proxy = await FaultyProxy.start(Number(new URL(etcd.endpoints[0]!).port));
    const store = await openStore(`etcd=http://127.0.0.1:${proxy.port}`, { withoutHistory });
    const options = { ...(beside && { beside }), advertiseAddress: `192.0.2.${number}` };
    const server = await eventually('an API server', () => TestServer.start(store, options));
    const identity = await server.pki.client(`client-${number}`, 'system:masters');
    return new Replica(server, proxy, new Client({ server: server.url, ca: server.pki.ca, ...identity }));
  }

  /** Creates a Service as soon as somebody takes it; gives its address. */
  create(name: string): Promise<string> {
    return eventually(`${name} to be created`, async () => {
      const { status, text, body } = await this.server.call('POST', path, { metadata: { name }, spec: { ports: [{ port: 80 }] } });
      // By a try before, whose answer was lost.
      if (status === 409) return (await this.server.call('GET', `${path}/${name}`)).body.spec.clusterIP as string;
      assert.equal(status, 201, text);
      return body.spec.clusterIP as string;
    });
  }

  /** What it shows: the names, each with its address, and the revision. */
  async shown(): Promise<{ readonly objects: string[]; readonly revision: number }> {
    const { status, text, body } = await this.server.call('GET', path);
    assert.equal(status, 200, text);
    return { objects: (body.items as Service[]).map(lineOf).toSorted(), revision: Number(body.metadata.resourceVersion) };
  }

  /** What its client has come to by list and watch. */
  get copied(): string[] {
    return this.#informer.list('default').map(lineOf).toSorted();
  }

  watch(query: string): Promise<TestWatch> {
    return this.server.watch(`${path}?watch=true${query}`);
  }

  cut(): void {
    this.proxy.cut();
  }

  mend(): void {
    this.proxy.mend();
    this.proxy.endAll();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
    this.#client.close();
    await this.server.stop();
    await this.proxy[Symbol.asyncDispose]();
  }
}

function lineOf({ metadata, spec }: Service): string {
  return `${metadata.name} ${spec?.clusterIP} ${metadata.resourceVersion}`;
}

const namesOf = (lines: readonly string[]): string[] => lines.map((line) => line.split(' ')[0]!);

class Scene implements AsyncDisposable {
  readonly etcd: TestEtcd;
  readonly replicas: Replica[] = [];

  private constructor(etcd: TestEtcd) {
    this.etcd = etcd;
  }

  static async start(): Promise<Scene> {
    const scene = new Scene(await TestEtcd.start());
    for (const number of [1, 2, 3]) scene.replicas.push(await Replica.start(scene.etcd, scene.replicas[0]?.server, number));
    // Servers make that themselves, some time after their start.
    await eventually('the Service kubernetes', async () => assert.deepEqual(namesOf((await scene.agreed()).objects), ['kubernetes']));
    return scene;
  }

  /** Each of them creates one of that name and its number. Gives what was created. */
  async createAll(name: string): Promise<string[]> {
    const names = this.replicas.map((_, i) => `${name}-${i + 1}`);
    await Promise.all(this.replicas.map((replica, i) => replica.create(names[i]!)));
    return names;
  }

  /** Returns what all of them show, and their clients have, once that is the same, with the lowest of their revisions. */
  agreed(): Promise<{ readonly objects: readonly string[]; readonly revision: number }> {
    return eventually('the servers and their clients to agree', async () => {
      const shown = await Promise.all(this.replicas.map((replica) => replica.shown()));
      for (const { objects } of shown) assert.deepEqual(objects, shown[0]!.objects);
      for (const { copied } of this.replicas) assert.deepEqual(copied, shown[0]!.objects);
      return { objects: shown[0]!.objects, revision: Math.min(...shown.map(({ revision }) => revision)) };
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const replica of this.replicas.toReversed()) await replica[Symbol.asyncDispose]();
    await this.etcd[Symbol.asyncDispose]();
  }
}

/** The watch tells of nothing but changes until it says that it is too old, and ends. */
async function endsAsTooOld(watch: TestWatch): Promise<void> {
  for (let event = await watch.next(); ; event = await watch.next()) {
    assert.ok(event, 'it ended without a word');
    if (event.type !== 'ERROR') continue;
    assert.deepEqual([event.object.code, event.object.reason], [410, 'Expired']);
    break;
  }
  assert.equal(await watch.next(), undefined);
}

/** Every address is given to one Service, as each Service that was created says. */
function assertUnique(objects: readonly string[]): void {
  const addresses = objects.map((line) => line.split(' ')[1]);
  assert.equal(new Set(addresses).size, addresses.length, objects.join('\n'));
}

describe('three API servers whose etcd is set back', () => {
  test('go on with what is there: their clients list anew, no revision and no address is given twice', async () => {
    await using scene = await Scene.start();
    const { replicas, etcd } = scene;
    const kept = await scene.createAll('kept');
    const goBack = await etcd.keep();
    const lost = await scene.createAll('lost');
    await eventually('a deletion', async () => (await replicas[1]!.server.call('DELETE', `${path}/kept-1`)).status === 200);
    const before = await scene.agreed();
    assert.deepEqual(namesOf(before.objects), ['kept-2', 'kept-3', 'kubernetes', ...lost]);
    const watches = await Promise.all(
      replicas.flatMap((replica) =>
        ['', `&resourceVersion=${before.revision}`, '&fieldSelector=metadata.name%3Da'].map((query) => replica.watch(query)),
      ),
    );
    await goBack();
    const ended = Promise.all(watches.map(endsAsTooOld));
    // All at once, while they find out.
    const made = (await Promise.all(Array.from({ length: 10 }, (_, i) => scene.createAll(`new-${i}`)))).flat();
    await ended;
    const { objects, revision } = await scene.agreed();
    assert.deepEqual(namesOf(objects), [...kept, 'kubernetes', ...made].toSorted());
    assertUnique(objects);
    assert.ok(revision > before.revision, 'no revision is given twice');
    for (const { server } of replicas) {
      const { text } = await server.call('GET', `${path}?watch=true&resourceVersion=${before.revision}`);
      assert.match(text, /"code":410/, 'what was known before is too old at each of them');
    }
    for (const line of objects) {
      const [name, , version] = line.split(' ');
      if (made.includes(name!)) assert.ok(Number(version) > before.revision, `${name} has a revision of before`);
    }
  });

  test('of which one knew of far more writes than the others do: what they told since is too old, and what they wrote is there', async () => {
    await using scene = await Scene.start();
    const { replicas, etcd } = scene;
    const [ahead, second, third] = replicas as [Replica, Replica, Replica];
    const goBack = await etcd.keep();
    await scene.createAll('lost');
    await scene.agreed();
    second.cut();
    third.cut();
    const { store } = ahead.server;
    // A busy machine may leave a call without an answer in time.
    const write = (key: string): Promise<unknown> => eventually(() => store.put(key, Buffer.from('x')));
    for (let i = 0; i < 15; i++) await Promise.all(Array.from({ length: 100 }, (_, n) => write(`/registry/of-others/${i}-${n}`)));
    const known = await ahead.server.store.revision();
    ahead.cut();
    await goBack();
    third.mend();
    await third.create('of-the-third');
    const told = await third.shown();
    assert.ok(told.revision < known, 'it goes on above what it knew, which is less');
    // To that one each server writes its own port.
    const watch = await third.watch(`&resourceVersion=${told.revision}&fieldSelector=metadata.name!%3Dkubernetes`);
    second.mend();
    await second.create('of-the-second');
    assert.deepEqual(await watch.names(1), ['ADDED of-the-second'], 'it goes on');
    ahead.mend();
    await endsAsTooOld(watch);
    await ahead.create('of-the-first');
    const { objects, revision } = await scene.agreed();
    assert.deepEqual(namesOf(objects), ['kubernetes', 'of-the-first', 'of-the-second', 'of-the-third']);
    assertUnique(objects);
    assert.ok(revision > known, 'no revision that a client was told of is given twice from now on');
    for (const { server } of replicas)
      assert.match((await server.call('GET', `${path}?watch=true&resourceVersion=${told.revision}`)).text, /"code":410/);
  });

  test('by etcdutl, which raises the revision, raise nothing more', {
    skip: cannotBump && 'needs etcdutl of 3.5.10 or later (Debian 13)',
  }, async () => {
    await using scene = await Scene.start();
    const { replicas, etcd } = scene;
    const kept = await scene.createAll('kept');
    await scene.agreed();
    const restored = (await replicas[0]!.server.store.revision()) + bump;
    const goBack = etcd.keepSnapshot(bump);
    await scene.createAll('lost');
    const before = await scene.agreed();
    const watches = await Promise.all(replicas.map((replica) => replica.watch(`&resourceVersion=${before.revision}`)));
    await goBack();
    await Promise.all(watches.map(endsAsTooOld));
    const made = await scene.createAll('new');
    const { objects, revision } = await scene.agreed();
    assert.deepEqual(namesOf(objects), [...kept, 'kubernetes', ...made].toSorted());
    assertUnique(objects);
    assert.ok(revision > restored - 100 && revision < restored + 900, `${revision} where etcdutl has made ${restored}`);
    for (const { server } of replicas)
      assert.match((await server.call('GET', `${path}?watch=true&resourceVersion=${before.revision}`)).text, /"code":410/);
  });
});
