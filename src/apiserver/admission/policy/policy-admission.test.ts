import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { type Reply, TestServer } from '../../testing/test-server.ts';

const group = '/apis/admissionregistration.k8s.io/v1';
const core = '/api/v1/namespaces/default';
const merge = { type: 'application/merge-patch+json' } as const;

describe('ValidatingAdmissionPolicy', () => {
  let s: TestServer;
  let made: string[] = [];

  before(async () => {
    s = await TestServer.start();
  });
  after(() => s.stop());
  afterEach(() => forget());

  async function put(path: string, object: object): Promise<Reply> {
    const answer = await s.call('POST', path, object);
    assert.equal(answer.status, 201, answer.text);
    made.push(`${path}/${answer.body.metadata.name}`);
    await arrived();
    return answer;
  }

  /** The policy and its binding, for ConfigMaps. */
  async function policy(spec: object, binding: object = {}): Promise<Reply> {
    const configMaps = [{ operations: ['*'], apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'] }];
    const answer = await put(`${group}/validatingadmissionpolicies`, {
      metadata: { name: 'p' },
      spec: { matchConstraints: { resourceRules: configMaps }, ...spec },
    });
    await put(`${group}/validatingadmissionpolicybindings`, {
      metadata: { name: 'b' },
      spec: { policyName: 'p', validationActions: ['Deny'], ...binding },
    });
    return answer;
  }

  async function forget(): Promise<void> {
    for (const path of made.splice(0).toReversed()) await s.call('DELETE', path);
    made = [];
    await arrived();
  }

  /** A list is as new as what was written before it: so is what the server itself knows then. */
  async function arrived(): Promise<void> {
    await s.call('GET', `${group}/validatingadmissionpolicybindings`);
  }

  const create = (name: string, data: object = {}, labels: object = {}): Promise<Reply> =>
    s.call('POST', `${core}/configmaps?dryRun=All`, { metadata: { name, labels }, data });
  const denied = "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: ";

  test('refuses, in words of its own, what it has something against', async () => {
    const validations = [
      { expression: "object.?data.a.orValue('') != 'x'", message: ' no x ', reason: 'Forbidden' },
      { expression: 'size(variables.keys) < 3', messageExpression: "'too many: ' + variables.keys.join(',')" },
      { expression: "object.metadata.name != 'bad'" },
    ];
    const variables = [{ name: 'keys', expression: 'has(object.data) ? object.data.map(k, k) : []' }];
    const answer = await policy({ variables, validations });
    assert.equal(answer.body.spec.matchConstraints.matchPolicy, 'Equivalent');
    assert.equal((await create('good')).status, 201);
    const x = (await create('one', { a: 'x' })).body;
    assert.deepEqual(
      [x.code, x.reason, x.message, x.details.causes],
      [403, 'Forbidden', `configmaps "one" is forbidden: ${denied}no x`, [{ message: `${denied}no x` }]],
    );
    const many = (await create('one', { a: '1', b: '2', c: '3' })).body;
    assert.deepEqual([many.code, many.reason, many.message], [422, 'Invalid', `configmaps "one" is forbidden: ${denied}too many: a,b,c`]);
    assert.equal(
      (await create('bad')).body.message,
      `configmaps "bad" is forbidden: ${denied}failed expression: object.metadata.name != 'bad'`,
    );
    await forget();
    assert.equal((await create('bad')).status, 201);
  });

  test('warns, where its binding says so', async () => {
    await policy({ validations: [{ expression: 'false', message: 'mind the gap' }] }, { validationActions: ['Warn', 'Audit'] });
    const { status, headers } = await create('warned');
    assert.deepEqual(
      [status, headers.warning],
      [201, `299 - "Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': mind the gap"`],
    );
    await forget();
  });

  test('is for those that its rules, selectors and conditions name', async () => {
    await policy(
      {
        matchConstraints: {
          resourceRules: [{ operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'] }],
          excludeResourceRules: [
            { operations: ['*'], apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'], resourceNames: ['free'] },
          ],
          objectSelector: { matchLabels: { a: 'b' } },
        },
        matchConditions: [{ name: 'c', expression: "object.metadata.name != 'passed'" }],
        validations: [{ expression: 'false' }],
      },
      { matchResources: { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'default' } } } },
    );
    const statuses = async (...names: string[]): Promise<number[]> =>
      Promise.all(names.map(async (name) => (await create(name, {}, { a: 'b' })).status));
    assert.deepEqual(await statuses('held', 'free', 'passed'), [422, 201, 201]);
    assert.equal((await create('held')).status, 201);
    await s.call('POST', '/api/v1/namespaces', { metadata: { name: 'other' } });
    const elsewhere = await s.call('POST', '/api/v1/namespaces/other/configmaps', { metadata: { name: 'held', labels: { a: 'b' } } });
    assert.equal(elsewhere.status, 201);
    await forget();
  });

  test('what cannot be evaluated is refused, or let pass', async () => {
    for (const [failurePolicy, status] of [
      ['Fail', 422],
      ['Ignore', 201],
    ] as const) {
      await policy({ failurePolicy, validations: [{ expression: 'object.no.such == 1' }] });
      const answer = await create('any');
      assert.equal(answer.status, status);
      if (status === 422)
        assert.match(answer.body.message, /denied request: expression 'object.no.such == 1' resulted in error: no such key: no$/);
      await forget();
    }
  });

  test('an annotation that cannot be made refuses, whatever the binding does', async () => {
    const auditAnnotations = [{ key: 'k', valueExpression: "'x' + object.data.no" }];
    await policy({ auditAnnotations }, { validationActions: ['Audit'] });
    assert.match((await create('any', { a: 'b' })).body.message, /resulted in error: no such key: no$/);
    await forget();
  });

  test('an object gives parameters, by its name or its labels', async () => {
    const spec = {
      paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
      matchConditions: [{ name: 'not-itself', expression: "!object.metadata.name.startsWith('limits')" }],
      validations: [{ expression: 'size(object.data) <= int(params.data.most)', messageExpression: "'at most ' + params.data.most" }],
    };
    await policy(spec, { paramRef: { name: 'limits', parameterNotFoundAction: 'Deny' } });
    const none = 'failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction';
    assert.equal((await create('any', { a: 'b' })).body.message, `configmaps "any" is forbidden: ${denied}${none}`);
    await forget();
    for (const [name, most] of [
      ['limits', '1'],
      ['limits-2', '2'],
    ] as const)
      await put(`${core}/configmaps`, { metadata: { name, labels: { limits: '' } }, data: { most } });
    await policy(spec, { paramRef: { name: 'limits-2', parameterNotFoundAction: 'Deny' } });
    assert.equal((await create('any', { a: '', b: '' })).status, 201);
    assert.equal((await create('any', { a: '', b: '', c: '' })).body.message, `configmaps "any" is forbidden: ${denied}at most 2`);
    await s.call('DELETE', `${group}/validatingadmissionpolicybindings/b`);
    await put(`${group}/validatingadmissionpolicybindings`, {
      metadata: { name: 'c' },
      spec: {
        policyName: 'p',
        validationActions: ['Deny'],
        paramRef: { selector: { matchLabels: { limits: '' } }, parameterNotFoundAction: 'Allow' },
      },
    });
    assert.match((await create('any', { a: '', b: '' })).body.message, /denied request: at most 1$/);
    await forget();
  });

  test('a kind of parameters that nobody serves is an error of the policy', async () => {
    await policy({ paramKind: { apiVersion: 'a.example.com/v1', kind: 'Limit' }, validations: [{ expression: 'params == null' }] });
    const why = "failed to configure policy: failed to find resource referenced by paramKind: 'a.example.com/v1, Kind=Limit'";
    assert.equal((await create('any')).body.message, `configmaps "any" is forbidden: ValidatingAdmissionPolicy 'p' denied request: ${why}`);
    await forget();
  });

  test('nothing is asked about policies themselves, and a deletion has no object', async () => {
    const all = [{ operations: ['*'], apiGroups: ['*'], apiVersions: ['*'], resources: ['*'] }];
    const kept = await s.call('POST', `${core}/configmaps`, { metadata: { name: 'kept' } });
    assert.equal(kept.status, 201);
    await policy({
      matchConstraints: { resourceRules: all },
      validations: [
        { expression: "request.operation == 'DELETE' ? object == null && oldObject.metadata.name != 'kept' : namespaceObject != null" },
      ],
    });
    assert.equal((await s.call('DELETE', `${core}/configmaps/kept`)).status, 422);
    assert.equal((await s.call('PATCH', `${core}/configmaps/kept`, { data: { a: 'b' } }, merge)).status, 200);
    await forget();
    assert.equal((await s.call('DELETE', `${core}/configmaps/kept`)).status, 200);
  });

  test('who may not read parameters cannot have a policy read them', async () => {
    const rules = [{ apiGroups: ['admissionregistration.k8s.io'], resources: ['*'], verbs: ['*'] }];
    await put('/apis/rbac.authorization.k8s.io/v1/clusterroles', { metadata: { name: 'policies' }, rules });
    await put('/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
      metadata: { name: 'policies' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'policies' },
      subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'jane' }],
    });
    const object = {
      metadata: { name: 'q' },
      spec: {
        paramKind: { apiVersion: 'v1', kind: 'Secret' },
        matchConstraints: { resourceRules: [{ operations: ['*'], apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'] }] },
        validations: [{ expression: 'true' }],
      },
    };
    const as = { headers: { 'impersonate-user': 'jane' } };
    const { status, body } = await s.call('POST', `${group}/validatingadmissionpolicies`, object, as);
    assert.equal(status, 422);
    assert.match(
      body.message,
      /spec\.paramKind: Forbidden: user jane must have "get" permission on all objects of the referenced paramKind/,
    );
    const binding = {
      metadata: { name: 'q' },
      spec: { policyName: 'none', validationActions: ['Deny'], paramRef: { name: 's', parameterNotFoundAction: 'Deny' } },
    };
    assert.equal((await s.call('POST', `${group}/validatingadmissionpolicybindings`, binding, as)).status, 422);
    assert.equal(
      (
        await s.call(
          'POST',
          `${group}/validatingadmissionpolicybindings`,
          { ...binding, spec: { ...binding.spec, paramRef: undefined } },
          as,
        )
      ).status,
      201,
    );
    made.push(`${group}/validatingadmissionpolicybindings/q`);
    await forget();
  });
});
