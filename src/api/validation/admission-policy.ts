/** admissionregistration.k8s.io/v1: ValidatingAdmissionPolicy and its binding. */
import { isDeepStrictEqual } from 'node:util';
import type {
  AuditAnnotation,
  MatchResources,
  NamedRuleWithOperations,
  ParamKind,
  ParamRef,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  Validation,
  Variable,
} from '../schema/types.ts';
import {
  duplicate,
  eachOf,
  type FieldError,
  forbidden,
  invalid,
  invalids,
  notSupported,
  oneOf,
  optionalOneOf,
  repeats,
  required,
} from './field-error.ts';
import { selectorErrors } from './formats.ts';
import { Expressions, matchConditionErrors } from './match-conditions.ts';
import { isDns1035Label, isDns1123Subdomain, isQualifiedName, nameIsDnsSubdomain, nameIsPathSegment } from './names.ts';
import { ruleErrors } from './webhook-rules.ts';

export function admissionPolicyErrors(policy: ValidatingAdmissionPolicy): FieldError[] {
  return policyErrors(policy, true);
}

/** Conditions that are as they were stay what they are. */
export function admissionPolicyUpdateErrors(next: ValidatingAdmissionPolicy, old: ValidatingAdmissionPolicy): FieldError[] {
  const conditionsOf = ({ spec }: ValidatingAdmissionPolicy): unknown => [spec?.paramKind, spec?.matchConditions];
  return policyErrors(next, !isDeepStrictEqual(conditionsOf(next), conditionsOf(old)));
}

function policyErrors({ metadata, spec = {} }: ValidatingAdmissionPolicy, withConditions: boolean): FieldError[] {
  const { paramKind, matchConstraints, validations = [], auditAnnotations = [] } = spec;
  const params = paramKind !== undefined;
  const expressions = new Expressions();
  const isRepeated = repeats<string>();
  const needs = 'validations or auditAnnotations must contain at least one item';
  return [
    ...oneOf(spec.failurePolicy, 'spec.failurePolicy', ['Fail', 'Ignore']),
    ...(paramKind ? paramKindErrors(paramKind, 'spec.paramKind') : []),
    ...(matchConstraints ? matchErrors(matchConstraints, 'spec.matchConstraints') : [required('spec.matchConstraints')]),
    ...(matchConstraints && !matchConstraints.resourceRules?.length ? [required('spec.matchConstraints.resourceRules')] : []),
    ...(withConditions ? matchConditionErrors(spec.matchConditions, 'spec.matchConditions', params) : []),
    // Later expressions see the variables that these declare.
    ...eachOf(spec.variables, 'spec.variables', (one, path) => variableErrors(one, path, expressions, params)),
    ...(validations.length === 0 && auditAnnotations.length === 0
      ? [required('spec.validations', needs), required('spec.auditAnnotations', needs)]
      : []),
    ...eachOf(validations, 'spec.validations', (one, path) => validationErrors(one, path, expressions, params)),
    ...(auditAnnotations.length > mostAnnotations
      ? [invalid('spec.auditAnnotations', auditAnnotations, `must not have more than ${mostAnnotations} auditAnnotations`)]
      : []),
    ...eachOf(auditAnnotations, 'spec.auditAnnotations', (one, path) => [
      ...annotationErrors(metadata.name, one, path, expressions, params),
      ...(isRepeated(one.key) ? [duplicate(`${path}.key`, one.key)] : []),
    ]),
  ];
}

const mostAnnotations = 20;
const longestValueExpression = 5 * 1024;
const reserved: ReadonlySet<string> = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(' '),
);

function paramKindErrors({ apiVersion = '', kind = '' }: ParamKind, path: string): FieldError[] {
  return [...apiVersionErrors(apiVersion, `${path}.apiVersion`), ...kindErrors(kind, `${path}.kind`)];
}

