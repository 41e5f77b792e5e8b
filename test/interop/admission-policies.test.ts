/** The same ValidatingAdmissionPolicies at kube-apiserver and at ours: which are refused, and what those that are not say of requests. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
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
type Call = (...request: Request) => Promise<Answer>;

interface Scenario {
  /** Of all writes of ConfigMaps where it does not say. */
  readonly policy: object;
  readonly binding?: object;
  readonly given?: readonly Request[];
  readonly requests: readonly Request[];
}

const rule = (...resources: string[]): object => ({ operations: ['*'], apiGroups: ['*'], apiVersions: ['*'], resources });
const configMaps = { resourceRules: [rule('configmaps')] };
const create = (name: string, more: object = {}): Request => ['POST', `${core}/configmaps`, { metadata: { name }, ...more }];
const labelled = (name: string, labels: object, data: object = {}): Request => create(name, { metadata: { name, labels }, data });
const remove = (name: string): Request => ['DELETE', `${core}/configmaps/${name}`];
const container = (more: object = {}): object => ({ name: 'a', image: 'i', ...more });
const deployment = (name: string, replicas: number, ...containers: object[]): Request => [
  'POST',
  `${apps}/deployments`,
  {
    metadata: { name, labels: { app: name } },
    spec: { replicas, selector: { matchLabels: { a: 'b' } }, template: { metadata: { labels: { a: 'b' } }, spec: { containers } } },
  },
];
const says = (expression: string, more: object = {}): object => ({ validations: [{ expression, ...more }] });
const limits = { paramKind: { apiVersion: 'v1', kind: 'ConfigMap' } };

