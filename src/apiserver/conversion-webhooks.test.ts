/** Versions of a kind that a webhook converts, over a living server. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { boxDefinition, converting, definitions, group } from './testing/boxes.ts';
import { FakeWebhook, type Reply as HookReply, patching } from './testing/fake-webhook.ts';
import { type Json, type Reply, TestServer } from './testing/test-server.ts';

const merge = { type: 'application/merge-patch+json' };
const apply = { type: 'application/apply-patch+yaml' };
const admission = '/apis/admissionregistration.k8s.io/v1';
const pathOf = (version: string, name = '', plural = 'boxes'): string =>
  `/apis/${group}/${version}/namespaces/default/${plural}${name && `/${name}`}`;
const box = (version: string, name: string, spec: object = {}, metadata: object = {}): Json => ({
  ...{ apiVersion: `${group}/${version}`, kind: 'Box', metadata: { name, ...metadata }, spec },
});

async function until(ask: () => Promise<Reply>, wanted: (reply: Reply) => boolean): Promise<Reply> {
  for (;;) {
    const reply = await ask();
    if (wanted(reply)) return reply;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('a definition with a conversion webhook', () => {
  let server: TestServer;
  let hook: FakeWebhook;
  const call: TestServer['call'] = (...args) => server.call(...args);
  const replies = (reply: (review: Json) => HookReply | Promise<HookReply>): void => void hook.replies.set('/boxes', reply);
  const establish = async (definition: Json): Promise<void> => {
    const made = await call('POST', definitions, definition);
    assert.equal(made.status, 201, made.text);
    assert.equal(made.headers.warning, undefined);
    await until(
      () => call('GET', `/apis/${group}/v2/namespaces/default/${definition.spec.names.plural}`),
      ({ status }) => status !== 404,
    );
  };
  const make = async (version: string, name: string, spec: object, metadata: object = {}): Promise<Json> => {
    const made = await call('POST', pathOf(version), box(version, name, spec, metadata));
    assert.equal(made.status, 201, made.text);
    return made.body;
  };
  const clear = async (): Promise<void> => {
    replies(converting());
    assert.equal((await call('DELETE', pathOf('v1'))).status, 200);
  };
  before(async () => {
    [server, hook] = [await TestServer.start(), await FakeWebhook.start()];
    replies(converting());
    await establish(boxDefinition(hook));
  });
  beforeEach(async () => {
    await clear();
    hook.asked.splice(0);
  });
  after(async () => {
    await hook.stop();
    await server.stop();
  });

  test('an object is shown, listed, changed and scaled in each version', async () => {
    const made = await make('v2', 'one', { width: 2, height: 3, pool: { replicas: 4 } });
    assert.deepEqual([made.apiVersion, made.spec], [`${group}/v2`, { width: 2, height: 3, colour: 'blue', pool: { replicas: 4 } }]);
    const { body: old } = await call('GET', pathOf('v1', 'one'));
    assert.deepEqual([old.apiVersion, old.spec], [`${group}/v1`, { size: '2x3', colour: 'blue', replicas: 4 }]);
    assert.deepEqual(old.metadata, made.metadata);
    const { body: listed } = await call('GET', pathOf('v2'));
    assert.deepEqual([listed.kind, listed.apiVersion, listed.items], ['BoxList', `${group}/v2`, [made]]);
    const changed = await call('PATCH', pathOf('v2', 'one'), { spec: { height: 5 } }, merge);
    assert.deepEqual([changed.status, changed.body.spec.height, changed.body.metadata.generation], [200, 5, 2]);
    assert.equal((await call('GET', pathOf('v1', 'one'))).body.spec.size, '2x5');
    const put = await call(
      'PUT',
      pathOf('v1', 'one'),
      box('v1', 'one', { size: '7x8' }, { resourceVersion: changed.body.metadata.resourceVersion }),
    );
    assert.equal(put.status, 200, put.text);
    assert.deepEqual((await call('GET', pathOf('v2', 'one'))).body.spec, { width: 7, height: 8, colour: 'grey' });
    const scaled = await call('PATCH', `${pathOf('v2', 'one')}/scale`, { spec: { replicas: 9 } }, merge);
    assert.deepEqual([scaled.status, scaled.body.spec.replicas], [200, 9]);
    assert.equal((await call('GET', pathOf('v1', 'one'))).body.spec.replicas, 9);
    assert.equal((await call('GET', `${pathOf('v2', 'one')}/scale`)).body.spec.replicas, 9);
    const status = await call('PATCH', `${pathOf('v2', 'one')}/status`, { status: { phase: 'Shut' } }, merge);
    assert.deepEqual([status.status, status.body.status, status.body.spec.width], [200, { phase: 'Shut' }, 7]);
    assert.equal((await call('DELETE', pathOf('v2', 'one'))).status, 200);
    assert.equal((await call('GET', pathOf('v1', 'one'))).status, 404);
  });

  test('what is stored as it is shown, nobody is asked about, and of the rest once', async () => {
    await make('v1', 'one', { size: '2x3' });
    await call('GET', pathOf('v1', 'one'));
    await call('GET', pathOf('v1'));
    assert.equal(hook.asked.length, 0);
    for (let i = 0; i < 3; i++) {
      await call('GET', pathOf('v2', 'one'));
      await call('GET', pathOf('v2'));
    }
    assert.equal(hook.asked.length, 1);
    const [{ request, ...review } = {} as Json] = hook.take('/boxes');
    assert.deepEqual(review, { kind: 'ConversionReview', apiVersion: 'apiextensions.k8s.io/v1' });
    assert.deepEqual(
      [request.desiredAPIVersion, request.objects.map((o: Json) => o.spec)],
      [`${group}/v2`, [{ size: '2x3', colour: 'grey' }]],
    );
  });

  test('a list is asked for in batches, and shown in pages', async () => {
    for (let i = 100; i < 300; i++) await make('v1', `box-${i}`, { size: `${i}x1` });
    const { body } = await call('GET', pathOf('v2'));
    assert.deepEqual(
      body.items.map((one: Json) => one.spec.width),
      Array.from({ length: 200 }, (_, i) => 100 + i),
    );
    assert.ok(hook.asked.length <= 6, `${hook.asked.length} reviews`);
    const { body: page } = await call('GET', `${pathOf('v2')}?limit=3`);
    assert.deepEqual([page.items.length, page.metadata.remainingItemCount], [3, 197]);
    const { body: rest } = await call('GET', `${pathOf('v2')}?limit=500&continue=${encodeURIComponent(page.metadata.continue)}`);
    assert.equal(rest.items[0].spec.width, 103);
  });

  test('selectors and Tables look at what is shown', async () => {
    replies(converting((converted) => ({ ...converted, metadata: { ...converted.metadata, labels: { shown: 'yes' } } })));
    await make('v1', 'one', { size: '2x3' }, { labels: { shown: 'no' } });
    await make('v1', 'two', { size: '5x3' }, { labels: { shown: 'no' } });
    const names = async (query: string, version = 'v2'): Promise<string[]> =>
      (await call('GET', `${pathOf(version)}?${query}`)).body.items.map((one: Json) => one.metadata.name);
    assert.deepEqual(await names('fieldSelector=spec.width=5'), ['two']);
    assert.deepEqual(await names('labelSelector=shown=yes'), ['one', 'two']);
    assert.deepEqual(await names('labelSelector=shown=no'), []);
    assert.deepEqual(await names('labelSelector=shown=no', 'v1'), ['one', 'two']);
    const accept = 'application/json;as=Table;g=meta.k8s.io;v=v1';
    const { body } = await call('GET', pathOf('v2'), undefined, { headers: { accept } });
    assert.deepEqual(
      body.rows.map((row: Json) => row.cells[1]),
      ['2', '5'],
    );
  });

  test('a watch is told in order, however long the webhook takes, and nobody else waits for it', async () => {
    const { metadata } = (await call('GET', pathOf('v1'))).body;
    const [old, next] = [
      await server.watch(`${pathOf('v1')}?watch=true&resourceVersion=${metadata.resourceVersion}`),
      await server.watch(`${pathOf('v2')}?watch=true&resourceVersion=${metadata.resourceVersion}`),
    ];
    const gate = Promise.withResolvers<void>();
    replies(async (review) => {
      await gate.promise;
      return converting()(review);
    });
    await make('v1', 'one', { size: '1x1' });
    await call('PATCH', pathOf('v1', 'one'), { spec: { size: '1x2' } }, merge);
    await make('v1', 'two', { size: '3x3' });
    await call('DELETE', pathOf('v1', 'one'));
    const types = async (watch: typeof old): Promise<string[]> => {
      const events: string[] = [];
      while (events.length < 4) {
        const { type, object } = await watch.next();
        events.push(`${type} ${object.metadata.name} ${object.spec.size ?? `${object.spec.width}x${object.spec.height}`}`);
      }
      return events;
    };
    const wanted = ['ADDED one 1x1', 'MODIFIED one 1x2', 'ADDED two 3x3', 'DELETED one 1x2'];
    assert.deepEqual(await types(old), wanted);
    const waiting = call('GET', pathOf('v2', 'two'));
    assert.equal((await call('GET', pathOf('v1', 'two'))).status, 200);
    gate.resolve();
    assert.deepEqual(await types(next), wanted);
    assert.equal((await waiting).body.spec.width, 3);
    for (const watch of [old, next]) watch.answer.destroy();
  });

  test('a watch begins with what there is, and says when that is all', async () => {
    await make('v1', 'one', { size: '1x1' });
    const query = 'watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';
    const watch = await server.watch(`${pathOf('v2')}?${query}`);
    const [added, bookmark] = [await watch.next(), await watch.next()];
    assert.deepEqual(
      [added.type, added.object.spec.width, bookmark.type, bookmark.object.apiVersion],
      ['ADDED', 1, 'BOOKMARK', `${group}/v2`],
    );
    assert.ok(Number(bookmark.object.metadata.resourceVersion) >= Number(added.object.metadata.resourceVersion));
    watch.answer.destroy();
  });

  test('a watch whose events cannot be converted ends with the error, and goes on in the other version', async () => {
    const [old, next] = [await server.watch(`${pathOf('v1')}?watch=true`), await server.watch(`${pathOf('v2')}?watch=true`)];
    replies(() => ({ result: { status: 'Failure', message: 'no luck' } }));
    await make('v1', 'one', { size: '1x1' });
    const { type, object } = await next.next();
    assert.deepEqual([type, object.code, object.message], ['ERROR', 500, `conversion webhook for ${group}/v1, Kind=Box failed: no luck`]);
    await make('v1', 'two', { size: '1x1' });
    assert.deepEqual([(await old.next()).object.metadata.name, (await old.next()).object.metadata.name], ['one', 'two']);
    old.answer.destroy();
  });

  test('an object that cannot be converted is in the way of lists, and of no other object', async () => {
    for (const name of ['a', 'b', 'c', 'd', 'e']) await make('v1', name, { size: '2x2' });
    replies(({ request, ...review }) =>
      request.objects.some((one: Json) => one.metadata.name === 'c')
        ? { result: { status: 'Failure', message: 'c is odd' } }
        : converting()({ request, ...review }),
    );
    const [first, ...others] = await Promise.all(['', 'a', 'b', 'd', 'e'].map((name) => call('GET', pathOf('v2', name))));
    assert.deepEqual(
      [first?.status, first?.body.code, first?.body.message],
      [500, 500, `conversion webhook for ${group}/v1, Kind=Box failed: c is odd`],
    );
    assert.deepEqual(
      others.map((one) => one.status),
      [200, 200, 200, 200],
    );
    assert.equal((await call('GET', pathOf('v1'))).body.items.length, 5);
  });

  const hostile: Readonly<Record<string, readonly [HookReply | ((review: Json) => HookReply), RegExp]>> = {
    'more than anybody may': [{ code: 200, text: `"${'x'.repeat(5 << 20)}"` }, /failed: .*the answer has more than 4718592 bytes$/],
    'too deep a nesting': [{ code: 200, text: `${'['.repeat(100_000)}` }, /is nested too deeply: more than 512 levels$/],
    'too many values': [{ code: 200, text: `[${'1,'.repeat(200_000)}1]` }, /has too many values: more than 100000$/],
    'a list': [{ code: 200, text: '[]' }, /failed: Object 'Kind' is missing in the answer$/],
    'objects that are none': [{ result: { status: 'Success' }, convertedObjects: [null] }, /^Object 'Kind' is missing in 'null'$/],
    'no metadata': [converting(({ metadata: _metadata, ...rest }) => rest), /returned invalid object: must have the same name: one != $/],
    'a wrong annotation': [
      converting((made) => ({ ...made, metadata: { ...made.metadata, annotations: { 'a/b/c': '' } } })),
      /returned invalid metadata: metadata.annotation: Invalid value: "a\/b\/c": /,
    ],
  };
  for (const [title, [reply, why]] of Object.entries(hostile))
    test(`a webhook that answers ${title} harms its own version alone`, async () => {
      await make('v1', 'one', { size: '2x2' });
      replies((review) => (typeof reply === 'function' ? reply(review) : reply));
      for (const ask of [
        () => call('GET', pathOf('v2', 'one')),
        () => call('GET', pathOf('v2')),
        () => call('DELETE', pathOf('v2', 'one')),
      ]) {
        const { status, body } = await ask();
        assert.equal(status, 500);
        assert.match(body.message, why);
      }
      assert.equal((await call('PATCH', pathOf('v1', 'one'), { spec: { size: '3x3' } }, merge)).status, 200);
      assert.equal((await call('DELETE', pathOf('v1', 'one'))).status, 200);
    });

  test('names that are special to JavaScript are names', async () => {
    await make('v1', 'one', { size: '2x2', notes: { constructor: 'a' } });
    const text = (review: Json): string =>
      JSON.stringify({ ...review, request: undefined, response: { uid: review.request.uid, ...(converting()(review) as object) } });
    replies((review) => ({ code: 200, text: text(review).replace('"constructor":"a"', '"constructor":"a","__proto__":"b"') }));
    const { status, text: shown } = await call('GET', pathOf('v2', 'one'));
    assert.equal(status, 200);
    assert.match(shown, /"notes":\{"constructor":"a","__proto__":"b"\}/);
    assert.equal(({} as { b?: unknown }).b, undefined);
  });

  test('owners are asked about their fields in the version in which they wrote them', async () => {
    const applied = (version: string, manager: string, spec: object): Promise<Reply> =>
      call('PATCH', `${pathOf(version, 'one')}?fieldManager=${manager}`, box(version, 'one', spec), apply);
    assert.equal((await applied('v1', 'a', { size: '2x3' })).status, 201);
    assert.equal((await applied('v2', 'b', { pool: { replicas: 3 } })).status, 200);
    const conflict = await applied('v2', 'b', { width: 7, pool: { replicas: 3 } });
    assert.deepEqual([conflict.status, conflict.body.message], [409, 'Apply failed with 1 conflict: conflict with "a": .spec.size']);
    const gone = await applied('v1', 'b', { notes: { n: 'b' } });
    assert.deepEqual([gone.status, gone.body.spec], [200, { size: '2x3', colour: 'grey', notes: { n: 'b' } }]);
  });

  test('admission webhooks see the version that they name', async () => {
    const path = `${admission}/mutatingwebhookconfigurations`;
    const rule = { operations: ['CREATE', 'UPDATE'], apiGroups: [group], apiVersions: ['v1'], resources: ['boxes'] };
    const webhook = {
      name: 'box.example.com',
      clientConfig: hook.client('/admit'),
      sideEffects: 'None',
      admissionReviewVersions: ['v1'],
      rules: [rule],
    };
    hook.replies.set('/admit', () => patching({ op: 'replace', path: '/spec/size', value: '9x9' }));
    assert.equal((await call('POST', path, { metadata: { name: 'boxes' }, webhooks: [webhook] })).status, 201);
    const made = await make('v2', 'one', { width: 1, height: 1 });
    assert.deepEqual([made.spec.width, made.spec.height], [9, 9]);
    const [{ request } = {} as Json] = hook.take('/admit');
    assert.deepEqual([request.object.apiVersion, request.object.spec.size, request.requestKind.version], [`${group}/v1`, '1x1', 'v2']);
    assert.equal((await call('DELETE', `${path}/boxes`)).status, 200);
  });

  test('after another version is stored, the old objects are converted when they are read, and stored so when they are written', async () => {
    await establish(boxDefinition(hook, 'crates'));
    hook.replies.set('/crates', converting());
    const at = (version: string, name = ''): string => pathOf(version, name, 'crates');
    const crate = { ...box('v1', 'one', { size: '1x2' }), kind: 'Crat' };
    assert.equal((await call('POST', at('v1'), crate)).status, 201);
    const path = `${definitions}/crates.${group}`;
    const { body } = await call('GET', path);
    assert.equal((await call('PUT', path, { ...body, spec: boxDefinition(hook, 'crates', 'v2').spec })).status, 200);
    assert.deepEqual((await call('GET', path)).body.status.storedVersions, ['v1', 'v2']);
    await until(
      () => call('GET', at('v2', 'one')),
      ({ status }) => status === 200,
    );
    const [{ request } = {} as Json] = hook.take('/crates');
    assert.equal(request.objects[0].apiVersion, `${group}/v1`);
    assert.deepEqual((await call('GET', at('v2'))).body.items[0].spec, { width: 1, height: 2, colour: 'grey' });
    assert.equal((await call('PATCH', at('v1', 'one'), { spec: { size: '5x5' } }, merge)).status, 200);
    hook.asked.splice(0);
    assert.equal((await call('GET', at('v2', 'one'))).body.spec.width, 5);
    assert.equal(hook.asked.length, 0);
  });

  test('a definition whose webhook is dead goes with its objects, and what is stored as it is shown lives on', async () => {
    const dead = await FakeWebhook.start();
    await establish(boxDefinition(dead, 'tombes'));
    await dead.stop();
    const at = (version: string, name = ''): string => pathOf(version, name, 'tombes');
    assert.equal((await call('POST', at('v1'), { ...box('v1', 'one', { size: '1x2' }), kind: 'Tomb' })).status, 201);
    const { status, body } = await call('GET', at('v2', 'one'));
    const url = `https://127.0.0.1:${dead.port}/tombes?timeout=30s`;
    assert.equal(status, 500);
    assert.ok(body.message.startsWith(`conversion webhook for ${group}/v1, Kind=Tomb failed: Post "${url}": `), body.message);
    assert.equal((await call('PATCH', at('v1', 'one'), { metadata: { finalizers: ['example.com/held'] } }, merge)).status, 200);
    const path = `${definitions}/tombes.${group}`;
    assert.equal((await call('DELETE', path)).status, 200);
    await until(
      () => call('GET', at('v1', 'one')),
      (reply) => reply.body.metadata?.deletionTimestamp !== undefined,
    );
    assert.equal((await call('PATCH', at('v1', 'one'), { metadata: { finalizers: null } }, merge)).status, 200);
    await until(
      () => call('GET', path),
      (reply) => reply.status === 404,
    );
  });
});