function apiVersionErrors(apiVersion: string, at: string): FieldError[] {
  if (apiVersion === '') return [required(at)];
  const parts = apiVersion.split('/');
  if (parts.length > 2) return [invalid(at, apiVersion, `unexpected GroupVersion string: ${apiVersion}`)];
  const version = parts.at(-1) ?? '';
  const group = parts.length === 2 ? (parts[0] ?? '') : '';
  const wrongVersion = isDns1035Label(version);
  const wrongGroup = group === '' ? [] : isDns1123Subdomain(group);
  return [
    ...(wrongGroup.length > 0 ? [invalid(at, group, wrongGroup.join(','))] : []),
    ...(version === ''
      ? [invalid(at, apiVersion, 'version must be specified')]
      : wrongVersion.length > 0
        ? [invalid(at, version, wrongVersion.join(','))]
        : []),
  ];
}

function kindErrors(kind: string, at: string): FieldError[] {
  if (kind === '') return [required(at)];
  const wrong = isDns1035Label(kind.toLowerCase());
  return wrong.length > 0 ? [invalid(at, kind, `may have mixed case, but should otherwise match: ${wrong.join(',')}`)] : [];
}

function matchErrors(match: MatchResources, path: string): FieldError[] {
  return [
    ...oneOf(match.matchPolicy, `${path}.matchPolicy`, ['Equivalent', 'Exact']),
    ...selectorErrors(match.namespaceSelector, `${path}.namespaceSelector`),
    ...selectorErrors(match.objectSelector, `${path}.objectSelector`),
    ...eachOf(match.resourceRules, `${path}.resourceRules`, namedRuleErrors),
    ...eachOf(match.excludeResourceRules, `${path}.excludeResourceRules`, namedRuleErrors),
  ];
}

function namedRuleErrors(rule: NamedRuleWithOperations, path: string): FieldError[] {
  const isRepeated = repeats<string>();
  return [
    ...eachOf(rule.resourceNames, `${path}.resourceNames`, (name, at) => [
      ...invalids(at, name, nameIsPathSegment(name)),
      ...(isRepeated(name) ? [duplicate(at, name)] : []),
    ]),
    ...ruleErrors(rule, path),
  ];
}

function variableErrors({ name = '', expression = '' }: Variable, path: string, expressions: Expressions, params: boolean): FieldError[] {
  const isName = /^[_a-zA-Z][_a-zA-Z0-9]*$/.test(name) && !reserved.has(name);
  const problem =
    expression.trim() === '' ? undefined : expressions.compiler.addVariable(name, expression, { params, authorizer: true }).problem;
  return [
    ...(name.trim() === ''
      ? [required(`${path}.name`, 'name is not specified')]
      : isName
        ? []
        : [invalid(`${path}.name`, name, 'must be a valid CEL identifier')]),
    ...(expression.trim() === '' ? [required(`${path}.expression`, 'expression is not specified')] : []),
    ...(problem === undefined ? [] : [invalid(`${path}.expression`, expression, problem)]),
  ];
}

function validationErrors(validation: Validation, path: string, expressions: Expressions, params: boolean): FieldError[] {
  const { expression = '', message = '', messageExpression = '', reason } = validation;
  const at = (field: string): string => `${path}.${field}`;
  const empty = 'must be non-empty if specified';
  return [
    ...(expression.trim() === ''
      ? [required(at('expression'), 'expression is not specified')]
      : expressions.errors(expression, at('expression'), { params, authorizer: true }, ['bool'])),
    ...(messageExpression !== '' && messageExpression.trim() === ''
      ? [invalid(at('messageExpression'), messageExpression, empty)]
      : messageExpression === ''
        ? []
        : expressions.errors(messageExpression, at('messageExpression'), { params }, ['string'])),
    ...(message !== '' && message.trim() === ''
      ? [invalid(at('message'), message, empty)]
      : /[\n\r]/.test(message.trim())
        ? [invalid(at('message'), message, 'must not contain line breaks')]
        : []),
    ...optionalOneOf(reason, at('reason'), ['Forbidden', 'Invalid', 'RequestEntityTooLarge']),
  ];
}

