import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { rows } from '../registry/registry.ts';
import { mutatingWebhookConfigurations } from '../resource-types.ts';
import { textOf } from './field-error.ts';
import { type WebhookConfiguration, webhookConfigurationErrors, webhookConfigurationUpdateErrors } from './webhook.ts';

const good = {
  name: 'pods.example.com',
  clientConfig: { service: { namespace: 'default', name: 'hooks', path: '/pods' } },
  rules: [{ operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['pods', 'pods/status', '*/scale'] }],
  sideEffects: 'None',
  admissionReviewVersions: ['v1'],
};

function errors(...webhooks: object[]): string[] {
  return webhookConfigurationErrors({ webhooks } as WebhookConfiguration).map(textOf);
}

function ruleErrors(change: object): string[] {
  return errors({ ...good, rules: [{ ...good.rules[0], ...change }] }).map((text) => text.replace('webhooks[0].rules[0].', ''));
}

function clientErrors(clientConfig: object): string[] {
  return errors({ ...good, clientConfig }).map((text) => text.replace('webhooks[0].clientConfig', ''));
}

describe('webhookConfigurationErrors', () => {
  test('accepts what is complete, and none at all', () => {
    assert.deepEqual(errors(good, { ...good, name: 'two.example.com', clientConfig: { url: 'https://hooks.example.com:8443/two' } }), []);
    assert.deepEqual(webhookConfigurationErrors({}), []);
  });

  for (const [title, change, wanted] of [
    ['names are needed', { name: '' }, ['webhooks[0].name: Required value']],
    [
      'names have three segments',
      { name: 'a.b' },
      ['webhooks[0].name: Invalid value: "a.b": should be a domain with at least three segments separated by dots'],
    ],
    [
      'policies are of a kind',
      { failurePolicy: 'fail', matchPolicy: 'Any', reinvocationPolicy: '' },
      [
        'webhooks[0].failurePolicy: Unsupported value: "fail": supported values: "Fail", "Ignore"',
        'webhooks[0].matchPolicy: Unsupported value: "Any": supported values: "Equivalent", "Exact"',
        'webhooks[0].reinvocationPolicy: Unsupported value: "": supported values: "IfNeeded", "Never"',
      ],
    ],
    [
      'side effects are told',
      { sideEffects: undefined },
      ['webhooks[0].sideEffects: Required value: must specify one of None, NoneOnDryRun'],
    ],
    [
      'side effects are none, at least on dry runs',
      { sideEffects: 'Some' },
      ['webhooks[0].sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun"'],
    ],
    [
      'the time is at least a second',
      { timeoutSeconds: 0 },
      ['webhooks[0].timeoutSeconds: Invalid value: 0: the timeout value must be between 1 and 30 seconds'],
    ],
    [
      'the time is at most half a minute',
      { timeoutSeconds: 31 },
      ['webhooks[0].timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds'],
    ],
    [
      'versions of reviews are needed',
      { admissionReviewVersions: [] },
      ['webhooks[0].admissionReviewVersions: Required value: must specify one of v1, v1beta1'],
    ],
    [
      'one version is known, and none stands twice',
      { admissionReviewVersions: ['v2', 'v2', 'V'] },
      [
        'webhooks[0].admissionReviewVersions[1]: Invalid value: "v2": duplicate version',
        `webhooks[0].admissionReviewVersions[2]: Invalid value: "V": a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')`,
        'webhooks[0].admissionReviewVersions: Invalid value: ["v2","v2","V"]: must include at least one of v1, v1beta1',
      ],
    ],
    [
      'selectors are well formed',
      { objectSelector: { matchExpressions: [{ key: 'a', operator: 'In' }] } },
      ["webhooks[0].objectSelector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'"],
    ],
    [
      'conditions have names and expressions',
      {
        matchConditions: [
          { name: 'a', expression: ' ' },
          { name: 'a', expression: 'true' },
          { expression: 'true' },
          { name: 'b', expression: '1' },
        ],
      },
      [
        'webhooks[0].matchConditions[0].expression: Required value',
        'webhooks[0].matchConditions[1].name: Duplicate value: "a"',
        'webhooks[0].matchConditions[2].name: Required value',
        'webhooks[0].matchConditions[3].expression: Invalid value: "1": must evaluate to bool but got int',
      ],
    ],
  ] as const)
    test(title, () => assert.deepEqual(errors({ ...good, ...change }), wanted));

  test('names stand once', () => assert.deepEqual(errors(good, good), ['webhooks[1].name: Duplicate value: "pods.example.com"']));

  for (const [title, change, wanted] of [
    [
      'lists of rules are not empty',
      { operations: [], apiGroups: [], apiVersions: [], resources: [] },
      ['operations: Required value', 'apiGroups: Required value', 'apiVersions: Required value', 'resources: Required value'],
    ],
    [
      'a star stands alone',
      { operations: ['*', 'CREATE'], apiGroups: ['*', 'a'], apiVersions: ['*', ''] },
      [
        `operations: Invalid value: ["*","CREATE"]: if '*' is present, must not specify other operations`,
        `apiGroups: Invalid value: ["*","a"]: if '*' is present, must not specify other API groups`,
        `apiVersions: Invalid value: ["*",""]: if '*' is present, must not specify other API versions`,
        'apiVersions[1]: Required value',
      ],
    ],
    [
      'operations are known',
      { operations: ['create'] },
      ['operations[0]: Unsupported value: "create": supported values: "*", "CONNECT", "CREATE", "DELETE", "UPDATE"'],
    ],
    ['scopes are known', { scope: 'All' }, ['scope: Unsupported value: "All": supported values: "*", "Cluster", "Namespaced"']],
    [
      'what a star covers is not named again',
      { resources: ['pods/*', 'pods/status', '*/scale', 'pods/scale', ''] },
      [
        `resources[1]: Invalid value: "pods/status": if 'pods/*' is present, must not specify pods/status`,
        `resources[3]: Invalid value: "pods/scale": if 'pods/*' is present, must not specify pods/scale`,
        `resources[3]: Invalid value: "pods/scale": if '*/scale' is present, must not specify pods/scale`,
        'resources[4]: Required value',
      ],
    ],
    [
      'stars of resources stand alone',
      { resources: ['*/*', '*', 'pods'] },
      [
        `resources: Invalid value: ["*/*","*","pods"]: if '*/*' is present, must not specify other resources`,
        `resources: Invalid value: ["*/*","*","pods"]: if '*' is present, must not specify other resources without subresources`,
      ],
    ],
  ] as const)
    test(title, () => assert.deepEqual(ruleErrors(change), wanted));

  for (const [title, change, wanted] of [
    ['a client is needed', {}, [': Required value: exactly one of url or service is required']],
    ['and one only', { url: 'https://a', service: {} }, [': Required value: exactly one of url or service is required']],
    [
      'addresses are of https',
      { url: 'http://a' },
      [`.url: Invalid value: "http": 'https' is the only allowed URL scheme; desired format: https://host[/path]`],
    ],
    [
      'addresses have a host, and nothing beside it and the path',
      { url: 'https://me:pw@/x?q=1#f' },
      [
        '.url: Invalid value: "": host must be specified; desired format: https://host[/path]',
        '.url: Invalid value: "me:pw": user information is not permitted in the URL',
        '.url: Invalid value: "f": fragments are not permitted in the URL',
        '.url: Invalid value: "q=1": query parameters are not permitted in the URL',
      ],
    ],
    [
      'Services have names',
      { service: { port: 0 } },
      [
        '.service.name: Required value',
        '.service.namespace: Required value',
        '.service.port: Invalid value: 0: port is not valid: must be between 1 and 65535, inclusive',
      ],
    ],
    [
      'paths of Services have segments',
      { service: { namespace: 'a', name: 'b', path: 'x//y/' } },
      [
        `.service.path: Invalid value: "x//y/": must start with a '/'`,
        '.service.path: Invalid value: "x//y/": segment[0] may not be empty',
        '.service.path: Invalid value: "x//y/": segment[1] may not be empty',
      ],
    ],
  ] as const)
    test(title, () => assert.deepEqual(clientErrors(change), wanted));
});

