/** The same definitions and the same conversion webhook at kube-apiserver and at ours: the same requests, the same answers. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { boxDefinition, converting, definitions, group } from '../../src/apiserver/testing/boxes.ts';
import { FakeWebhook, type Reply } from '../../src/apiserver/testing/fake-webhook.ts';
import { TestServer } from '../../src/apiserver/testing/test-server.ts';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { type Answer, type Json, KubeApiServer } from './testing/kube-apiserver.ts';
import { lacksProgram } from './testing/programs.ts';

const skip = lacksProgram('etcd', 'kube-apiserver');
const merge = 'application/merge-patch+json';
const jsonPatch = 'application/json-patch+json';
const apply = 'application/apply-patch+yaml';

type Request = readonly [method: string, path: string, body?: object, type?: string];

interface Side {
  readonly hook: FakeWebhook;
  call(...request: Request): Promise<Answer>;
}

/** Of one scenario: a kind of its own. */
interface Kind {
  readonly plural: string;
  readonly kind: string;
  at(version: string, name?: string): string;
  box(version: string, name: string, spec: object, metadata?: object): Json;
}

interface Scenario {
  readonly stored?: string;
  readonly reviews?: readonly string[];
  readonly given?: (kind: Kind) => readonly Request[];
  /** What the webhook answers after that; to convert when nothing is said. */
  readonly reply?: (review: Json) => Reply;
  readonly requests: (kind: Kind) => readonly Request[];
}

const one = ({ at, box }: Kind): readonly Request[] => [['POST', at('v1'), box('v1', 'one', { size: '2x3' }, { labels: { a: 'b' } })]];
/** What has to be converted, and what has not. */
const reads = ({ at, box }: Kind): readonly Request[] => [
  ['GET', at('v2', 'one')],
  ['GET', at('v1', 'one')],
  ['POST', at('v2'), box('v2', 'two', { width: 1, height: 1 })],
  ['PATCH', at('v1', 'one'), { spec: { size: '6x6' } }, merge],
  ['DELETE', at('v2', 'one')],
  ['DELETE', at('v1', 'one')],
];

