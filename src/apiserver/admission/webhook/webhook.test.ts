import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { FakeKubelet } from '../../testing/fake-kubelet.ts';
import { FakeWebhook, patching, type Reply } from '../../testing/fake-webhook.ts';
import { type Json, TestServer } from '../../testing/test-server.ts';
import { admission, configMaps, everything, HookedServer, merge, pods } from './testing/hooked-server.ts';

const jsonPatch = { type: 'application/json-patch+json' };

describe('admission webhooks', () => {
  let s: TestServer;
  let hook: FakeWebhook;
  let hooked: HookedServer;

  before(async () => {
    hooked = await HookedServer.start();
    ({ server: s, hook } = hooked);
  });
  after(() => hooked.stop());
  afterEach(() => hooked.forget());

  test('a validating one is asked about what would be stored, and told by whom', async () => {
    await hooked.configure('validating', 'v', {});
    assert.equal((await hooked.create('one', { data: { a: 'b' } })).status, 201);
    const [review] = hook.take('/v0');
    const { uid, object, ...request } = review.request;
    // Of the certificate, which is a new one each time.
    delete request.userInfo.extra;
    assert.match(uid, /^[0-9a-f-]{36}$/);
    assert.ok(object.metadata.uid && object.metadata.creationTimestamp);
    assert.deepEqual(
      [review.kind, review.apiVersion, object.kind, object.data],
      ['AdmissionReview', 'admission.k8s.io/v1', 'ConfigMap', { a: 'b' }],
    );
    const resource = { group: '', version: 'v1', resource: 'configmaps' };
    const kind = { group: '', version: 'v1', kind: 'ConfigMap' };
    assert.deepEqual(request, {
      ...{ kind, resource, requestKind: kind, requestResource: resource, name: 'one', namespace: 'default', operation: 'CREATE' },
      userInfo: { username: 'admin', groups: ['system:masters', 'system:authenticated'] },
      ...{ oldObject: null, dryRun: false },
      options: { fieldManager: 'me', kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1' },
    });
    assert.equal((await s.call('PATCH', `${configMaps}/one`, { data: { a: 'c' } }, merge)).status, 200);
    const [update] = hook.take('/v0');
    assert.deepEqual(
      [update.request.operation, update.request.object.data, update.request.oldObject.data],
      ['UPDATE', { a: 'c' }, { a: 'b' }],
    );
    assert.equal((await hooked.remove('one')).status, 200);
    const [deletion] = hook.take('/v0');
    assert.deepEqual([deletion.request.operation, deletion.request.object, deletion.request.oldObject.data], ['DELETE', null, { a: 'c' }]);
  });

  for (const [title, response, code, message, reason] of [
    [
      'without a word',
      { allowed: false },
      400,
      'admission webhook "hook0.v.example.com" denied the request without explanation',
      undefined,
    ],
    [
      'with a message and a code',
      { allowed: false, status: { code: 422, message: 'no luck', reason: 'Invalid' } },
      422,
      'admission webhook "hook0.v.example.com" denied the request: no luck',
      'Invalid',
    ],
    [
      'with a reason, and a code that is none of a refusal',
      { allowed: false, status: { code: 200, reason: 'Luck' } },
      400,
      'admission webhook "hook0.v.example.com" denied the request: Luck',
      'Luck',
    ],
  ] as const)
    test(`one refuses ${title}`, async () => {
      await hooked.configure('validating', 'v', {});
      hook.replies.set('/v0', () => response);
      const { status, body } = await hooked.create('two');
      assert.deepEqual([status, body.message, body.reason, body.code], [code, message, reason, code]);
      assert.equal((await s.call('GET', `${configMaps}/two`)).status, 404);
    });

  test('warnings are passed on, whatever is in them', async () => {
    await hooked.configure('validating', 'v', {});
    hook.replies.set('/v0', () => ({ allowed: true, warnings: ['mind\r\nthe: gap'] }));
    assert.equal((await hooked.create('warned')).headers.warning, '299 - "mind??the: gap"');
    await hooked.remove('warned');
  });

  const failing: readonly (readonly [string, Reply, string | RegExp])[] = [
    ['what is no JSON', { code: 200, text: 'hello' }, /^failed to call webhook: couldn't get version\/kind; json parse error: /],
    [
      'an error',
      { code: 500, text: 'boom' },
      'failed to call webhook: an error on the server ("boom") has prevented the request from succeeding',
    ],
    ['that there is no such path', { code: 404, text: '' }, 'failed to call webhook: the server could not find the requested resource'],
    ['a Status', { code: 403, text: '{"kind":"Status","message":"go away"}' }, 'failed to call webhook: go away'],
    [
      'a redirection',
      { code: 302, text: '' },
      'failed to call webhook: the server responded with the status code 302 but did not return more information',
    ],
    ['nothing of its kind', { code: 200, text: '{}' }, `received invalid webhook response: Object 'Kind' is missing in the answer`],
    ['a list', { code: 200, text: '[]' }, `received invalid webhook response: Object 'Kind' is missing in the answer`],
    [
      'no response',
      { code: 200, text: '{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"}' },
      'received invalid webhook response: webhook response was absent',
    ],
    ['another uid', { uid: 'x', allowed: true }, /^received invalid webhook response: expected response\.uid="[0-9a-f-]{36}", got "x"$/],
    [
      'another version',
      { kind: 'AdmissionReview', apiVersion: 'admission.k8s.io/v2', response: {} },
      /^received invalid webhook response: expected response\.uid=/,
    ],
    ['a wrong type', { allowed: 'yes' }, /^received invalid webhook response: json: cannot unmarshal string into Go struct field/],
    [
      'a patch, though it may only look',
      { allowed: true, patch: 'W10=', patchType: 'JSONPatch' },
      'received invalid webhook response: validating webhook may not return response.patch',
    ],
    ['more than anybody may', { code: 200, text: `"${'x'.repeat(5 << 20)}"` }, /the answer has more than 4718592 bytes$/],
    [
      'too deep a nesting',
      { code: 200, text: `${'['.repeat(100_000)}${']'.repeat(100_000)}` },
      /json parse error: is nested too deeply: more than 512 levels$/,
    ],
  ];
  for (const [title, reply, why] of failing)
    test(`a webhook that answers ${title} has failed, which refuses, or is passed over`, async () => {
      await hooked.configure('validating', 'v', {});
      hook.replies.set('/v0', () => reply);
      const { status, body } = await hooked.create('three');
      assert.equal(status, 500);
      const [, rest] = /^Internal error occurred: failed calling webhook "hook0\.v\.example\.com": (.*)$/s.exec(body.message) ?? [];
      if (typeof why === 'string') assert.equal(rest, why);
      else assert.match(rest ?? body.message, why);
      await s.call('PATCH', hooked.made[0]!, [{ op: 'replace', path: '/webhooks/0/failurePolicy', value: 'Ignore' }], jsonPatch);
      assert.equal((await hooked.create('three')).status, 201);
      await hooked.remove('three');
    });

  test('one that never answers is waited for as long as it says, and holds nobody else', async () => {
    await hooked.configure('validating', 'slow', { timeoutSeconds: 1, objectSelector: { matchLabels: { slow: 'yes' } } });
    hook.replies.set('/slow0', () => 'silence');
    const slow = hooked.create('slow', { metadata: { name: 'slow', labels: { slow: 'yes' } } });
    assert.equal((await hooked.create('quick')).status, 201);
    const { status, body } = await slow;
    assert.equal(status, 500);
    const url = `https://127.0.0.1:${hook.port}/slow0?timeout=1s`;
    assert.equal(
      body.message,
      `Internal error occurred: failed calling webhook "hook0.slow.example.com": failed to call webhook: Post "${url}": context deadline exceeded`,
    );
    await hooked.remove('quick');
  });

  test('one whose Service is missing fails, and says what to do', async () => {
    await hooked.configure('validating', 'gone', { clientConfig: { service: { namespace: 'default', name: 'gone', path: '/x' } } });
    const { body } = await hooked.create('four');
    assert.match(body.message, /Post "https:\/\/gone\.default\.svc:443\/x\?timeout=10s": .*service "gone" not found \(Make the Service/);
  });

  test('one is reached by its Service', async () => {
    const spec = { type: 'ExternalName', externalName: '127.0.0.1' };
    // An address is no name, but this is a test.
    const service = await s.call('POST', '/api/v1/namespaces/default/services', {
      metadata: { name: 'hooks' },
      spec: { ...spec, externalName: 'localhost' },
    });
    assert.equal(service.status, 201, service.text);
    const client = { service: { namespace: 'default', name: 'hooks', path: '/by-service', port: hook.port }, caBundle: hook.caBundle };
    await hooked.configure('validating', 'svc', { clientConfig: client });
    assert.equal((await hooked.create('five')).status, 201);
    assert.equal(hook.take('/by-service').length, 1);
    await hooked.remove('five');
  });

  test('of a dry run those are told that have no effects then', async () => {
    await hooked.configure('validating', 'dry', { sideEffects: 'NoneOnDryRun' });
    assert.equal((await s.call('POST', `${configMaps}?dryRun=All`, { metadata: { name: 'dry' } })).status, 201);
    const [review] = hook.take('/dry0');
    assert.deepEqual([review.request.dryRun, review.request.options.dryRun], [true, ['All']]);
  });

  test('rules, selectors and scope say what one is asked about', async () => {
    const labelled = { namespaceSelector: { matchLabels: { hooked: 'yes' } } };
    await s.call('POST', '/api/v1/namespaces', { metadata: { name: 'hooked', labels: { hooked: 'yes' } } });
    await hooked.configure(
      'validating',
      'sel',
      { rules: [{ ...everything, operations: ['UPDATE'] }] },
      { rules: [{ ...everything, resources: ['*/*'], scope: 'Cluster' }] },
      labelled,
      { objectSelector: { matchLabels: { a: 'b' } } },
    );
    await hooked.create('plain');
    await hooked.create('labelled', { metadata: { name: 'labelled', labels: { a: 'b' } } });
    await s.call('PATCH', `${configMaps}/labelled`, { metadata: { labels: null } }, merge);
    await s.call('POST', '/api/v1/namespaces/hooked/configmaps', { metadata: { name: 'there' } });
    const operations = (i: number): string[] => hook.take(`/sel${i}`).map(({ request }) => `${request.operation} ${request.name}`);
    assert.deepEqual(operations(0), ['UPDATE labelled']);
    assert.deepEqual(operations(1), []);
    assert.deepEqual(operations(2), ['CREATE there']);
    assert.deepEqual(operations(3), ['CREATE labelled', 'UPDATE labelled']);
    await Promise.all(['plain', 'labelled'].map((name) => hooked.remove(name)));
  });

  test('Namespaces are selected by their own labels, and are in themselves', async () => {
    const rules = [{ ...everything, resources: ['namespaces'] }];
    await hooked.configure('validating', 'ns', { rules, namespaceSelector: { matchLabels: { watched: 'yes' } } });
    await s.call('POST', '/api/v1/namespaces', { metadata: { name: 'unwatched' } });
    await s.call('PATCH', '/api/v1/namespaces/unwatched', { metadata: { labels: { watched: 'yes' } } }, merge);
    const reviews = hook.take('/ns0').map(({ request }) => [request.operation, request.name, request.namespace]);
    assert.deepEqual(reviews, [['UPDATE', 'unwatched', 'unwatched']]);
  });

  test('none is asked about the configurations themselves', async () => {
    hook.replies.set('/all0', () => ({ allowed: false }));
    await hooked.configure('validating', 'all', {
      rules: [{ operations: ['*'], apiGroups: ['*'], apiVersions: ['*'], resources: ['*/*'] }],
    });
    assert.equal((await s.call('DELETE', hooked.made.pop()!)).status, 200);
    assert.equal(hook.take('/all0').length, 0);
  });

  test('of a collection each object is asked about, by no name', async () => {
    await hooked.create('c1', { metadata: { name: 'c1', labels: { c: '' } } });
    await hooked.create('c2', { metadata: { name: 'c2', labels: { c: '' } } });
    await hooked.configure('validating', 'coll', {});
    await s.call('DELETE', `${configMaps}?labelSelector=c`);
    const reviews = hook.take('/coll0').map(({ request }) => [request.operation, request.name, request.oldObject.metadata.name]);
    assert.deepEqual(reviews.toSorted(), [
      ['DELETE', undefined, 'c1'],
      ['DELETE', undefined, 'c2'],
    ]);
  });

  test('another version of the same objects matches, in that version', async () => {
    const rule = { operations: ['CREATE'], apiGroups: ['autoscaling'], apiVersions: ['v1'], resources: ['horizontalpodautoscalers'] };
    await hooked.configure('validating', 'eq', { rules: [rule] }, { rules: [rule], matchPolicy: 'Exact' });
    const metric = { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } };
    const spec = { maxReplicas: 3, metrics: [metric], scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' } };
    const made = await s.call('POST', '/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers', {
      metadata: { name: 'web' },
      spec,
    });
    assert.equal(made.status, 201, made.text);
    const [review] = hook.take('/eq0');
    assert.deepEqual(
      [review.request.kind.version, review.request.requestKind.version, review.request.object.apiVersion],
      ['v1', 'v2', 'autoscaling/v1'],
    );
    assert.equal(review.request.object.spec.targetCPUUtilizationPercentage, 50);
    assert.equal(hook.take('/eq1').length, 0);
  });

  test('subresources are asked about in their own form', async () => {
    const rules = [
      { ...everything, resources: ['pods/*'] },
      { ...everything, apiGroups: ['apps'], resources: ['deployments/*'] },
    ];
    await hooked.configure('mutating', 'sub', { rules });
    const container = { name: 'a', image: 'i' };
    await s.call('POST', pods, { metadata: { name: 'sub' }, spec: { containers: [container] } });
    await s.call('POST', `${pods}/sub/binding`, { metadata: { name: 'sub' }, target: { kind: 'Node', name: 'n1' } });
    await s.call('PATCH', `${pods}/sub/status`, { status: { reason: 'x' } }, merge);
    await s.call('POST', `${pods}/sub/eviction`, { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: 'sub' } });
    const template = { metadata: { labels: { a: 'b' } }, spec: { containers: [container] } };
    const deployments = '/apis/apps/v1/namespaces/default/deployments';
    await s.call('POST', deployments, { metadata: { name: 'sub' }, spec: { selector: { matchLabels: { a: 'b' } }, template } });
    hook.replies.set('/sub0', ({ request }: Json) =>
      request.kind.kind === 'Scale' ? patching({ op: 'replace', path: '/spec/replicas', value: 7 }) : { allowed: true },
    );
    const scaled = await s.call('PATCH', `${deployments}/sub/scale`, { spec: { replicas: 3 } }, merge);
    assert.equal(scaled.body.spec.replicas, 7, scaled.text);
    const seen = hook
      .take('/sub0')
      .map(
        ({ request }) =>
          `${request.operation} ${request.resource.resource}/${request.subResource ?? ''} ${request.kind.kind} ${request.object.kind}`,
      );
    // As upstream: `pods/*` is of the pods themselves, too.
    assert.deepEqual(seen, [
      'CREATE pods/ Pod Pod',
      'CREATE pods/binding Binding Binding',
      'UPDATE pods/status Pod Pod',
      'CREATE pods/eviction Eviction Eviction',
      'CREATE deployments/ Deployment Deployment',
      'UPDATE deployments/scale Scale Scale',
    ]);
  });

  test('one may refuse to let somebody into a pod', async () => {
    const kubelet = await FakeKubelet.start({ ...(await s.pki.server()), ca: s.pki.ca });
    const rules = [{ ...everything, operations: ['CONNECT'], resources: ['pods/exec', 'nodes/proxy'] }];
    await hooked.configure('validating', 'in', { rules });
    hook.replies.set('/in0', () => ({ allowed: false, status: { message: 'stay out' } }));
    const status = {
      addresses: [{ type: 'InternalIP', address: '127.0.0.1' }],
      daemonEndpoints: { kubeletEndpoint: { Port: kubelet.port } },
    };
    await s.call('POST', '/api/v1/nodes', { metadata: { name: 'n1' }, status });
    await s.call('POST', pods, { metadata: { name: 'in' }, spec: { nodeName: 'n1', containers: [{ name: 'a', image: 'i' }] } });
    const upgrade = { headers: { connection: 'upgrade', upgrade: 'websocket' } };
    const { body } = await s.call('GET', `${pods}/in/exec?command=ls&command=-l&stdout=true`, undefined, upgrade);
    assert.equal(body.message, 'admission webhook "hook0.in.example.com" denied the request: stay out');
    const [review] = hook.take('/in0');
    assert.deepEqual(review.request.object, { kind: 'PodExecOptions', apiVersion: 'v1', stdout: true, command: ['ls', '-l'] });
    assert.deepEqual([review.request.operation, review.request.options, review.request.kind.kind], ['CONNECT', null, 'PodExecOptions']);
    const proxied = await s.call('GET', '/api/v1/nodes/n1/proxy/metrics');
    assert.equal(proxied.status, 400);
    assert.deepEqual(hook.take('/in0')[0].request.object, { kind: 'NodeProxyOptions', apiVersion: 'v1', path: '/metrics' });
    await kubelet.stop();
  });

  test('the older version of reviews is spoken to who knows no other', async () => {
    await hooked.configure('mutating', 'old', { admissionReviewVersions: ['v1beta1'] });
    hook.replies.set('/old0', () => ({ uid: 'any', ...patching({ op: 'add', path: '/data', value: { a: 'b' } }), patchType: undefined }));
    assert.deepEqual((await hooked.create('old')).body.data, { a: 'b' });
    assert.equal(hook.take('/old0')[0].apiVersion, 'admission.k8s.io/v1beta1');
    await hooked.remove('old');
  });

  test('conditions say whether a webhook is asked', async () => {
    const matchConditions = [
      { name: 'not-bots', expression: "!request.userInfo.username.startsWith('bot-')" },
      { name: 'marked', expression: "object.metadata.labels['ask'] == 'yes'" },
      { name: 'may-read', expression: "authorizer.requestResource.check('get').allowed()" },
    ];
    const rules = [{ ...everything, operations: ['CREATE'] }];
    await hooked.configure('validating', 'some', { rules, matchConditions });
    assert.equal((await hooked.create('yes', { metadata: { name: 'yes', labels: { ask: 'yes' } } })).status, 201);
    assert.equal(hook.take('/some0').length, 1);
    assert.equal((await hooked.create('no', { metadata: { name: 'no', labels: { ask: 'no' } } })).status, 201);
    const { status, body } = await hooked.create('none', { metadata: { name: 'none', labels: { a: 'b' } } });
    const said = "expression 'object.metadata.labels['ask'] == 'yes'' resulted in error: no such key: ask";
    assert.deepEqual([status, body.message], [403, `configmaps "none" is forbidden: ${said}`]);
    assert.equal(hook.take('/some0').length, 0);
    for (const name of ['yes', 'no']) await hooked.remove(name);
  });

  test('a webhook that may fail is not asked when a condition cannot be evaluated', async () => {
    const matchConditions = [{ name: 'fails', expression: 'object.nope == 1' }];
    await hooked.configure('mutating', 'may', { failurePolicy: 'Ignore', matchConditions });
    assert.equal((await hooked.create('may')).status, 201);
    assert.equal(hook.take('/may0').length, 0);
    await hooked.remove('may');
  });
});

test('webhooks may be switched off', async () => {
  const hook = await FakeWebhook.start();
  const s = await TestServer.start(undefined, {
    admission: { enabled: [], disabled: ['ValidatingAdmissionWebhook', 'MutatingAdmissionWebhook'] },
  });
  const webhook = {
    name: 'a.b.c',
    sideEffects: 'None',
    admissionReviewVersions: ['v1'],
    rules: [everything],
    clientConfig: hook.client('/x'),
  };
  await s.call('POST', `${admission}/validatingwebhookconfigurations`, { metadata: { name: 'a' }, webhooks: [webhook] });
  assert.equal((await s.call('POST', configMaps, { metadata: { name: 'a' } })).status, 201);
  assert.equal(hook.asked.length, 0);
  await Promise.all([s.stop(), hook.stop()]);
});
