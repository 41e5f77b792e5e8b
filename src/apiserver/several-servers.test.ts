/** Two API servers over one store: what a client is told by one holds at the other. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { systemClock } from '../clock/clock.ts';
import { eventually } from '../clock/testing/eventually.ts';
import { FakeClock } from '../clock/testing/fake-clock.ts';
import { silentLog } from '../observability/log.ts';
import { MemoryStore } from '../storage/memory/memory-store.ts';
import { openStore } from '../storage/open.ts';
import { type PutOptions, prefixEnd, type Store, type WriteResult } from '../storage/store.ts';
import { TestEtcd } from '../storage/testing/etcd.ts';
import { TestRedis } from '../storage/testing/redis.ts';
import { ServerLeases } from './bootstrap/server-leases.ts';
import { withoutHistory } from './cache/load.ts';
import { type Json, TestServer } from './testing/test-server.ts';

const services = '/api/v1/namespaces/default/services';
const maps = '/api/v1/namespaces/default/configmaps';
const json = { type: 'application/merge-patch+json' };

/** The same store for a server that hears of every change late. */
function heardLate(store: Store): Store {
  const late = Object.create(store) as Store;
  late.watch = async function* (start, end, from, options) {
    for await (const batch of store.watch(start, end, from, options)) {
      await setTimeout(5);
      yield batch;
    }
  };
  for (const name of ['revision', 'get', 'range', 'put', 'delete', 'close'] as const) late[name] = store[name].bind(store) as never;
  return late;
}

const endpointsPath = '/api/v1/namespaces/default/endpoints/kubernetes';
const slicePath = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes';

/** Where `default/kubernetes` leads, by both of its kinds of endpoints. */
async function serversAt(s: TestServer): Promise<readonly [string[], string[]]> {
  const [endpoints, slice] = [await s.call('GET', endpointsPath), await s.call('GET', slicePath)];
  return [
    endpoints.body.subsets.flatMap(({ addresses }: Json) => addresses.map(({ ip }: Json) => ip)),
    slice.body.endpoints.flatMap(({ addresses }: Json) => addresses),
  ];
}

interface Shared {
  /** What each of the servers has of it. */
  readonly stores: readonly [Store, Store];
  end(): Promise<void>;
}

const shared: Readonly<Record<string, () => Promise<Shared>>> = {
  memory: async () => {
    const store = new MemoryStore();
    return { stores: [store, heardLate(store)], end: () => store.close() };
  },
  etcd: async () => {
    const etcd = await TestEtcd.start();
    const open = (): Promise<Store> => openStore(etcd.url(), { clock: systemClock, log: silentLog });
    return { stores: [await open(), await open()], end: () => etcd[Symbol.asyncDispose]() };
  },
  Redis: async () => {
    const redis = await TestRedis.start();
    const open = (): Promise<Store> => openStore(redis.url, { withoutHistory });
    return { stores: [await open(), await open()], end: () => redis[Symbol.asyncDispose]() };
  },
};