const scenarios: Readonly<Record<string, Scenario>> = {
  'the life of an object': {
    requests: ({ at, box }) => [
      ['POST', at('v2'), box('v2', 'one', { width: 2, height: 3, pool: { replicas: 4 } }, { labels: { a: 'b' }, annotations: { c: 'd' } })],
      ['POST', at('v1'), box('v1', 'two', { size: '5x5', unknown: 1 })],
      ['GET', at('v1', 'one')],
      ['GET', at('v2', 'two')],
      ['GET', at('v1')],
      ['GET', at('v2')],
      ['GET', `${at('v2')}?fieldSelector=spec.width=5`],
      ['GET', `${at('v2')}?labelSelector=a`],
      ['PATCH', at('v2', 'one'), { spec: { height: 7 } }, merge],
      ['PATCH', at('v1', 'one'), [{ op: 'replace', path: '/spec/size', value: '8x8' }], jsonPatch],
      ['PATCH', at('v2', 'one'), { spec: { height: 8 } }, merge],
      ['PATCH', `${at('v2', 'one')}/status`, { status: { phase: 'Shut', replicas: 3 } }, merge],
      ['GET', `${at('v2', 'one')}/scale`],
      ['PATCH', `${at('v2', 'one')}/scale`, { spec: { replicas: 9 } }, merge],
      ['GET', `${at('v1', 'one')}/scale`],
      ['PATCH', at('v2', 'one'), { spec: { width: 0 } }, merge],
      ['PATCH', at('v2', 'one'), { metadata: { labels: { x: 'y' }, finalizers: ['example.com/held'] } }, merge],
      ['DELETE', at('v2', 'one')],
      ['POST', `${at('v2')}?dryRun=All`, box('v2', 'dry', { width: 1 })],
      ['DELETE', at('v2')],
    ],
  },
  'the older version of reviews': {
    reviews: ['v2', 'v1beta1', 'v1'],
    given: one,
    reply: (review) => ({ ...(converting()(review) as object), uid: 'any' }),
    requests: reads,
  },
  'a webhook that changes labels and annotations': {
    given: one,
    reply: converting((converted) => ({
      ...converted,
      metadata: {
        ...converted.metadata,
        labels: { shown: 'yes' },
        annotations: { by: 'hook' },
        finalizers: ['a/b'],
        generation: 7,
        extra: 1,
      },
    })),
    requests: ({ at }) => [
      ['GET', at('v2', 'one')],
      ['GET', `${at('v2')}?labelSelector=shown=yes`],
      ['GET', `${at('v2')}?labelSelector=a=b`],
      ['PATCH', at('v2', 'one'), { spec: { height: 9 } }, merge],
      ['GET', at('v1', 'one')],
    ],
  },
  'fields that the schema does not have': {
    given: one,
    reply: converting((converted) => ({ ...converted, spec: { ...converted.spec, odd: 1, colour: undefined }, other: 2 })),
    requests: ({ at }) => [
      ['GET', at('v2', 'one')],
      ['PATCH', at('v2', 'one'), { spec: { height: 9 } }, merge],
      ['GET', at('v1', 'one')],
    ],
  },
  'an apply in each version': {
    requests: ({ at, box }) => {
      const applied = (version: string, query: string, spec: object): Request => [
        'PATCH',
        `${at(version, 'one')}?fieldManager=${query}`,
        box(version, 'one', spec),
        apply,
      ];
      return [
        applied('v1', 'a', { size: '2x3', colour: 'red' }),
        applied('v2', 'b', { pool: { replicas: 3 } }),
        applied('v2', 'b', { width: 7, pool: { replicas: 3 } }),
        applied('v1', 'c', { replicas: 5 }),
        applied('v2', 'c', { colour: 'red' }),
        applied('v2', 'b&force=true', { width: 7 }),
        applied('v1', 'b', { notes: { n: 'b' } }),
        applied('v2', 'a', { notes: { m: 'a' } }),
        ['PATCH', `${at('v2', 'one')}?fieldManager=d`, { spec: { notes: { m: 'd' } } }, merge],
        applied('v1', 'a', { notes: { m: 'a' } }),
        applied('v1', 'a&force=true', { notes: { m: 'a' }, replicas: 3 }),
        applied('v2', 'e', { pool: { replicas: 4 } }),
        applied('v2', 'a', {}),
      ];
    },
  },
  ...Object.fromEntries(
    Object.entries(failures()).map(([title, reply]) => [`a webhook that answers ${title}`, { given: one, reply, requests: reads }]),
  ),
};

function failures(): Readonly<Record<string, (review: Json) => Reply>> {
  const made = (change: (converted: Json) => unknown) => converting(change);
  const meta = (change: (metadata: Json) => unknown) => made((box) => ({ ...box, metadata: change(box.metadata) }));
  return {
    'that it failed': () => ({ result: { status: 'Failure', message: 'no luck' } }),
    'that it failed, and not why': () => ({ result: { status: 'Failure' } }),
    'no result': ({ request }) => ({ convertedObjects: request.objects }),
    'no response': () => ({ code: 200, text: '{"kind":"ConversionReview","apiVersion":"apiextensions.k8s.io/v1"}' }),
    'somebody else': (review) => ({ ...(converting()(review) as object), uid: 'x' }),
    'no objects': () => ({ result: { status: 'Success' }, convertedObjects: [] }),
    'too many objects': ({ request }) => ({ result: { status: 'Success' }, convertedObjects: [...request.objects, ...request.objects] }),
    'the objects as they were': ({ request }) => ({ result: { status: 'Success' }, convertedObjects: request.objects }),
    'another kind': made((box) => ({ ...box, kind: 'Other' })),
    'another name': meta((metadata) => ({ ...metadata, name: 'other' })),
    'another namespace': meta((metadata) => ({ ...metadata, namespace: 'other' })),
    'another uid': meta((metadata) => ({ ...metadata, uid: 'other' })),
    'labels that are none': meta((metadata) => ({ ...metadata, labels: 'none' })),
    'a label that is a number': meta((metadata) => ({ ...metadata, labels: { a: 1 } })),
    'a wrong label': meta((metadata) => ({ ...metadata, labels: { 'a b': 'x' } })),
    'an error': () => ({ code: 500, text: 'boom' }),
    'that there is no such path': () => ({ code: 404, text: '' }),
    'what is no JSON': () => ({ code: 200, text: 'hello' }),
  };
}