const scenarios: Readonly<Record<string, Scenario>> = {
  'a validation that is broken': { policy: says("object.metadata.name != 'no'"), requests: [create('yes'), create('no'), remove('yes')] },
  'a message': { policy: says('false', { message: ' said  so ' }), requests: [create('no')] },
  'a message that is made': {
    policy: says('false', { message: 'else', messageExpression: "'no ' + string(object.metadata.name)" }),
    requests: [create('no')],
  },
  'a message that cannot be made': {
    policy: says('false', { message: 'else', messageExpression: 'string(object.nope)' }),
    requests: [create('no')],
  },
  'a message of two lines': { policy: says('false', { messageExpression: "'a\\nb'" }), requests: [create('no')] },
  'a message of nothing': { policy: says('false', { messageExpression: "' '" }), requests: [create('no')] },
  'a reason, Forbidden': { policy: says('false', { reason: 'Forbidden' }), requests: [create('no')] },
  'a reason, RequestEntityTooLarge': { policy: says('false', { reason: 'RequestEntityTooLarge' }), requests: [create('no')] },
  'some that are broken': {
    policy: { validations: [{ expression: 'true' }, { expression: 'false', message: 'one' }, { expression: 'false', message: 'two' }] },
    requests: [create('no')],
  },
  'some warnings': {
    policy: {
      validations: [
        { expression: 'false', message: 'one' },
        { expression: 'false', message: 'two' },
      ],
    },
    binding: { validationActions: ['Warn', 'Audit'] },
    requests: [create('warned'), remove('warned')],
  },
  'what is only audited': {
    policy: says('false'),
    binding: { validationActions: ['Audit'] },
    requests: [create('noted'), remove('noted')],
  },
  'what cannot be evaluated': { policy: says('object.data.a == 1'), requests: [create('no'), create('no', { data: { a: 'b' } })] },
  'what cannot be evaluated, and may be': {
    policy: { ...says('object.nope == 1'), failurePolicy: 'Ignore' },
    requests: [create('yes'), remove('yes')],
  },
  'what cannot be evaluated is warned of': {
    policy: says('object.nope == 1'),
    binding: { validationActions: ['Warn'] },
    requests: [create('yes'), remove('yes')],
  },
  'updates and deletions': {
    policy: says(
      "request.operation == 'DELETE' ? object == null && oldObject.data.a != 'keep' : oldObject == null || oldObject.data.a == object.data.a",
    ),
    requests: [
      create('one', { data: { a: 'keep' } }),
      ['PATCH', `${core}/configmaps/one`, { data: { a: 'b' } }, merge],
      ['PATCH', `${core}/configmaps/one`, { data: { b: 'b' } }, merge],
      remove('one'),
    ],
  },
  'what is said of a request': {
    policy: says(
      "request.kind.kind == 'ConfigMap' && request.resource.resource == 'configmaps' && request.namespace == 'default' && " +
        "!has(request.subResource) && request.userInfo.username == 'admin' && 'system:masters' in request.userInfo.groups && " +
        "request.operation in ['CREATE', 'DELETE'] && request.requestKind == request.kind && has(request.options) && !has(request.userInfo.uid)",
      { messageExpression: "request.name + ' ' + request.userInfo.groups.join(',') + ' ' + string(request.dryRun)" },
    ),
    requests: [create('said'), ['POST', `${core}/configmaps?dryRun=All`, { metadata: { name: 'dry' } }], remove('said')],
  },
  'the name that is generated': {
    policy: says("request.name.startsWith('gen-') && object.metadata.name == request.name"),
    requests: [['POST', `${core}/configmaps?dryRun=All`, { metadata: { generateName: 'gen-' } }]],
  },
  'the Namespace': {
    policy: says(
      "namespaceObject.metadata.labels['kubernetes.io/metadata.name'] == 'default' && namespaceObject.status.phase == 'Active'",
      {
        messageExpression: "namespaceObject == null ? 'none' : namespaceObject.metadata.name",
      },
    ),
    requests: [create('in'), remove('in')],
  },
  'no Namespace': {
    policy: { ...says('namespaceObject != null'), matchConstraints: { resourceRules: [rule('namespaces', 'clusterroles')] } },
    requests: [
      ['POST', '/api/v1/namespaces', { metadata: { name: 'no' } }],
      ['POST', '/apis/rbac.authorization.k8s.io/v1/clusterroles', { metadata: { name: 'no' }, rules: [] }],
    ],
  },
  variables: {
    policy: {
      variables: [
        { name: 'containers', expression: 'object.spec.template.spec.containers' },
        { name: 'images', expression: 'variables.containers.map(c, c.image)' },
        { name: 'bad', expression: 'object.nope.nope' },
      ],
      matchConstraints: { resourceRules: [rule('deployments')] },
      validations: [
        { expression: "variables.images.all(i, i.startsWith('good/'))", messageExpression: "'bad: ' + variables.images.join(', ')" },
        { expression: 'size(variables.images) == 1 || variables.bad' },
      ],
    },
    requests: [
      deployment('good', 1, container({ image: 'good/a' })),
      deployment('bad', 1, container({ image: 'bad/a' }), container({ name: 'b', image: 'good/b' })),
      deployment('worse', 1, container({ image: 'good/a' }), container({ name: 'b', image: 'good/b' })),
      ['DELETE', `${apps}/deployments/good`],
    ],
  },
  'what pods and workloads are': {
    policy: {
      matchConstraints: { resourceRules: [rule('deployments')] },
      validations: [
        { expression: 'object.spec.replicas <= 5', messageExpression: "'replicas ' + string(object.spec.replicas)" },
        {
          expression:
            'object.spec.template.spec.containers.all(c, has(c.securityContext) && c.securityContext.?runAsNonRoot.orValue(false))',
        },
        { expression: "quantity(object.spec.template.spec.containers[0].resources.limits['memory']).isLessThan(quantity('1Gi'))" },
        {
          expression:
            "type(object.spec.replicas) == int && object.spec.strategy.type == 'RollingUpdate' && object.spec.template.spec.restartPolicy == 'Always'",
        },
      ],
    },
    requests: [
      deployment('big', 6, container()),
      deployment('root', 1, container()),
      deployment('free', 1, container({ securityContext: { runAsNonRoot: true } })),
      deployment('much', 1, container({ securityContext: { runAsNonRoot: true }, resources: { limits: { memory: '2Gi' } } })),
      deployment('fine', 1, container({ securityContext: { runAsNonRoot: true }, resources: { limits: { memory: '20Mi' } } })),
      ['PATCH', `${apps}/deployments/fine`, { spec: { replicas: 9 } }, merge],
      ['DELETE', `${apps}/deployments/fine`],
    ],
  },
  'a Scale': {
    given: [deployment('scaled', 1, container())],
    policy: {
      matchConstraints: { resourceRules: [rule('deployments/scale')] },
      ...says('object.spec.replicas < 3', { messageExpression: 'object.kind + request.subResource' }),
    },
    requests: [
      ['PATCH', `${apps}/deployments/scaled/scale`, { spec: { replicas: 2 } }, merge],
      ['PATCH', `${apps}/deployments/scaled/scale`, { spec: { replicas: 3 } }, merge],
      ['PATCH', `${apps}/deployments/scaled`, { spec: { replicas: 4 } }, merge],
      ['DELETE', `${apps}/deployments/scaled`],
    ],
  },
  conditions: {
    policy: {
      matchConditions: [
        { name: 'a', expression: "object.metadata.name.startsWith('c')" },
        { name: 'b', expression: "object.metadata.labels['x'] == 'y'" },
      ],
      ...says('false'),
    },
    requests: [
      create('other'),
      create('conditioned'),
      labelled('conditioned', { x: 'y' }),
      labelled('conditioned', { x: 'z' }),
      labelled('conditioned', { z: 'z' }),
    ],
  },
  'a condition that may fail': {
    policy: { failurePolicy: 'Ignore', matchConditions: [{ name: 'a', expression: 'object.nope == 1' }], ...says('false') },
    requests: [create('unconditioned'), remove('unconditioned')],
  },
  'a condition sees no Namespace': {
    policy: { matchConditions: [{ name: 'a', expression: 'namespaceObject == null' }], ...says('namespaceObject == null') },
    requests: [create('no')],
  },
  'selectors, and rules that leave out': {
    policy: {
      matchConstraints: {
        objectSelector: { matchExpressions: [{ key: 'x', operator: 'Exists' }] },
        resourceRules: [rule('*')],
        excludeResourceRules: [{ ...rule('configmaps'), resourceNames: ['free'] }],
      },
      ...says('false'),
    },
    binding: {
      matchResources: {
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'default' } },
        resourceRules: [{ ...rule('configmaps'), operations: ['CREATE'] }],
      },
    },
    requests: [
      labelled('held', { x: '' }),
      create('unlabelled'),
      labelled('free', { x: '' }),
      ['POST', `${core}/secrets`, { metadata: { name: 'held', labels: { x: '' } } }],
      ['PATCH', `${core}/configmaps/free`, { data: { a: 'b' } }, merge],
      ...['free', 'unlabelled'].map(remove),
      ['DELETE', `${core}/secrets/held`],
    ],
  },
  'another version of the same objects': {
    policy: {
      matchConstraints: {
        resourceRules: [{ operations: ['*'], apiGroups: ['autoscaling'], apiVersions: ['v1'], resources: ['horizontalpodautoscalers'] }],
      },
      matchConditions: [{ name: 'a', expression: "request.resource.version == 'v2' && request.kind.version == 'v1'" }],
      ...says('object.spec.targetCPUUtilizationPercentage < 50', {
        messageExpression:
          "object.apiVersion + ' ' + request.resource.version + ' ' + request.requestResource.version + ' ' + request.kind.version",
      }),
    },
    requests: [
      [
        'POST',
        '/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers',
        {
          metadata: { name: 'web' },
          spec: {
            maxReplicas: 3,
            scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
            metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 60 } } }],
          },
        },
      ],
    ],
  },
  'annotations that cannot be made': {
    policy: { auditAnnotations: [{ key: 'k', valueExpression: "object.nope + ''" }], validations: [{ expression: 'true' }] },
    binding: { validationActions: ['Audit'] },
    requests: [create('no')],
  },
  annotations: {
    policy: { auditAnnotations: [{ key: 'k', valueExpression: "'a ' + request.operation" }] },
    requests: [create('noted'), remove('noted')],
  },
  'an expression without an end': {
    policy: says('lists.range(1000).all(x, lists.range(1000).all(y, lists.range(1000).all(z, x + y + z >= 0)))'),
    requests: [create('no')],
  },
  'parameters by name': {
    given: [create('limits', { data: { most: '2' } })],
    policy: {
      ...limits,
      ...says('size(object.data) <= int(params.data.most)', {
        messageExpression: "params.kind + ' ' + params.apiVersion + ' ' + params.data.most",
      }),
      matchConditions: [{ name: 'a', expression: 'object != null && object.metadata.name != params.metadata.name' }],
    },
    binding: { paramRef: { name: 'limits', parameterNotFoundAction: 'Deny' } },
    requests: [create('few', { data: { a: '' } }), create('many', { data: { a: '', b: '', c: '' } }), ...['few', 'limits'].map(remove)],
  },
  'parameters that are not there': {
    policy: { ...limits, ...says('params != null') },
    binding: { paramRef: { name: 'none', namespace: 'default', parameterNotFoundAction: 'Deny' } },
    requests: [create('no')],
  },
  'parameters that need not be there': {
    policy: { ...limits, ...says('params != null') },
    binding: { paramRef: { name: 'none', parameterNotFoundAction: 'Allow' } },
    requests: [create('yes'), remove('yes')],
  },
  'parameters that a binding does not name': { policy: { ...limits, ...says('params != null') }, requests: [create('no')] },
  'parameters by a selector': {
    given: ['a', 'b'].map((no) => [
      'POST',
      `${core}/serviceaccounts`,
      { metadata: { name: `limits-${no}`, labels: { limits: '' }, annotations: { no } } },
    ]),
    // Theirs stops to look at objects of a kind once no policy takes any: of one that no other here takes.
    policy: {
      paramKind: { apiVersion: 'v1', kind: 'ServiceAccount' },
      ...says('object == null || object.metadata.name != params.metadata.annotations.no', {
        messageExpression: "'not ' + params.metadata.annotations.no",
      }),
    },
    binding: { paramRef: { selector: { matchLabels: { limits: '' } }, parameterNotFoundAction: 'Deny' } },
    requests: [create('a'), create('b'), create('c'), remove('c')],
  },
  'parameters in no namespace': {
    policy: { ...limits, ...says('true'), matchConstraints: { resourceRules: [rule('clusterroles')] } },
    binding: { paramRef: { name: 'x', parameterNotFoundAction: 'Deny' } },
    requests: [['POST', '/apis/rbac.authorization.k8s.io/v1/clusterroles', { metadata: { name: 'no' }, rules: [] }]],
  },
  'parameters of the cluster': {
    policy: { paramKind: { apiVersion: 'v1', kind: 'Namespace' }, ...says("params.metadata.name == 'default' && object == null") },
    binding: { paramRef: { name: 'default', parameterNotFoundAction: 'Deny' } },
    requests: [create('no')],
  },
  'a namespace for parameters of the cluster': {
    policy: { paramKind: { apiVersion: 'v1', kind: 'Namespace' }, ...says('true') },
    binding: { paramRef: { name: 'default', namespace: 'default', parameterNotFoundAction: 'Deny' } },
    requests: [create('no')],
  },
  'parameters of no kind': {
    policy: { paramKind: { apiVersion: 'a.example.com/v1', kind: 'None' }, ...says('true') },
    binding: { paramRef: { name: 'default', parameterNotFoundAction: 'Deny' } },
    requests: [create('no')],
  },
};