function annotationErrors(
  policy: string | undefined,
  { key = '', valueExpression = '' }: AuditAnnotation,
  path: string,
  expressions: Expressions,
  params: boolean,
): FieldError[] {
  const at = `${path}.valueExpression`;
  const trimmed = valueExpression.trim();
  const full = `${policy}/${key}`;
  const { problem } =
    trimmed === '' || Buffer.byteLength(trimmed) > longestValueExpression
      ? {}
      : expressions.compiler.compile(trimmed, { params, authorizer: true }, ['string', 'null']);
  return [
    ...(policy
      ? invalids(`${path}.key`, full, isQualifiedName(full))
      : [invalid(`${path}.key`, key, 'requires metadata.name be non-empty')]),
    ...(trimmed === '' ? [required(at, 'valueExpression is not specified')] : []),
    ...(Buffer.byteLength(trimmed) > longestValueExpression
      ? [required(at, `must not exceed ${longestValueExpression} bytes in length`)]
      : []),
    ...(problem === undefined ? [] : [invalid(at, valueExpression, problem)]),
  ];
}

export function admissionPolicyBindingErrors({ spec }: ValidatingAdmissionPolicyBinding): FieldError[] {
  const { policyName = '', paramRef, matchResources, validationActions = [] } = spec ?? {};
  return [
    ...(policyName === '' ? [required('spec.policyName')] : invalids('spec.policyName', policyName, nameIsDnsSubdomain(policyName, false))),
    ...(paramRef ? paramRefErrors(paramRef, 'spec.paramRef') : []),
    ...(matchResources ? matchErrors(matchResources, 'spec.matchResources') : []),
    ...actionErrors(validationActions, 'spec.validationActions'),
  ];
}

function paramRefErrors({ name = '', selector, parameterNotFoundAction = '' }: ParamRef, path: string): FieldError[] {
  const exclusive = 'name and selector are mutually exclusive';
  const actions = ['Deny', 'Allow'];
  return [
    ...invalids(`${path}.name`, name, nameIsPathSegment(name)),
    ...(name !== '' && selector ? [forbidden(`${path}.name`, exclusive)] : []),
    ...selectorErrors(selector, `${path}.selector`),
    ...(name !== '' && selector ? [forbidden(`${path}.selector`, exclusive)] : []),
    ...(name === '' && !selector ? [required(path, 'one of name or selector must be specified')] : []),
    ...(parameterNotFoundAction === ''
      ? [required(`${path}.parameterNotFoundAction`)]
      : actions.includes(parameterNotFoundAction)
        ? []
        : [notSupported(`${path}.parameterNotFoundAction`, parameterNotFoundAction, actions)]),
  ];
}

function actionErrors(actions: readonly string[], path: string): FieldError[] {
  const isRepeated = repeats<string>();
  const supported = ['Audit', 'Deny', 'Warn'];
  const both =
    'must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)';
  return [
    ...eachOf(actions, path, (action, at) => [
      ...(supported.includes(action) ? [] : [notSupported(at, action, supported)]),
      ...(isRepeated(action) ? [duplicate(at, action)] : []),
    ]),
    ...(actions.includes('Deny') && actions.includes('Warn') ? [invalid(path, actions, both)] : []),
    ...(actions.length === 0 ? [required(path, 'at least one validation action is required')] : []),
  ];
}

/** What the controller of types writes. */
export function admissionPolicyStatusErrors({ status }: ValidatingAdmissionPolicy): FieldError[] {
  return eachOf(status?.typeChecking?.expressionWarnings, 'status.typeChecking.expressionWarnings', ({ fieldRef, warning }, path) => [
    ...(warning ? [] : [required(`${path}.warning`)]),
    ...(fieldRef?.trim() ? [] : [required(`${path}.fieldRef`)]),
  ]);
}
