/** admissionregistration.k8s.io/v1: configurations of webhooks. */
import { isDeepStrictEqual } from 'node:util';
import type { MutatingWebhook } from '../schema/types.ts';
import { between, duplicate, eachOf, type FieldError, invalid, invalids, optionalOneOf, repeats, required } from './field-error.ts';
import { selectorErrors } from './formats.ts';
import { matchConditionErrors } from './match-conditions.ts';
import { isDns1035Label, isDns1123Subdomain } from './names.ts';
import { webhookClientErrors } from './webhook-client.ts';
import { ruleErrors } from './webhook-rules.ts';

/** Both kinds of them: a validating one has no `reinvocationPolicy`. */
export interface WebhookConfiguration {
  readonly webhooks?: MutatingWebhook[] | undefined;
}

export function webhookConfigurationErrors({ webhooks }: WebhookConfiguration): FieldError[] {
  return errorsOf(webhooks, true);
}

/** Conditions that are as they were stay what they are. */
export function webhookConfigurationUpdateErrors({ webhooks = [] }: WebhookConfiguration, old: WebhookConfiguration): FieldError[] {
  const before = old.webhooks ?? [];
  const isSame =
    webhooks.length === before.length &&
    webhooks.every(({ matchConditions }, i) => isDeepStrictEqual(matchConditions, before[i]?.matchConditions));
  return errorsOf(webhooks, !isSame);
}

function errorsOf(webhooks: readonly MutatingWebhook[] | undefined, withConditions: boolean): FieldError[] {
  const isRepeated = repeats<string>();
  return eachOf(webhooks, 'webhooks', (hook, path) => [
    ...webhookErrors(hook, path),
    ...(withConditions ? matchConditionErrors(hook.matchConditions, `${path}.matchConditions`) : []),
    ...reviewVersionErrors(hook.admissionReviewVersions ?? [], `${path}.admissionReviewVersions`),
    ...(hook.name && isRepeated(hook.name) ? [duplicate(`${path}.name`, hook.name)] : []),
  ]);
}

function webhookErrors(hook: MutatingWebhook, path: string): FieldError[] {
  const { timeoutSeconds = 10, sideEffects } = hook;
  const effects = ['None', 'NoneOnDryRun'];
  return [
    ...nameErrors(hook.name, `${path}.name`),
    ...eachOf(hook.rules, `${path}.rules`, ruleErrors),
    ...optionalOneOf(hook.failurePolicy, `${path}.failurePolicy`, ['Fail', 'Ignore']),
    ...optionalOneOf(hook.matchPolicy, `${path}.matchPolicy`, ['Equivalent', 'Exact']),
    ...(sideEffects === undefined
      ? [required(`${path}.sideEffects`, `must specify one of ${effects.join(', ')}`)]
      : optionalOneOf(sideEffects, `${path}.sideEffects`, effects)),
    ...(between(timeoutSeconds, '', 1, 30).length > 0
      ? [invalid(`${path}.timeoutSeconds`, timeoutSeconds, 'the timeout value must be between 1 and 30 seconds')]
      : []),
    ...selectorErrors(hook.namespaceSelector, `${path}.namespaceSelector`),
    ...selectorErrors(hook.objectSelector, `${path}.objectSelector`),
    ...optionalOneOf(hook.reinvocationPolicy, `${path}.reinvocationPolicy`, ['IfNeeded', 'Never']),
    ...webhookClientErrors(hook.clientConfig ?? {}, `${path}.clientConfig`),
  ];
}

function nameErrors(name: string | undefined, path: string): FieldError[] {
  if (!name) return [required(path)];
  const wrong = isDns1123Subdomain(name);
  if (wrong.length > 0) return [invalid(path, name, wrong.join(','))];
  return name.split('.').length < 3 ? [invalid(path, name, 'should be a domain with at least three segments separated by dots')] : [];
}

function reviewVersionErrors(versions: readonly string[], path: string): FieldError[] {
  if (versions.length === 0) return [required(path, 'must specify one of v1, v1beta1')];
  const isRepeated = repeats<string>();
  return [
    ...eachOf(versions, path, (version, at) =>
      isRepeated(version) ? [invalid(at, version, 'duplicate version')] : invalids(at, version, isDns1035Label(version)),
    ),
    ...(versions.some((one) => one === 'v1' || one === 'v1beta1')
      ? []
      : [invalid(path, versions, 'must include at least one of v1, v1beta1')]),
  ];
}