const rules = [rule('configmaps')];
const refused: Readonly<Record<string, object>> = {
  'of nothing': {},
  'that is complete': { matchConstraints: { resourceRules: rules }, validations: [{ expression: 'true' }] },
  'without rules': { matchConstraints: {}, validations: [{ expression: 'true' }] },
  'of wrong rules': {
    failurePolicy: 'x',
    matchConstraints: {
      matchPolicy: 'x',
      resourceRules: [{ ...rule('a/b', ''), resourceNames: ['/', 'a', 'a'] }],
      excludeResourceRules: [{}],
    },
    validations: [{ expression: 'true' }],
  },
  'of wrong parameters': {
    paramKind: { apiVersion: 'A/B/C', kind: '-' },
    matchConstraints: { resourceRules: rules },
    validations: [{ expression: 'true' }],
  },
  'of parameters without a kind': {
    paramKind: { apiVersion: 'A/B' },
    matchConstraints: { resourceRules: rules },
    validations: [{ expression: 'true' }],
  },
  'of expressions that are none': {
    matchConstraints: { resourceRules: rules },
    matchConditions: [{ name: 'a', expression: 'variables.a' }],
    variables: [
      { name: 'a', expression: 'variables.b' },
      { name: 'b', expression: '1' },
      { name: 'in', expression: '' },
    ],
    validations: [
      { expression: 'params.a', message: ' ' },
      { expression: '1', message: 'a\nb', messageExpression: ' ', reason: 'Unknown' },
      { expression: 'variables.b', messageExpression: 'authorizer.requestResource.check("get").reason()' },
      { expression: 'object.x', messageExpression: '1' },
      { expression: '' },
    ],
    auditAnnotations: [
      { key: 'a', valueExpression: '1' },
      { key: 'a', valueExpression: "'x'" },
      { key: '', valueExpression: '' },
    ],
  },
};
const bindings: Readonly<Record<string, object>> = {
  'of nothing': {},
  'that is complete': { policyName: 'p', validationActions: ['Deny'] },
  'of wrong actions': { policyName: 'P', validationActions: ['Deny', 'Warn', 'Warn', 'x'] },
  'of wrong parameters': {
    policyName: 'p',
    validationActions: ['Deny'],
    paramRef: { name: '/', selector: {}, parameterNotFoundAction: 'x' },
  },
  'of no parameters': { policyName: 'p', validationActions: ['Deny'], paramRef: {} },
  'of wrong resources': { policyName: 'p', validationActions: ['Deny'], matchResources: { matchPolicy: 'x', resourceRules: [{}] } },
};