for (const [kind, open] of Object.entries(shared))
  describe(`two servers over one store, ${kind},`, () => {
    let a: TestServer;
    let b: TestServer;
    let end: () => Promise<void>;
    before(async () => {
      const { stores, ...rest } = await open();
      end = rest.end;
      a = await TestServer.start(stores[0], { advertiseAddress: '192.0.2.1' });
      b = await TestServer.start(stores[1], { beside: a, advertiseAddress: '192.0.2.2' });
    });
    after(async () => {
      await b.stop();
      await a.stop();
      await end();
    });

    test('stand both behind default/kubernetes, and what somebody writes there goes', async () => {
      const both = ['192.0.2.1', '192.0.2.2'];
      await eventually(async () => assert.deepEqual(await serversAt(a), [both, both]));
      await a.call('DELETE', endpointsPath);
      await a.call('DELETE', slicePath);
      await eventually(async () => assert.deepEqual(await serversAt(b), [both, both]));
    });

    const nodePort = (name: string, port?: number): object => ({
      metadata: { name },
      spec: { type: 'NodePort', selector: { a: 'b' }, ports: [{ port: 80, nodePort: port }] },
    });

    test('never give two Services one address or node port, however many are created at once', async () => {
      const all = await Promise.all(Array.from({ length: 500 }, (_, i) => (i % 2 ? a : b).call('POST', services, nodePort(`many-${i}`))));
      assert.deepEqual([...new Set(all.map(({ status }) => status))], [201]);
      assert.equal(new Set(all.map(({ body }) => body.spec.clusterIP)).size, 500);
      assert.equal(new Set(all.map(({ body }) => body.spec.ports[0].nodePort)).size, 500);
      const { body } = await a.call('GET', '/apis/networking.k8s.io/v1/ipaddresses');
      const claimed = new Map(body.items.map(({ metadata, spec }: Json) => [metadata.name, spec.parentRef.name]));
      for (const { body } of all) assert.equal(claimed.get(body.spec.clusterIP), body.metadata.name);
      await a.call('DELETE', services);
    });

    test('give what several ask for by name to one of them', async () => {
      for (let round = 0; round < 20; round++) {
        const asked = nodePort('x', 31_000 + round) as Json;
        const both = await Promise.all(
          [a, b].map((server, i) =>
            server.call('POST', services, {
              metadata: { name: `both-${round}-${i}` },
              spec: { ...asked.spec, clusterIP: `10.96.3.${round + 1}` },
            }),
          ),
        );
        assert.deepEqual(both.map(({ status }) => status).toSorted(), [201, 422]);
        assert.match(both.find(({ status }) => status === 422)?.body.message, /provided (IP|port) is already allocated/);
      }
    });

    test('give the last number of a range to one of them, and none to the other', async () => {
      for (let port = 32_000; port < 32_010; port++) {
        await a.call('POST', services, nodePort(`held-${port}`, port));
        const moved = await Promise.all([
          a.call('PATCH', `${services}/held-${port}`, { spec: { ports: [{ port: 80, nodePort: port + 500 }] } }, json),
          b.call('POST', services, nodePort(`wants-${port}`, port + 500)),
        ]);
        assert.equal(moved.filter(({ status }) => status === 422).length, 1, moved.map(({ text }) => text).join());
      }
    });

    test('know at once what the other one gave back', async () => {
      for (let round = 0; round < 30; round++) {
        const [one, other] = round % 2 ? [a, b] : [b, a];
        assert.equal((await one.call('POST', services, nodePort(`again-${round}`, 30_010))).status, 201);
        assert.equal((await other.call('DELETE', `${services}/again-${round}`)).status, 200);
        const same = await one.call('POST', services, nodePort(`again-${round}`, 30_010));
        assert.equal(same.status, 201, same.text);
        assert.equal(
          (await one.call('PATCH', `${services}/again-${round}`, { spec: { ports: [{ port: 80, nodePort: 30_011 }] } }, json)).status,
          200,
        );
        const freed = await other.call('POST', services, nodePort(`freed-${round}`, 30_010));
        assert.equal(freed.status, 201, freed.text);
        for (const name of [`again-${round}`, `freed-${round}`]) await one.call('DELETE', `${services}/${name}`);
      }
    });

    test('give a Service more ports than one commit of the store takes, and again as soon as it is gone', async () => {
      const ports = Array.from({ length: 250 }, (_, i) => ({ name: `p${i}`, port: i + 1, nodePort: 30_100 + i }));
      for (const server of [a, b]) {
        const made = await server.call('POST', services, { metadata: { name: 'wide' }, spec: { type: 'NodePort', ports } });
        assert.equal(made.status, 201, made.text);
        const { count } = await a.store.range('/registry/ranges/servicenodeports/301', '/registry/ranges/servicenodeports/3035');
        assert.equal(count, 250);
        assert.match((await b.call('POST', services, nodePort('late', 30_349))).body.message, /provided port is already allocated/);
        assert.equal((await b.call('DELETE', `${services}/wide`)).status, 200);
      }
    });

    test('show a write of the other one in every read that follows it', async () => {
      await a.call('POST', maps, { metadata: { name: 'seen' }, data: { n: '0' } });
      for (let n = 1; n <= 50; n++) {
        const [one, other] = n % 2 ? [a, b] : [b, a];
        const { body } = await one.call('PATCH', `${maps}/seen`, { data: { n: String(n) } }, json);
        assert.equal((await other.call('GET', `${maps}/seen`)).body.data.n, String(n));
        const list = await other.call('GET', maps);
        assert.equal(list.body.items.find(({ metadata }: Json) => metadata.name === 'seen').data.n, String(n));
        assert.ok(Number(list.body.metadata.resourceVersion) >= Number(body.metadata.resourceVersion));
      }
    });

    test('refuse an update by a resourceVersion that the other one has left behind', async () => {
      const { body } = await a.call('POST', maps, { metadata: { name: 'raced' }, data: { n: '0' } });
      const both = await Promise.all([a, b].map((server) => server.call('PUT', `${maps}/raced`, { ...body, data: { n: server.url } })));
      assert.deepEqual(both.map(({ status }) => status).toSorted(), [200, 409]);
    });

    test('go on with a watch that the other one began', async () => {
      const { body } = await a.call('GET', maps);
      const first = await a.watch(`${maps}?watch=true&resourceVersion=${body.metadata.resourceVersion}`);
      await b.call('POST', maps, { metadata: { name: 'watched-1' } });
      const event = await first.next();
      assert.equal(event.object.metadata.name, 'watched-1');
      first.close();
      await a.call('POST', maps, { metadata: { name: 'watched-2' } });
      const second = await b.watch(`${maps}?watch=true&resourceVersion=${event.object.metadata.resourceVersion}`);
      await a.call('DELETE', `${maps}/watched-1`);
      assert.deepEqual(await second.names(2), ['ADDED watched-2', 'DELETED watched-1']);
      second.close();
    });

    test('go on with a list that the other one began, as of its first page', async () => {
      for (let i = 0; i < 6; i++) await a.call('POST', maps, { metadata: { name: `page-${i}`, labels: { page: 'yes' } } });
      const query = `${maps}?labelSelector=page=yes&limit=2`;
      const first = await a.call('GET', query);
      await b.call('DELETE', `${maps}/page-3`);
      await a.call('POST', maps, { metadata: { name: 'page-35', labels: { page: 'yes' } } });
      const second = await b.call('GET', `${query}&continue=${first.body.metadata.continue}`);
      const third = await a.call('GET', `${query}&continue=${second.body.metadata.continue}`);
      const pages = [first, second, third].map(({ body }) => body.items.map(({ metadata }: Json) => metadata.name));
      assert.deepEqual(pages, [
        ['page-0', 'page-1'],
        ['page-2', 'page-3'],
        ['page-4', 'page-5'],
      ]);
      assert.equal(third.body.metadata.resourceVersion, first.body.metadata.resourceVersion);
    });

    test("take each other's ServiceAccount tokens", async () => {
      await a.call('POST', '/api/v1/namespaces/default/serviceaccounts', { metadata: { name: 'robot' } });
      const { body } = await a.call('POST', '/api/v1/namespaces/default/serviceaccounts/robot/token', { spec: {} });
      const review = { spec: { token: body.status.token } };
      const { body: reviewed } = await b.call('POST', '/apis/authentication.k8s.io/v1/tokenreviews', review);
      assert.equal(reviewed.status.user?.username, 'system:serviceaccount:default:robot', JSON.stringify(reviewed.status));
    });
  });