test('webhooks get defaults', () => {
  const row = rows.find(({ type }) => type === mutatingWebhookConfigurations)!;
  const object = {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'MutatingWebhookConfiguration',
    metadata: { name: 'one' },
    webhooks: [{ ...structuredClone(good), matchConditions: [{ name: 'a', expression: 'true' }] }],
  };
  row.applyDefaults(object);
  assert.deepEqual(object.webhooks[0], {
    ...good,
    clientConfig: { service: { ...good.clientConfig.service, port: 443 } },
    rules: [{ ...good.rules[0], scope: '*' }],
    matchConditions: [{ name: 'a', expression: 'true' }],
    ...{ failurePolicy: 'Fail', matchPolicy: 'Equivalent', namespaceSelector: {}, objectSelector: {}, timeoutSeconds: 10 },
    reinvocationPolicy: 'Never',
  });
});

test('conditions are compiled when they change', () => {
  const webhooks = [{ ...good, matchConditions: [{ name: 'a', expression: 'no such' }] }];
  const changed = [{ ...good, matchConditions: [{ name: 'a', expression: 'no  such' }] }];
  const before = { webhooks } as unknown as WebhookConfiguration;
  assert.deepEqual(webhookConfigurationUpdateErrors(structuredClone(before), before), []);
  assert.match(
    webhookConfigurationUpdateErrors({ webhooks: changed } as unknown as WebhookConfiguration, before)
      .map(textOf)
      .join(),
    /^webhooks\[0\]\.matchConditions\[0\]\.expression: Invalid value: "no {2}such": compilation failed: /,
  );
});
