import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding } from '../schema/types.ts';
import {
  admissionPolicyBindingErrors,
  admissionPolicyErrors,
  admissionPolicyStatusErrors,
  admissionPolicyUpdateErrors,
} from './admission-policy.ts';
import { textOf } from './field-error.ts';

const rule = { operations: ['*'], apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'], scope: '*' };
const matchConstraints = { matchPolicy: 'Equivalent', namespaceSelector: {}, objectSelector: {}, resourceRules: [rule] };
const good = { failurePolicy: 'Fail', matchConstraints, validations: [{ expression: 'true' }] };
const policyOf = (change: object): ValidatingAdmissionPolicy =>
  ({ metadata: { name: 'p' }, spec: { ...good, ...change } }) as unknown as ValidatingAdmissionPolicy;
/** Without what the compiler says. */
const texts = (errors: Parameters<typeof textOf>[0][]): string[] =>
  errors.map((error) =>
    textOf(error)
      .replace(/^spec\./, '')
      .replace(/compilation failed: .*/s, 'compilation failed'),
  );

describe('admissionPolicyErrors()', () => {
  for (const [title, change, wanted] of [
    ['nothing is wrong', {}, []],
    [
      'a policy says what to do when it fails',
      { failurePolicy: 'x' },
      ['failurePolicy: Unsupported value: "x": supported values: "Fail", "Ignore"'],
    ],
    ['a policy is for something', { matchConstraints: undefined }, ['matchConstraints: Required value']],
    [
      'there is a rule',
      { matchConstraints: { ...matchConstraints, resourceRules: [] } },
      ['matchConstraints.resourceRules: Required value'],
    ],
    [
      'names of a rule are there once',
      { matchConstraints: { ...matchConstraints, excludeResourceRules: [{ ...rule, resourceNames: ['a', 'a', '..'] }] } },
      [
        'matchConstraints.excludeResourceRules[0].resourceNames[1]: Duplicate value: "a"',
        'matchConstraints.excludeResourceRules[0].resourceNames[2]: Invalid value: "..": may not be \'..\'',
      ],
    ],
    [
      'a kind has a version',
      { paramKind: { apiVersion: 'a/b/c', kind: 'X' } },
      ['paramKind.apiVersion: Invalid value: "a/b/c": unexpected GroupVersion string: a/b/c'],
    ],
    [
      'a kind has a name',
      { paramKind: { apiVersion: 'g/' } },
      ['paramKind.apiVersion: Invalid value: "g/": version must be specified', 'paramKind.kind: Required value'],
    ],
    [
      'variables are seen by those after them',
      {
        variables: [
          { name: 'a', expression: 'variables.b' },
          { name: 'b', expression: "'x'" },
          { name: 'in', expression: ' ' },
        ],
        validations: [{ expression: "variables.b == 'x'" }, { expression: 'variables.b' }],
      },
      [
        'variables[0].expression: Invalid value: "variables.b": compilation failed',
        'variables[2].name: Invalid value: "in": must be a valid CEL identifier',
        'variables[2].expression: Required value: expression is not specified',
        'validations[1].expression: Invalid value: "variables.b": must evaluate to bool but got string',
      ],
    ],
    [
      'conditions see no variables',
      { variables: [{ name: 'a', expression: '1' }], matchConditions: [{ name: 'c', expression: 'variables.a == 1' }] },
      ['matchConditions[0].expression: Invalid value: "variables.a == 1": compilation failed'],
    ],
    [
      'conditions see parameters',
      { paramKind: { apiVersion: 'v1', kind: 'Secret' }, matchConditions: [{ name: 'c', expression: 'params != null' }] },
      [],
    ],
    [
      'messages are of one line, and do not ask who may do what',
      {
        validations: [
          { expression: 'true', message: ' ', messageExpression: ' ' },
          { expression: 'true', message: 'a\nb', messageExpression: 'authorizer.path("/x").check("get").reason()', reason: 'Conflict' },
        ],
      },
      [
        'validations[0].messageExpression: Invalid value: " ": must be non-empty if specified',
        'validations[0].message: Invalid value: " ": must be non-empty if specified',
        'validations[1].messageExpression: Invalid value: "authorizer.path(\\"/x\\").check(\\"get\\").reason()": compilation failed',
        'validations[1].message: Invalid value: "a\\nb": must not contain line breaks',
        'validations[1].reason: Unsupported value: "Conflict": supported values: "Forbidden", "Invalid", "RequestEntityTooLarge"',
      ],
    ],
    [
      'something is said of a request',
      { validations: [] },
      ['validations', 'auditAnnotations'].map(
        (field) => `${field}: Required value: validations or auditAnnotations must contain at least one item`,
      ),
    ],
    [
      'annotations have keys, and are texts',
      {
        auditAnnotations: [
          { key: 'a', valueExpression: "'x'" },
          { key: 'a', valueExpression: '1' },
          { key: 'b', valueExpression: '' },
          { key: 'c', valueExpression: `'${'x'.repeat(5 * 1024)}'` },
        ],
      },
      [
        'auditAnnotations[1].valueExpression: Invalid value: "1": must evaluate to one of [string null_type] but got int',
        'auditAnnotations[1].key: Duplicate value: "a"',
        'auditAnnotations[2].valueExpression: Required value: valueExpression is not specified',
        'auditAnnotations[3].valueExpression: Required value: must not exceed 5120 bytes in length',
      ],
    ],
  ] as const)
    test(title, () => assert.deepEqual(texts(admissionPolicyErrors(policyOf(change))), wanted));

  test('conditions that are as they were are not compiled again, but for other parameters', () => {
    const old = policyOf({ matchConditions: [{ name: 'c', expression: 'no such' }] });
    assert.deepEqual(admissionPolicyUpdateErrors(structuredClone(old), old), []);
    const next = policyOf({ ...old.spec, paramKind: { apiVersion: 'v1', kind: 'Secret' } });
    assert.equal(admissionPolicyUpdateErrors(next, old).length, 1);
  });

  test('a warning of the types has a place', () => {
    const status = {
      typeChecking: {
        expressionWarnings: [
          { fieldRef: ' ', warning: '' },
          { fieldRef: 'spec.x', warning: 'w' },
        ],
      },
    };
    const at = 'status.typeChecking.expressionWarnings[0]';
    assert.deepEqual(texts(admissionPolicyStatusErrors({ status } as unknown as ValidatingAdmissionPolicy)), [
      `${at}.warning: Required value`,
      `${at}.fieldRef: Required value`,
    ]);
  });
});

describe('admissionPolicyBindingErrors()', () => {
  const complete = { policyName: 'p', validationActions: ['Deny'] };
  for (const [title, change, wanted] of [
    ['nothing is wrong', {}, []],
    ['it names a policy', { policyName: '' }, ['policyName: Required value']],
    ['it does something', { validationActions: [] }, ['validationActions: Required value: at least one validation action is required']],
    [
      'it does each thing once',
      { validationActions: ['Audit', 'Audit', 'x'] },
      [
        'validationActions[1]: Duplicate value: "Audit"',
        'validationActions[2]: Unsupported value: "x": supported values: "Audit", "Deny", "Warn"',
      ],
    ],
    [
      'it names parameters',
      { paramRef: {} },
      ['paramRef: Required value: one of name or selector must be specified', 'paramRef.parameterNotFoundAction: Required value'],
    ],
    [
      'it names parameters in one way',
      { paramRef: { name: 'a', selector: {}, parameterNotFoundAction: 'x' } },
      [
        'paramRef.name: Forbidden: name and selector are mutually exclusive',
        'paramRef.selector: Forbidden: name and selector are mutually exclusive',
        'paramRef.parameterNotFoundAction: Unsupported value: "x": supported values: "Deny", "Allow"',
      ],
    ],
  ] as const)
    test(title, () =>
      assert.deepEqual(
        texts(admissionPolicyBindingErrors({ spec: { ...complete, ...change } } as unknown as ValidatingAdmissionPolicyBinding)),
        wanted,
      ),
    );
});
