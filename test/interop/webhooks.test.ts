/** The same webhooks at kube-apiserver and at ours: what they are asked, and what becomes of what they say. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { FakeWebhook, patching, type Reply } from '../../src/apiserver/testing/fake-webhook.ts';
import { TestServer } from '../../src/apiserver/testing/test-server.ts';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { type Answer, type Json, KubeApiServer } from './testing/kube-apiserver.ts';
import { lacksProgram } from './testing/programs.ts';

const skip = lacksProgram('etcd', 'kube-apiserver');
const group = '/apis/admissionregistration.k8s.io/v1';
const core = '/api/v1/namespaces/default';
const apps = '/apis/apps/v1/namespaces/default';
const merge = 'application/merge-patch+json';

type Request = readonly [method: string, path: string, body?: object, type?: string];

interface Side {
  readonly hook: FakeWebhook;
  call(...request: Request): Promise<Answer>;
}

interface Scenario {
  /** Default: all writes of ConfigMaps. */
  readonly rules?: readonly object[];
  readonly mutating?: readonly object[];
  readonly validating?: readonly object[];
  /** By `m0`, `v1`: what the webhook of that place answers; to allow when nothing is said. */
  readonly replies?: Readonly<Record<string, (review: Json) => Reply>>;
  /** Of which the reviews and answers are compared. */
  readonly requests: readonly Request[];
  /** Before the webhooks are there. */
  readonly given?: readonly Request[];
}