/** Whose writes of Services fail, after they were done or before. */
class TroubledStore extends MemoryStore {
  trouble: 'before' | 'after' | undefined;
  override async put(key: string, value: Uint8Array, options?: PutOptions): Promise<WriteResult> {
    const { trouble } = this;
    if (!trouble || !key.startsWith('/registry/services/')) return super.put(key, value, options);
    if (trouble === 'after') await super.put(key, value, options);
    throw new Error('no answer');
  }
}

/** Counts writes. */
class CountingStore extends MemoryStore {
  readonly written: string[] = [];
  override async put(key: string, value: Uint8Array, options: PutOptions = {}): Promise<WriteResult> {
    const put = await super.put(key, value, options);
    if (put.ok) this.written.push([key, ...(options.alongside ?? []).map((other) => other.key)].join(' '));
    return put;
  }
}

test('a Service comes to be in one commit with all that it has of addresses and ports', async () => {
  const store = new CountingStore();
  const s = await TestServer.start(store);
  try {
    const ports = [{ port: 80, nodePort: 30_001 }];
    await s.call('POST', services, { metadata: { name: 'one' }, spec: { type: 'NodePort', clusterIP: '10.96.0.99', ports } });
    await s.call('PATCH', `${services}/one`, { spec: { ports: [{ port: 80, nodePort: 30_002 }] } }, json);
    assert.deepEqual(
      store.written.filter((keys) => keys.includes('default/one')),
      [
        '/registry/services/default/one /registry/ipaddresses/10.96.0.99 /registry/ranges/servicenodeports/30001',
        '/registry/services/default/one /registry/ranges/servicenodeports/30002 /registry/ranges/servicenodeports/30001',
      ],
    );
    assert.equal(await store.get('/registry/ranges/servicenodeports/30001'), undefined);
  } finally {
    await s.stop();
  }
});

