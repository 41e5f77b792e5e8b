import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Json, TestServer } from './testing/test-server.ts';

const maps = '/api/v1/namespaces/default/configmaps';
const pods = '/api/v1/namespaces/default/pods';

describe('watch', () => {
  let s: TestServer;
  before(async () => {
    s = await TestServer.start();
    await s.call('POST', '/api/v1/namespaces/default/serviceaccounts', { metadata: { name: 'default' } });
  });
  after(() => s.stop());

  async function revision(): Promise<string> {
    return (await s.call('GET', `${maps}?limit=1`)).body.metadata.resourceVersion;
  }

  test('tells of what is created, changed and deleted after a revision', async () => {
    const watch = await s.watch(`${maps}?watch=true&resourceVersion=${await revision()}`);
    await s.call('POST', maps, { metadata: { name: 'w1' } });
    await s.call('PATCH', `${maps}/w1`, { data: { a: '1' } }, { type: 'application/merge-patch+json' });
    await s.call('DELETE', `${maps}/w1`);
    const events = [await watch.next(), await watch.next(), await watch.next()];
    assert.deepEqual(
      events.map((e: Json) => e.type),
      ['ADDED', 'MODIFIED', 'DELETED'],
    );
    const revisions = events.map((e: Json) => Number(e.object.metadata.resourceVersion));
    assert.ok(revisions[0]! < revisions[1]! && revisions[1]! < revisions[2]!, 'a deletion has a revision of its own');
    watch.close();
  });

  test('says in a header, as a list does, which cluster it is of', async () => {
    const { uid } = (await s.call('GET', '/api/v1/namespaces/kube-system')).body.metadata;
    assert.match(uid, /^[0-9a-f-]{36}$/);
    assert.equal((await s.call('GET', maps)).headers['fairlead-cluster'], uid);
    const answer = await s.open('GET', `${maps}?watch=true`);
    assert.equal(answer.headers['fairlead-cluster'], uid);
    answer.destroy();
  });

  test('starts in the past', async () => {
    const from = await revision();
    await s.call('POST', maps, { metadata: { name: 'past' } });
    await s.call('DELETE', `${maps}/past`);
    const watch = await s.watch(`${maps}?watch=true&resourceVersion=${from}`);
    assert.deepEqual(await watch.names(2), ['ADDED past', 'DELETED past']);
    watch.close();
  });

  test('begins with what is there when no revision is given', async () => {
    await s.call('POST', maps, { metadata: { name: 'there' } });
    const watch = await s.watch(`${maps}?watch=true&fieldSelector=metadata.name%3Dthere`);
    assert.deepEqual(await watch.names(1), ['ADDED there']);
    watch.close();
  });

  test('answers WatchList with the objects and then a bookmark that says so', async () => {
    const listed = await s.call('POST', maps, { metadata: { name: 'listed', labels: { wl: 'x' } } });
    const query = 'watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&labelSelector=wl%3Dx';
    const watch = await s.watch(`${maps}?${query}`);
    assert.deepEqual(await watch.names(1), ['ADDED listed']);
    const bookmark = await watch.next();
    assert.equal(bookmark.type, 'BOOKMARK');
    assert.equal(bookmark.object.kind, 'ConfigMap');
    assert.equal(bookmark.object.metadata.annotations['k8s.io/initial-events-end'], 'true');
    // The server itself may write meanwhile.
    const at = Number(bookmark.object.metadata.resourceVersion);
    assert.ok(at >= Number(listed.body.metadata.resourceVersion) && at <= Number(await revision()), `bookmark at ${at}`);
    await s.call('POST', maps, { metadata: { name: 'later', labels: { wl: 'x' } } });
    assert.deepEqual(await watch.names(1), ['ADDED later']);
    watch.close();
  });

  test('lets objects come and go as they begin and cease to match', async () => {
    const type = 'application/merge-patch+json';
    await s.call('POST', maps, { metadata: { name: 'match' } });
    const watch = await s.watch(`${maps}?watch=true&labelSelector=on%3Dyes&resourceVersion=${await revision()}`);
    await s.call('PATCH', `${maps}/match`, { metadata: { labels: { on: 'yes' } } }, { type });
    await s.call('PATCH', `${maps}/match`, { data: { a: 'b' } }, { type });
    await s.call('PATCH', `${maps}/match`, { metadata: { labels: { on: 'no' } } }, { type });
    await s.call('DELETE', `${maps}/match`);
    await s.call('POST', maps, { metadata: { name: 'end', labels: { on: 'yes' } } });
    assert.deepEqual(await watch.names(4), ['ADDED match', 'MODIFIED match', 'DELETED match', 'ADDED end']);
    watch.close();
  });

  test('sends a node its pods when they are bound', async () => {
    await s.call('POST', '/api/v1/nodes', { metadata: { name: 'n1' } });
    const watch = await s.watch(`/api/v1/pods?watch=true&fieldSelector=spec.nodeName%3Dn1&resourceVersion=${await revision()}`);
    await s.call('POST', pods, { metadata: { name: 'p1' }, spec: { containers: [{ name: 'c', image: 'i' }] } });
    const bound = await s.call('POST', `${pods}/p1/binding`, { metadata: { name: 'p1' }, target: { kind: 'Node', name: 'n1' } });
    assert.equal(bound.status, 201, bound.text);
    const event = await watch.next();
    assert.equal(event.type, 'ADDED');
    assert.equal(event.object.spec.nodeName, 'n1');
    assert.equal(event.object.status.conditions[0].type, 'PodScheduled');
    const twice = await s.call('POST', `${pods}/p1/binding`, { metadata: { name: 'p1' }, target: { kind: 'Node', name: 'n1' } });
    assert.equal(twice.status, 409);
    assert.match(twice.body.message, /pod p1 is already assigned to node "n1"/);
    watch.close();
  });

  test('sends Tables to those who ask', async () => {
    const headers = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' };
    const watch = await s.watch(`${maps}?watch=true&resourceVersion=${await revision()}`, { headers });
    await s.call('POST', maps, { metadata: { name: 'tabled' } });
    const { object } = await watch.next();
    assert.equal(object.kind, 'Table');
    assert.equal(object.rows[0].cells[0], 'tabled');
    watch.close();
  });

  test('ends after timeoutSeconds, with a bookmark before', async () => {
    const watch = await s.watch(`${maps}?watch=true&allowWatchBookmarks=true&timeoutSeconds=1&resourceVersion=${await revision()}`);
    assert.equal((await watch.next()).type, 'BOOKMARK');
    assert.equal(await watch.next(), undefined);
  });

  test('answers a revision that is forgotten with 410 in the stream', async () => {
    const watch = await s.watch(`${maps}?watch=true&resourceVersion=1`);
    // The log of a fresh server begins at its first revision; one before it is forgotten.
    const old = await s.watch(`${maps}?watch=true&resourceVersion=1`);
    old.close();
    watch.close();
    const { ResourceCache } = await import('./cache/resource-cache.ts');
    const cache = new ResourceCache('/registry/x/', 10);
    assert.equal(cache.eventsAfter(9), undefined);
    assert.deepEqual(cache.eventsAfter(10), []);
  });

  test('keeps a watcher that reads slowly from holding memory, and loses nothing', async () => {
    const watch = await s.watch(`${maps}?watch=true&labelSelector=slow&resourceVersion=${await revision()}`);
    watch.answer.pause();
    const data = { x: 'x'.repeat(100_000) };
    for (let i = 0; i < 60; i++) await s.call('POST', maps, { metadata: { name: `slow-${i}`, labels: { slow: '' } }, data });
    watch.answer.resume();
    assert.deepEqual(
      await watch.names(60),
      Array.from({ length: 60 }, (_, i) => `ADDED slow-${i}`),
    );
    watch.close();
  });
});

describe('closing the server', () => {
  test('ends watches at once', async () => {
    const s = await TestServer.start();
    const watch = await s.watch(`${maps}?watch=true`);
    const started = performance.now();
    await s.stop();
    assert.ok(performance.now() - started < 30_000);
    assert.equal(await watch.next(), undefined);
  });
});