/** What is wrong with an expression each compiler says in words of its own; names that are made differ. */
function plain(text: string): string {
  return text.replace(/compilation failed: .*?(?=, spec\.|\]$|$)/gs, 'compilation failed').replace(/gen-[a-z0-9]{5}/g, 'gen-');
}

function shown({ status, body, warning }: Answer): Json {
  const { causes = [], ...details }: Json = body?.details ?? {};
  const said = {
    message: plain(String(body?.message ?? '')),
    reason: body?.reason,
    details: { ...details, name: plain(String(details.name ?? '')) },
  };
  const each = causes.map((cause: Json) => ({ ...cause, message: plain(cause.message) }));
  return { status, warning: String(warning ?? ''), ...(status < 300 ? { spec: body?.spec } : { ...said, causes: each }) };
}

describe('admission policies beside kube-apiserver', { skip }, () => {
  let ours: TestServer;
  let theirs: KubeApiServer;
  let calls: readonly Call[];
  let count = 0;

  before(async () => {
    theirs = await KubeApiServer.start();
    // Theirs runs without this plugin.
    ours = await TestServer.start(undefined, {
      admission: { enabled: [], disabled: ['ServiceAccount'] },
      foreign: ['controller-manager', 'scheduler', 'node'],
    });
    calls = [
      (method, path, body, type) => theirs.call(method, path, body, type === undefined ? {} : { type }),
      async (method, path, body, type) => {
        const { status, body: json, headers } = await ours.call(method, path, body, type === undefined ? {} : { type });
        return { status, body: json, warning: headers.warning as string | undefined };
      },
    ];
  });

  after(async () => {
    await ours?.stop();
    await theirs?.[Symbol.asyncDispose]();
  });

  for (const [title, spec] of Object.entries(refused))
    test(`a policy ${title}`, async () => {
      const path = `${group}/validatingadmissionpolicies?dryRun=All`;
      const [their, our] = await Promise.all(calls.map((call) => call('POST', path, { metadata: { name: 'p' }, spec })));
      assert.deepEqual(shown(our!), shown(their!));
    });

  for (const [title, spec] of Object.entries(bindings))
    test(`a binding ${title}`, async () => {
      const path = `${group}/validatingadmissionpolicybindings?dryRun=All`;
      const [their, our] = await Promise.all(calls.map((call) => call('POST', path, { metadata: { name: 'b' }, spec })));
      assert.deepEqual(shown(our!), shown(their!));
    });

  /** Their server learns of policies together, and the one that comes last is seen by what it refuses. */
  async function played(call: Call, { policy, binding = {}, given = [], requests }: Scenario, probe: string): Promise<Json[]> {
    // Theirs heeds for a moment the policy that was there before.
    for (const request of given)
      await eventually(`given: ${request[1]}`, async () => assert.ok((await call(...request)).status < 300), { timeoutMs: 15_000 });
    const made: string[] = [];
    await using _ = {
      [Symbol.asyncDispose]: async () => {
        for (const path of made.toReversed()) await call('DELETE', path);
      },
    };
    const put = async (kind: string, name: string, spec: object): Promise<void> => {
      const { status, body } = await call('POST', `${group}/${kind}`, { metadata: { name }, spec });
      assert.equal(status, 201, JSON.stringify(body));
      made.push(`${group}/${kind}/${name}`);
    };
    await put('validatingadmissionpolicies', 'p', { matchConstraints: configMaps, ...policy });
    await put('validatingadmissionpolicybindings', 'b', { policyName: 'p', validationActions: ['Deny'], ...binding });
    await put('validatingadmissionpolicies', probe, {
      matchConstraints: { resourceRules: [{ ...rule('serviceaccounts'), resourceNames: [probe] }] },
      ...says('false', { message: 'seen' }),
    });
    await put('validatingadmissionpolicybindings', probe, { policyName: probe, validationActions: ['Deny'] });
    await eventually(
      'the policies to be known',
      async () => {
        const { body } = await call('POST', `${core}/serviceaccounts?dryRun=All`, { metadata: { name: probe } });
        assert.match(String(body?.message), /seen/);
      },
      { timeoutMs: 15_000 },
    );
    const answers: Json[] = [];
    for (const request of requests) answers.push(shown(await call(...request)));
    return answers;
  }

  for (const [title, scenario] of Object.entries(scenarios))
    test(title, async () => {
      count++;
      const [their, our] = await Promise.all(calls.map((call) => played(call, scenario, `probe-${count}`)));
      assert.deepEqual(our, their);
    });
});