/** Looks after every commit, which is where a server that dies may leave it, whether claims are those of the Services that are there. */
class WatchedStore extends MemoryStore {
  readonly faults: string[] = [];
  readonly seen = new Set<string>();
  override async put(...args: Parameters<Store['put']>): Promise<WriteResult> {
    const result = await super.put(...args);
    await this.#look(`after put ${args[0]}`);
    return result;
  }
  override async delete(...args: Parameters<Store['delete']>): Promise<WriteResult> {
    const result = await super.delete(...args);
    await this.#look(`after delete ${args[0]}`);
    return result;
  }
  async #look(when: string): Promise<void> {
    const [held, addresses, ports] = await Promise.all(
      ['services', 'ipaddresses', 'ranges/servicenodeports'].map((place) => this.#objects(`/registry/${place}/`)),
    );
    const wanted = held!.flatMap(({ metadata, spec }) => {
      const of = ` of ${metadata.name}`;
      return [spec.clusterIP, ...spec.ports.map(({ nodePort }: Json) => nodePort)].filter(Boolean).map((id) => id + of);
    });
    const claimed = [...addresses!, ...ports!].map(({ metadata, spec }) => `${metadata.name} of ${spec.parentRef.name}`);
    const [want, have] = [wanted, claimed].map((list) => list.toSorted().join());
    if (want !== have) this.faults.push(`${when}: Services have ${want}, claims are ${have}`);
    this.seen.add(have!);
  }
  async #objects(prefix: string): Promise<Json[]> {
    return (await this.range(prefix, prefixEnd(prefix))).records.map(({ value }) => JSON.parse(Buffer.from(value).toString()));
  }
}