/** What a server chooses by itself goes. */
function normal(value: Json): Json {
  if (Array.isArray(value)) return value.map(normal);
  if (typeof value !== 'object' || value === null) return typeof value === 'string' ? texts(value) : value;
  const own = ['uid', 'resourceVersion', 'creationTimestamp', 'deletionTimestamp', 'managedFields', 'caBundle', 'url'];
  // Theirs says that nothing follows.
  const entries = Object.entries(value as Json).filter(([key, inner]) => !own.includes(key) && !(key === 'continue' && inner === ''));
  return Object.fromEntries(entries.map(([key, inner]) => [key, normal(inner)]).toSorted(([a], [b]) => String(a).localeCompare(String(b))));
}

function texts(text: string): string {
  return text
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}/g, 'UID')
    .replaceAll(/127\.0\.0\.1:[0-9]+/g, 'HOOK')
    .replace(/json parse error: .*/s, 'json parse error');
}

function shown({ status, body, warning }: Answer): Json {
  return { status, warning: String(warning ?? ''), body: normal(body) };
}

describe('conversion webhooks beside kube-apiserver', { skip }, () => {
  let ours: TestServer;
  let theirs: KubeApiServer;
  let sides: readonly Side[];

  before(async () => {
    [theirs, ours] = [await KubeApiServer.start(), await TestServer.start()];
    const hooks = [await FakeWebhook.start(), await FakeWebhook.start()];
    sides = [
      { hook: hooks[0]!, call: (method, path, body, type) => theirs.call(method, path, body, type === undefined ? {} : { type }) },
      {
        hook: hooks[1]!,
        call: async (method, path, body, type) => {
          const { status, body: json, text, headers } = await ours.call(method, path, body, type === undefined ? {} : { type });
          return { status, body: json ?? text, warning: headers.warning as string | undefined };
        },
      },
    ];
  });

  after(async () => {
    for (const { hook } of sides ?? []) await hook.stop();
    await ours?.stop();
    await theirs?.[Symbol.asyncDispose]();
  });

  for (const [i, [title, scenario]] of Object.entries(scenarios).entries())
    test(title, async () => {
      const [their, our] = await Promise.all(sides.map((side) => played(side, `a${i}boxes`, scenario)));
      assert.deepEqual(our, their);
    });

  test('a watch in each version', async () => {
    const [their, our] = await Promise.all(
      sides.map(async ({ hook, call }) => {
        const kind = await served({ hook, call }, 'watchedboxes', {});
        const { at, box } = kind;
        const first = await call('POST', at('v1'), box('v1', 'one', { size: '1x1' }));
        await call('PATCH', at('v2', 'one'), { spec: { height: 2 } }, merge);
        await call('POST', at('v2'), box('v2', 'two', { width: 4 }));
        await call('PATCH', at('v1', 'two'), { metadata: { labels: { a: 'b' } } }, merge);
        await call('DELETE', at('v1', 'one'));
        await call('PATCH', at('v1', 'two'), { metadata: { labels: null } }, merge);
        const events = async (version: string, query = ''): Promise<Json[]> => {
          const from = first.body.metadata.resourceVersion;
          const { body } = await call('GET', `${at(version)}?watch=true&timeoutSeconds=1&resourceVersion=${from}${query}`);
          const text = typeof body === 'string' ? body : JSON.stringify(body);
          return text
            .split('\n')
            .filter((line) => line !== '')
            .map((line) => normal(JSON.parse(line)));
        };
        return [
          await events('v1'),
          await events('v2'),
          await events('v2', '&labelSelector=a'),
          await events('v2', '&fieldSelector=spec.width=4'),
        ];
      }),
    );
    assert.deepEqual(our, their);
  });

  test('another version that is stored', async () => {
    const [their, our] = await Promise.all(
      sides.map(async (side) => {
        const { hook, call } = side;
        const { at, box, plural } = await served(side, 'movedboxes', {});
        await call('POST', at('v1'), box('v1', 'one', { size: '1x1' }));
        const path = `${definitions}/${plural}.${group}`;
        const { body: definition } = await call('GET', path);
        const moved = { ...definition, spec: boxDefinition(hook, plural, 'v2').spec };
        assert.equal((await call('PUT', path, moved)).status, 200);
        // Until the server has taken it in.
        await eventually('the new storage version', async () => {
          hook.asked.splice(0);
          await call('POST', `${at('v2')}?dryRun=All`, box('v2', 'probe', { width: 1 }));
          assert.equal(hook.asked.length, 0);
        });
        const answers: Json[] = [];
        const requests: readonly Request[] = [
          ['GET', at('v1', 'one')],
          ['GET', at('v2', 'one')],
          ['PATCH', at('v1', 'one'), { spec: { size: '2x2' } }, merge],
          ['GET', at('v2', 'one')],
          ['POST', at('v1'), box('v1', 'two', { size: '3x3' })],
          ['GET', at('v2')],
          ['GET', `${path}/status`],
        ];
        for (const request of requests) answers.push(shown(await call(...request)));
        return answers.map((answer) => (answer.body.status?.storedVersions ? answer.body.status.storedVersions : answer));
      }),
    );
    assert.deepEqual(our, their);
  });

  test('admission webhooks are asked in the version that they name', async () => {
    const [their, our] = await Promise.all(
      sides.map(async (side) => {
        const { hook, call } = side;
        const { at, box, plural } = await served(side, 'admittedboxes', {});
        const configurations = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations';
        const webhook = {
          ...{ name: 'box.example.com', clientConfig: hook.client('/admit'), sideEffects: 'None', admissionReviewVersions: ['v1'] },
          rules: [{ operations: ['*'], apiGroups: [group], apiVersions: ['v1'], resources: [plural, `${plural}/*`] }],
        };
        const patch = Buffer.from(JSON.stringify([{ op: 'add', path: '/spec/colour', value: 'red' }])).toString('base64');
        hook.replies.set('/admit', ({ request }) =>
          request.operation === 'DELETE' || request.subResource ? { allowed: true } : { allowed: true, patchType: 'JSONPatch', patch },
        );
        assert.equal((await call('POST', configurations, { metadata: { name: 'boxes' }, webhooks: [webhook] })).status, 201);
        await eventually('the webhook to be asked', async () => {
          await call('POST', `${at('v1')}?dryRun=All`, box('v1', 'probe', { size: '1x1' }));
          assert.ok(hook.take('/admit').length > 0);
        });
        const answers: Json[] = [];
        const requests: readonly Request[] = [
          ['POST', at('v2'), box('v2', 'one', { width: 1, height: 2 })],
          ['PATCH', at('v2', 'one'), { spec: { height: 3 } }, merge],
          ['PATCH', `${at('v2', 'one')}/status`, { status: { phase: 'x' } }, merge],
          ['DELETE', at('v2', 'one')],
        ];
        for (const request of requests) answers.push(shown(await call(...request)));
        await call('DELETE', `${configurations}/boxes`);
        const reviews = hook
          .take('/admit')
          .map(({ request: { object, oldObject, kind, requestKind, operation } }) =>
            normal({ object, oldObject, kind, requestKind, operation }),
          );
        return { answers, reviews };
      }),
    );
    assert.deepEqual(our, their);
  });
});