const configMaps = { operations: ['*'], apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'] };
const create = (name: string, more: object = {}): Request => [
  'POST',
  `${core}/configmaps?fieldManager=me`,
  { metadata: { name }, ...more },
];
const container = { name: 'a', image: 'i' };
const pod = (name: string): Request => ['POST', `${core}/pods`, { metadata: { name }, spec: { containers: [container] } }];
const append =
  (mark: string) =>
  ({ request }: Json): Reply =>
    patching({ op: 'add', path: '/data', value: { by: (request.object?.data?.by ?? '') + mark } });
const deny = (status: object | undefined) => (): Reply => ({ allowed: false, ...(status ? { status } : {}) });

const scenarios: Readonly<Record<string, Scenario>> = {
  'a create, an update, a patch and a deletion': {
    validating: [{}],
    mutating: [{}],
    requests: [
      create('one', { data: { a: 'b' } }),
      ['PUT', `${core}/configmaps/one`, { metadata: { name: 'one' }, data: { a: 'c' } }],
      ['PATCH', `${core}/configmaps/one?fieldManager=me&fieldValidation=Strict`, { data: { a: 'd' } }, merge],
      [
        'PATCH',
        `${core}/configmaps/one?fieldManager=me`,
        { apiVersion: 'v1', kind: 'ConfigMap', data: { z: 'd' } },
        'application/apply-patch+yaml',
      ],
      [
        'PATCH',
        `${core}/configmaps/two?fieldManager=me`,
        { apiVersion: 'v1', kind: 'ConfigMap', data: { z: 'd' } },
        'application/apply-patch+yaml',
      ],
      ['DELETE', `${core}/configmaps/one`, { kind: 'DeleteOptions', apiVersion: 'v1', propagationPolicy: 'Background' }],
      ['DELETE', `${core}/configmaps/two?gracePeriodSeconds=0`],
    ],
  },
  'dry runs': {
    validating: [{ sideEffects: 'NoneOnDryRun' }],
    requests: [['POST', `${core}/configmaps?dryRun=All`, { metadata: { name: 'dry' } }]],
  },
  'names that are generated': {
    validating: [{}],
    mutating: [{}],
    requests: [['POST', `${core}/configmaps`, { metadata: { generateName: 'gen-' } }]],
  },
  'a collection': {
    given: [create('c1', { metadata: { name: 'c1', labels: { c: '' } } })],
    validating: [{}],
    requests: [['DELETE', `${core}/configmaps?labelSelector=c`]],
  },
  'a refusal without a word': { validating: [{}], replies: { v0: deny(undefined) }, requests: [create('no')] },
  'a refusal with a message': { validating: [{}], replies: { v0: deny({ message: 'no luck' }) }, requests: [create('no')] },
  'a refusal with all': {
    mutating: [{}],
    replies: {
      m0: deny({
        code: 422,
        reason: 'Invalid',
        message: 'no luck',
        details: { name: 'x', causes: [{ reason: 'r', message: 'm', field: 'f' }] },
      }),
    },
    requests: [create('no')],
  },
  'a refusal with a code that is none': {
    validating: [{}],
    replies: { v0: deny({ code: 200, reason: 'Luck', status: 'Success' }) },
    requests: [create('no')],
  },
  warnings: { validating: [{}], replies: { v0: () => ({ allowed: true, warnings: ['mind "the" gap'] }) }, requests: [create('warned')] },
  'an answer without a response': {
    validating: [{}],
    replies: { v0: () => ({ code: 200, text: '{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"}' }) },
    requests: [create('no')],
  },
  'an answer to somebody else': { validating: [{}], replies: { v0: () => ({ uid: 'x', allowed: true }) }, requests: [create('no')] },
  'an error': { validating: [{}], replies: { v0: () => ({ code: 500, text: 'boom' }) }, requests: [create('no')] },
  'an error that may be': {
    validating: [{ failurePolicy: 'Ignore' }],
    replies: { v0: () => ({ code: 500, text: 'boom' }) },
    requests: [create('yes')],
  },
  'no such path': { validating: [{}], replies: { v0: () => ({ code: 404, text: '' }) }, requests: [create('no')] },
  'a patch of who may only look': {
    validating: [{}],
    replies: { v0: () => patching({ op: 'add', path: '/data', value: {} }) },
    requests: [create('no')],
  },
  'a patch without its type': { mutating: [{}], replies: { m0: () => ({ allowed: true, patch: 'W10=' }) }, requests: [create('no')] },
  'a patch of a deletion': {
    given: [create('kept')],
    mutating: [{}],
    replies: { m0: () => patching({ op: 'add', path: '/data', value: {} }) },
    requests: [['DELETE', `${core}/configmaps/kept`]],
  },
  'a patch that leads to what is not allowed': {
    mutating: [{}],
    replies: { m0: () => patching({ op: 'add', path: '/data', value: { '/': 'x' } }) },
    requests: [create('no')],
  },
  'webhooks that want to be asked again': {
    rules: [{ ...configMaps, operations: ['CREATE'] }],
    mutating: [{ reinvocationPolicy: 'IfNeeded' }, {}, { reinvocationPolicy: 'IfNeeded' }],
    replies: { m0: append('0'), m1: append('1'), m2: append('2') },
    requests: [create('again')],
  },
  'a patched pod': {
    rules: [{ ...configMaps, resources: ['pods'] }],
    mutating: [{}],
    validating: [{}],
    replies: {
      m0: ({ request }) =>
        request.operation === 'CREATE'
          ? patching({ op: 'add', path: '/spec/containers/-', value: { name: 'side', image: 'x:1' } })
          : { allowed: true },
    },
    requests: [pod('patched')],
  },
  subresources: {
    given: [pod('sub')],
    rules: [{ ...configMaps, resources: ['pods/binding', 'pods/status', 'pods/eviction'] }],
    validating: [{}],
    mutating: [{}],
    requests: [
      [
        'POST',
        `${core}/pods/sub/binding`,
        { apiVersion: 'v1', kind: 'Binding', metadata: { name: 'sub' }, target: { kind: 'Node', name: 'n1' } },
      ],
      ['PATCH', `${core}/pods/sub/status`, { status: { reason: 'x' } }, merge],
      [
        'POST',
        `${core}/pods/sub/eviction`,
        { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: 'sub' }, deleteOptions: { gracePeriodSeconds: 0 } },
      ],
    ],
  },
  'a Scale': {
    given: [
      [
        'POST',
        `${apps}/deployments`,
        {
          metadata: { name: 'web' },
          spec: {
            replicas: 1,
            selector: { matchLabels: { a: 'b' } },
            template: { metadata: { labels: { a: 'b' } }, spec: { containers: [container] } },
          },
        },
      ],
    ],
    rules: [{ ...configMaps, apiGroups: ['apps'], resources: ['deployments/scale'] }],
    mutating: [{}],
    validating: [{}],
    replies: { m0: () => patching({ op: 'replace', path: '/spec/replicas', value: 7 }) },
    requests: [['PATCH', `${apps}/deployments/web/scale`, { spec: { replicas: 3 } }, merge]],
  },
  'another version of the same objects': {
    rules: [{ operations: ['CREATE'], apiGroups: ['autoscaling'], apiVersions: ['v1'], resources: ['horizontalpodautoscalers'] }],
    validating: [{}, { matchPolicy: 'Exact' }],
    requests: [
      [
        'POST',
        '/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers',
        { metadata: { name: 'web' }, spec: { maxReplicas: 3, scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' } } },
      ],
    ],
  },
  Namespaces: {
    rules: [{ ...configMaps, resources: ['namespaces'], scope: 'Cluster' }],
    validating: [{ namespaceSelector: { matchLabels: { watched: 'yes' } } }],
    requests: [
      ['POST', '/api/v1/namespaces', { metadata: { name: 'watched', labels: { watched: 'yes' } } }],
      ['PATCH', '/api/v1/namespaces/watched', { metadata: { labels: { more: 'yes' } } }, merge],
      ['DELETE', '/api/v1/namespaces/watched'],
    ],
  },
  'selectors of objects': {
    validating: [{ objectSelector: { matchLabels: { a: 'b' } } }],
    requests: [
      create('plain'),
      create('labelled', { metadata: { name: 'labelled', labels: { a: 'b' } } }),
      ['PATCH', `${core}/configmaps/labelled`, { metadata: { labels: null } }, merge],
      ['DELETE', `${core}/configmaps/labelled`],
      ['DELETE', `${core}/configmaps/plain`],
    ],
  },
  'conditions that are true, false and neither': {
    validating: [
      { matchConditions: [{ name: 'a', expression: "object.metadata.name.startsWith('c')" }] },
      {
        matchConditions: [
          { name: 'a', expression: 'object.nope == 1' },
          { name: 'b', expression: 'false' },
        ],
      },
      { failurePolicy: 'Ignore', matchConditions: [{ name: 'a', expression: 'object.nope == 1' }] },
      { matchConditions: [{ name: 'a', expression: "has(oldObject.data) && request.operation == 'DELETE' && object == null" }] },
    ],
    mutating: [{ matchConditions: [{ name: 'a', expression: "!has(request.name) || request.name != 'c1'" }] }],
    requests: [
      create('c1', { data: { a: 'b' } }),
      create('d1'),
      ['PATCH', `${core}/configmaps/c1`, { data: { a: 'd' } }, merge],
      ['POST', `${core}/configmaps`, { metadata: { generateName: 'gen-' } }],
      ['DELETE', `${core}/configmaps/c1`],
      ['DELETE', `${core}/configmaps/d1`],
    ],
  },
  'a condition that fails': {
    validating: [
      {
        objectSelector: { matchExpressions: [{ key: 'probe', operator: 'DoesNotExist' }] },
        matchConditions: [
          { name: 'a', expression: "object.data.x == 'y'" },
          { name: 'b', expression: "object.metadata.labels['x'] == 'y'" },
        ],
      },
    ],
    requests: [create('no'), create('no', { data: { a: 'b' }, metadata: { name: 'no', labels: { x: 'y' } } })],
  },
  'conditions about who may do what': {
    validating: [
      {
        matchConditions: [
          { name: 'a', expression: "authorizer.group('').resource('pods').namespace('default').check('create').allowed()" },
        ],
      },
      { matchConditions: [{ name: 'a', expression: "authorizer.path('/healthz').check('get').allowed()" }] },
      { matchConditions: [{ name: 'a', expression: "authorizer.requestResource.check('nope').errored()" }] },
    ],
    requests: [create('who'), ['DELETE', `${core}/configmaps/who`]],
  },
  'the older version of reviews': {
    mutating: [{ admissionReviewVersions: ['v1beta1'] }],
    replies: { m0: () => ({ uid: 'any', ...patching({ op: 'add', path: '/data', value: { a: 'b' } }), patchType: undefined }) },
    requests: [create('old')],
  },
};

const configurations: Readonly<Record<string, object>> = {
  'that is complete': {},
  'without a name': { name: '' },
  'with a short name': { name: 'a.b' },
  'of no known side effects': { sideEffects: 'Some' },
  'that says nothing of side effects': { sideEffects: undefined },
  'of a long time': { timeoutSeconds: 31 },
  'of no known review': { admissionReviewVersions: ['v2', 'v2'] },
  'of unknown policies': { failurePolicy: 'x', matchPolicy: 'x', reinvocationPolicy: 'x' },
  'of wrong selectors': { objectSelector: { matchExpressions: [{ key: 'a', operator: 'In' }] } },
  'of wrong rules': {
    rules: [{ operations: ['*', 'x'], apiGroups: [], apiVersions: ['*', ''], resources: ['pods/*', 'pods/x', '*/*', ''], scope: 'x' }],
  },
  'of no client': { clientConfig: {} },
  'of a wrong address': { clientConfig: { url: 'http://me:pw@host/a?q=1#f' } },
  'of a wrong Service': { clientConfig: { service: { namespace: '', name: '', path: 'x//y/', port: 0 } } },
  'of conditions': {
    matchConditions: [
      { name: 'good', expression: "object.metadata.name == 'a'" },
      { name: 'good', expression: 'object.metadata.name' },
      { name: '', expression: '' },
      { name: 'not good', expression: "'text'" },
    ],
  },
  'of conditions that do not compile': { matchConditions: [{ name: 'a', expression: 'params.x == 1' }] },
  'of too many conditions': { matchConditions: Array.from({ length: 65 }, (_, i) => ({ name: `n${i}`, expression: 'true' })) },
  'of a Service without a port': { clientConfig: { service: { namespace: 'a', name: 'b' } } },
};

/** What a server chooses by itself goes. */
function normal(value: Json): Json {
  if (Array.isArray(value)) return value.map(normal);
  if (typeof value !== 'object' || value === null)
    return typeof value === 'string'
      ? withoutCompiler(value)
          .replace(/gen-[a-z0-9]{5}/, 'gen-')
          .replace(/[0-9a-f]{8}-[0-9a-f-]{27}/, 'UID')
      : value;
  const own = ['uid', 'resourceVersion', 'creationTimestamp', 'deletionTimestamp', 'managedFields', 'extra', 'caBundle', 'url'];
  // Namespaces of theirs are deleted by their uid, which the storage adds before it asks.
  own.push('preconditions');
  // Go writes a status that says nothing, ours leaves it out; neither is anything to a reader.
  const says = (key: string, one: unknown): boolean => one !== null && !(key === 'status' && Object.keys(one as object).length === 0);
  const entries = Object.entries(value as Json).filter(([key, one]) => !own.includes(key) && says(key, one));
  return Object.fromEntries(entries.map(([key, one]) => [key, normal(one)]).toSorted(([a], [b]) => String(a).localeCompare(String(b))));
}

/** What is wrong with an expression each compiler says in words of its own. */
function withoutCompiler(text: string): string {
  return text.replace(/compilation failed: .*/s, 'compilation failed');
}

function shown({ status, body, warning }: Answer): Json {
  const message = withoutCompiler(String(body?.message ?? '').replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'UID'));
  return {
    status,
    warning: String(warning ?? ''),
    ...(status < 300 ? { data: body?.data, spec: body?.spec } : { message, reason: body?.reason, details: normal(body?.details) }),
  };
}

describe('admission webhooks beside kube-apiserver', { skip }, () => {
  let ours: TestServer;
  let theirs: KubeApiServer;
  let sides: readonly Side[];

  before(async () => {
    theirs = await KubeApiServer.start();
    // Theirs runs without this plugin.
    ours = await TestServer.start(undefined, {
      admission: { enabled: [], disabled: ['ServiceAccount'] },
      foreign: ['controller-manager', 'scheduler', 'node'],
    });
    const hooks = [await FakeWebhook.start(), await FakeWebhook.start()];
    sides = [
      { hook: hooks[0]!, call: (method, path, body, type) => theirs.call(method, path, body, type === undefined ? {} : { type }) },
      {
        hook: hooks[1]!,
        call: async (method, path, body, type) => {
          const { status, body: json, headers } = await ours.call(method, path, body, type === undefined ? {} : { type });
          return { status, body: json, warning: headers.warning as string | undefined };
        },
      },
    ];
    for (const { call } of sides) {
      await call('POST', `${core}/serviceaccounts`, { metadata: { name: 'default' } });
      await call('POST', '/api/v1/nodes', { metadata: { name: 'n1' } });
    }
  });

  after(async () => {
    for (const { hook } of sides ?? []) await hook.stop();
    await ours?.stop();
    await theirs?.[Symbol.asyncDispose]();
  });

  for (const [title, change] of Object.entries(configurations))
    for (const kind of ['Mutating', 'Validating'])
      test(`a configuration ${title}, ${kind}`, async () => {
        const base = {
          name: 'a.example.com',
          clientConfig: { url: 'https://127.0.0.1' },
          rules: [configMaps],
          sideEffects: 'None',
          admissionReviewVersions: ['v1'],
        };
        const object = { metadata: { name: 'a' }, webhooks: [{ ...base, ...change }] };
        const path = `${group}/${kind.toLowerCase()}webhookconfigurations?dryRun=All`;
        const [their, our] = await Promise.all(sides.map(({ call }) => call('POST', path, object)));
        assert.deepEqual([shown(our!), normal(our!.body?.webhooks)], [shown(their!), normal(their!.body?.webhooks)]);
      });

  for (const [title, scenario] of Object.entries(scenarios))
    test(title, async () => {
      const [their, our] = await Promise.all(sides.map((side) => played(side, scenario)));
      assert.deepEqual(our, their);
    });
});

/** The reviews and answers. */
async function played(
  { hook, call }: Side,
  { rules = [configMaps], mutating = [], validating = [], replies = {}, requests, given = [] }: Scenario,
): Promise<Json> {
  for (const request of given) assert.ok((await call(...request)).status < 300, `given: ${request[1]}`);
  const complete = (sort: string, webhooks: readonly object[]): object[] => [
    // Says when the server knows of the configuration.
    {
      ...{
        name: `probe-${sort}.example.com`,
        clientConfig: hook.client(`/probe-${sort}`),
        rules: [configMaps],
        sideEffects: 'None',
        admissionReviewVersions: ['v1'],
      },
      objectSelector: { matchLabels: { probe: '' } },
    },
    ...webhooks.map((one, i) => ({
      ...{
        name: `${sort}${i}.example.com`,
        clientConfig: hook.client(`/${sort}${i}`),
        rules,
        sideEffects: 'None',
        admissionReviewVersions: ['v1'],
      },
      ...one,
    })),
  ];
  hook.replies.clear();
  const paths = ['mutating', 'validating'].map((sort) => `${group}/${sort}webhookconfigurations`);
  await using _ = {
    [Symbol.asyncDispose]: async () => {
      for (const path of paths) await call('DELETE', `${path}/scenario`);
    },
  };
  for (const [i, webhooks] of [mutating, validating].entries())
    assert.equal((await call('POST', paths[i]!, { metadata: { name: 'scenario' }, webhooks: complete('mv'[i]!, webhooks) })).status, 201);
  await eventually(
    'the webhooks to be known',
    async () => {
      await call('POST', `${core}/configmaps?dryRun=All`, { metadata: { name: 'probe', labels: { probe: '' } } });
      assert.ok(['/probe-m', '/probe-v'].every((path) => hook.asked.some((one) => one.path === path)));
    },
    { timeoutMs: 15_000 },
  ).finally(() => hook.asked.splice(0));
  for (const [place, reply] of Object.entries(replies)) hook.replies.set(`/${place}`, reply);
  const answers: Json[] = [];
  const reviews: Json[] = [];
  // Those that validate are asked side by side.
  const order = (path: string): string => (path.startsWith('/v') ? path : '');
  for (const request of requests) {
    answers.push(shown(await call(...request)));
    const asked = hook.asked.splice(0).map(({ path, review }) => ({ path, ...normal(review) }));
    reviews.push(...asked.toSorted((a, b) => order(a.path).localeCompare(order(b.path))));
  }
  return { answers, reviews };
}