test('wherever a server dies, each address and port is claimed by the Service that has it, and nothing by one that is gone', async () => {
  const store = new WatchedStore();
  const s = await TestServer.start(store);
  try {
    const one = `${services}/one`;
    const three = `${services}/three`;
    const nodePort = (name: string, nodePort: number, clusterIP?: string): object => ({
      metadata: { name },
      spec: { type: 'NodePort', clusterIP, ports: [{ port: 80, nodePort }] },
    });
    for (const [method, path, body, options] of [
      ['POST', services, nodePort('one', 30_001, '10.96.0.99')],
      ['PATCH', one, { spec: { ports: [{ port: 80, nodePort: 30_002 }] } }, json],
      ['POST', services, nodePort('two', 30_001)],
      ['PATCH', one, { spec: { type: 'ClusterIP', ports: [{ port: 80, nodePort: null }] } }, json],
      ['PATCH', one, { spec: { type: 'ExternalName', externalName: 'x.test' } }, json],
      ['POST', services, nodePort('three', 30_002, '10.96.0.99')],
      ['PATCH', three, { metadata: { finalizers: ['x.test/y'] } }, json],
      ['DELETE', three],
      ['PATCH', three, { metadata: { finalizers: null } }, json],
      ['DELETE', services],
    ] as const) {
      const reply = await s.call(method, path, body, options);
      assert.ok(reply.status < 300, `${method} ${path}: ${reply.text}`);
    }
    assert.deepEqual(store.faults, []);
    assert.ok(store.seen.has('10.96.0.1 of kubernetes,10.96.0.99 of one,30001 of one'), [...store.seen].join('\n'));
    assert.equal(
      [...store.seen].some((claims) => claims.includes('10.96.0.99 of three') && claims.includes('30002 of three')),
      true,
    );
    const left = await s.call('GET', '/apis/networking.k8s.io/v1/ipaddresses');
    assert.deepEqual(
      left.body.items.map(({ metadata }: Json) => metadata.name),
      (await s.call('GET', services)).body.items.map(({ spec }: Json) => spec.clusterIP),
    );
  } finally {
    await s.stop();
  }
});

test('an address stays with a Service that may have been stored though the store gave no answer', async () => {
  const store = new TroubledStore();
  const s = await TestServer.start(store);
  try {
    const spec = { clusterIP: '10.96.0.99', ports: [{ port: 80 }] };
    store.trouble = 'after';
    assert.equal((await s.call('POST', services, { metadata: { name: 'unclear' }, spec })).status, 500);
    store.trouble = undefined;
    assert.equal((await s.call('GET', `${services}/unclear`)).status, 200);
    assert.equal((await s.call('GET', '/apis/networking.k8s.io/v1/ipaddresses/10.96.0.99')).status, 200);
    await s.call('DELETE', `${services}/unclear`);
    assert.equal((await s.call('POST', services, { metadata: { name: 'next' }, spec })).status, 201);
  } finally {
    await s.stop();
  }
});

describe('a server that goes', () => {
  test('is told of no more, and the last one leaves its address where it is', async () => {
    const a = await TestServer.start(new MemoryStore(), { advertiseAddress: '192.0.2.1' });
    const b = await TestServer.start(a.store, { beside: a, advertiseAddress: '192.0.2.2' });
    await eventually(async () => assert.deepEqual((await serversAt(a))[0], ['192.0.2.1', '192.0.2.2']));
    await b.server.close();
    b.disconnect();
    assert.deepEqual(await serversAt(a), [['192.0.2.1'], ['192.0.2.1']]);
    await a.server.close();
    a.disconnect();
    const kept =
      (await a.store.get('/registry/services/endpoints/default/kubernetes')) ??
      (await a.store.get('/registry/endpoints/default/kubernetes'));
    assert.match(Buffer.from(kept?.value ?? []).toString(), /192\.0\.2\.1/);
    await a.stop();
  });

  test('without a word is told of no more once its lease has run out', async () => {
    const clock = new FakeClock();
    const a = await TestServer.start(new MemoryStore({ clock }), { advertiseAddress: '192.0.2.1' });
    try {
      // What one leaves that was killed.
      await new ServerLeases(a.store).renew({ ip: '192.0.2.2', port: 6443 });
      await eventually(async () => assert.deepEqual((await serversAt(a))[0], ['192.0.2.1', '192.0.2.2']));
      await clock.advance(14_999);
      await new ServerLeases(a.store).renew({ ip: '192.0.2.1', port: 6443 });
      await clock.advance(1);
      await eventually(async () => assert.deepEqual(await serversAt(a), [['192.0.2.1'], ['192.0.2.1']]));
    } finally {
      await a.stop();
    }
  });
});