async function served({ hook, call }: Side, plural: string, { stored, reviews }: Pick<Scenario, 'stored' | 'reviews'>): Promise<Kind> {
  const definition = boxDefinition(hook, plural, stored, reviews);
  const { kind } = definition.spec.names;
  const at = (version: string, name = ''): string => `/apis/${group}/${version}/namespaces/default/${plural}${name && `/${name}`}`;
  const box = (version: string, name: string, spec: object, metadata: object = {}): Json => ({
    ...{ apiVersion: `${group}/${version}`, kind, metadata: { name, ...metadata }, spec },
  });
  hook.replies.set(`/${plural}`, converting());
  assert.equal((await call('POST', definitions, definition)).status, 201);
  await eventually(
    'the definition to be served',
    async () => {
      for (const version of ['v1', 'v2']) assert.equal((await call('GET', at(version))).status, 200);
    },
    { timeoutMs: 30_000 },
  );
  return { plural, kind, at, box };
}

async function played(side: Side, plural: string, { reply = converting(), given, requests, ...more }: Scenario): Promise<Json[]> {
  const kind = await served(side, plural, more);
  for (const request of given?.(kind) ?? []) assert.equal((await side.call(...request)).status, 201, `given: ${request[1]}`);
  side.hook.replies.set(`/${plural}`, reply);
  const answers: Json[] = [];
  for (const request of requests(kind)) answers.push([request.slice(0, 2).join(' '), shown(await side.call(...request))]);
  return answers;
}
