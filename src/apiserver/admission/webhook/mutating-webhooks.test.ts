import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { type FakeWebhook, patching } from '../../testing/fake-webhook.ts';
import type { Json, TestServer } from '../../testing/test-server.ts';
import { configMaps, everything, HookedServer, pods } from './testing/hooked-server.ts';

describe('mutating webhooks', () => {
  let s: TestServer;
  let hook: FakeWebhook;
  let hooked: HookedServer;

  before(async () => {
    hooked = await HookedServer.start();
    ({ server: s, hook } = hooked);
  });
  after(() => hooked.stop());
  afterEach(() => hooked.forget());

  test('a mutating one changes what is stored, which gets defaults and is checked', async () => {
    const rules = [{ ...everything, operations: ['CREATE'], resources: ['pods'] }];
    await hooked.configure('mutating', 'm', { rules });
    hook.replies.set('/m0', ({ request }: Json) => {
      assert.equal(request.object.metadata.uid, undefined);
      return patching({ op: 'add', path: '/spec/containers/-', value: { name: 'side', image: 'i:1' } });
    });
    const made = await s.call('POST', pods, { metadata: { name: 'patched' }, spec: { containers: [{ name: 'a', image: 'i' }] } });
    assert.equal(made.status, 201, made.text);
    assert.deepEqual(
      made.body.spec.containers.map((c: Json) => [c.name, c.imagePullPolicy]),
      [
        ['a', 'Always'],
        ['side', 'IfNotPresent'],
      ],
    );
    hook.replies.set('/m0', () => patching({ op: 'add', path: '/spec/containers/-', value: { name: 'A' } }));
    const refused = await s.call('POST', pods, { metadata: { name: 'broken' }, spec: { containers: [{ name: 'a', image: 'i' }] } });
    assert.equal(refused.status, 422);
    assert.match(refused.body.message, /spec\.containers\[1\]\.image: Required value/);
  });

  test('mutating ones follow one another, and one that wants it is asked again when another has changed something', async () => {
    const rules = [{ ...everything, operations: ['CREATE'] }];
    await hooked.configure(
      'mutating',
      'r',
      { rules, reinvocationPolicy: 'IfNeeded' },
      { rules },
      { rules, reinvocationPolicy: 'IfNeeded' },
    );
    const append =
      (mark: string) =>
      ({ request }: Json): object => {
        const at = { op: 'add', path: '/data', value: { by: (request.object?.data?.by ?? '') + mark } };
        return patching(at);
      };
    for (const i of [0, 1, 2]) hook.replies.set(`/r${i}`, append(String(i)));
    const made = await hooked.create('again');
    // The last of the first round is asked again as well: the first has changed the object since.
    assert.equal(made.body.data.by, '01202');
    await hooked.remove('again');
  });

  test('one sees no name that is still to be generated', async () => {
    await hooked.configure('mutating', 'g', {});
    await hooked.configure('validating', 'h', {});
    hook.replies.set('/g0', () => patching({ op: 'add', path: '/data', value: { a: 'b' } }));
    const made = await s.call('POST', configMaps, { metadata: { generateName: 'some-' } });
    assert.equal(made.status, 201, made.text);
    assert.match(made.body.metadata.name, /^some-/);
    const [[mutating], [validating]] = [hook.take('/g0'), hook.take('/h0')];
    assert.deepEqual([mutating.request.name, mutating.request.object.metadata.name], [undefined, undefined]);
    assert.deepEqual(
      [validating.request.name, validating.request.object.metadata.name],
      [made.body.metadata.name, made.body.metadata.name],
    );
    assert.deepEqual(validating.request.object.data, { a: 'b' });
  });

  for (const [title, response, why] of [
    [
      'renames',
      patching({ op: 'replace', path: '/metadata/name', value: 'other' }),
      /its patch changes metadata\.name, which a webhook may not$/,
    ],
    ['moves', patching({ op: 'replace', path: '/metadata/namespace', value: 'other' }), /its patch changes metadata\.namespace/],
    ['turns the object into another kind', patching({ op: 'replace', path: '/kind', value: 'Secret' }), /its patch changes kind/],
    ['leaves no object', patching({ op: 'replace', path: '', value: [] }), /the patch leaves no object$/],
    ['leaves nothing', patching({ op: 'replace', path: '', value: null }), /the patch leaves no object$/],
    ['leaves no metadata', patching({ op: 'remove', path: '/metadata' }), /its patch changes metadata\.name/],
    ['makes metadata a text', patching({ op: 'replace', path: '/metadata', value: 'x' }), /its patch changes metadata\.name/],
    [
      'makes values of a wrong type',
      patching({ op: 'add', path: '/data', value: { a: 1 } }),
      /json: cannot unmarshal number into Go struct field/,
    ],
    [
      'reaches for prototypes',
      patching({ op: 'add', path: '/__proto__/polluted', value: 'yes' }),
      /admission webhook "hook0\.m\.example\.com": /,
    ],
    ['does not apply', patching({ op: 'remove', path: '/data/none' }), /remove operation does not apply: doc is missing path/],
    [
      'makes too much of a little',
      patching({ op: 'add', path: '/a', value: Array(26_000).fill(0) }, { op: 'copy', from: '/a', path: '/b' }),
      /what its patch makes has too many values/,
    ],
    [
      'nests too deeply',
      patching({ op: 'add', path: '/data', value: JSON.parse(`${'{"a":'.repeat(511)}1${'}'.repeat(511)}`) }),
      /undecodable patch in webhook response: is nested too deeply/,
    ],
    ['is no list', { allowed: true, patchType: 'JSONPatch', patch: Buffer.from('{}').toString('base64') }, /cannot unmarshal object/],
    [
      'is no JSON',
      { allowed: true, patchType: 'JSONPatch', patch: Buffer.from('{').toString('base64') },
      /received undecodable patch in webhook response/,
    ],
    ['is of another type', { allowed: true, patchType: 'Merge', patch: 'e30=' }, /unsupported patch type "Merge"$/],
    ['has no type', { allowed: true, patch: 'W10=' }, /webhook returned response\.patch but not response\.patchType$/],
  ] as const)
    test(`a patch that ${title} is an error, and nothing more`, async () => {
      await hooked.configure('mutating', 'm', {});
      hook.replies.set('/m0', () => response);
      const { status, body } = await hooked.create('bad');
      assert.equal(status, 500, JSON.stringify(body));
      assert.match(body.message, why);
      assert.equal(({} as Json).polluted, undefined);
      assert.equal((await s.call('GET', `${configMaps}/bad`)).status, 404);
    });

  test('a patch of a name that is one of prototypes is a value as any', async () => {
    await hooked.configure('mutating', 'm', {});
    hook.replies.set('/m0', () => patching({ op: 'add', path: '/data', value: JSON.parse('{"__proto__":"x"}') }));
    const made = await hooked.create('proto');
    assert.equal(made.status, 201, made.text);
    assert.match(made.text, /"data":\{"__proto__":"x"\}/);
    await hooked.remove('proto');
  });

  test('a deletion cannot be patched', async () => {
    await hooked.create('kept');
    await hooked.configure('mutating', 'm', {});
    hook.replies.set('/m0', () => patching({ op: 'add', path: '/data', value: {} }));
    const { status, body } = await hooked.remove('kept');
    assert.equal(status, 500);
    assert.match(body.message, /attempted to modify the object, which is not supported for this operation$/);
  });
});
