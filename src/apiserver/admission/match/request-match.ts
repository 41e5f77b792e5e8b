/** For which requests a webhook or policy is: rules, and selectors of namespaces and objects. */
import type { Registry } from '../../../api/registry/registry.ts';
import type { ResourceRow } from '../../../api/registry/resource-row.ts';
import { type KubeObject, namespaces, type ResourceType } from '../../../api/resource-types.ts';
import type { RuleWithOperations } from '../../../api/schema/types.ts';
import type { Selector } from '../../../api/selector/label.ts';
import type { Lookup } from '../../cache/lookup.ts';
import { notFound } from '../../status/status-error.ts';
import type { AdmissionRequest } from '../admission.ts';
import { namespaceOf } from './request-fields.ts';
import { equivalentRows } from './versioned-request.ts';

/** Kinds that nobody is asked about: a wrong one could else not be taken away. */
const policies: ReadonlySet<string> = new Set([
  'ValidatingAdmissionPolicy',
  'ValidatingAdmissionPolicyBinding',
  'MutatingAdmissionPolicy',
  'MutatingAdmissionPolicyBinding',
]);
/** Of these policies are asked, and no webhooks. */
const configurations: ReadonlySet<string> = new Set(['ValidatingWebhookConfiguration', 'MutatingWebhookConfiguration']);

/** Whether neither policies nor, with `webhooks`, those are asked. */
export function isExempt({ row, ownWrite = false }: AdmissionRequest, { webhooks }: { readonly webhooks: boolean }): boolean {
  const { group, kind } = row.type;
  return ownWrite || (group === 'admissionregistration.k8s.io' && (policies.has(kind) || (webhooks && configurations.has(kind))));
}

/** What a rule is compared with. */
export interface Target {
  readonly operation: string;
  readonly type: ResourceType;
  readonly subresource: string;
}

export function matchesRule(rule: RuleWithOperations, { operation, type, subresource }: Target): boolean {
  const { operations = [], apiGroups = [], apiVersions = [], resources = [], scope = '*' } = rule;
  return (
    (scope === '*' || (scope === 'Namespaced') === type.namespaced) &&
    hasOrAll(operations, operation) &&
    hasOrAll(apiGroups, type.group) &&
    hasOrAll(apiVersions, type.version) &&
    resources.some((text) => {
      const [resource = '', sub = ''] = text.split('/', 2);
      return (resource === '*' || resource === type.resource) && (sub === '*' || sub === subresource);
    })
  );
}

function hasOrAll(list: readonly string[], value: string): boolean {
  return list.some((one) => one === '*' || one === value);
}

/** Rules that may name objects. */
export type NamedRule = RuleWithOperations & { readonly resourceNames?: readonly string[] | undefined };

/** The request's own row, or another one of the same objects that a rule names. */
export function matchingRow(
  registry: Registry,
  rules: readonly NamedRule[],
  matchPolicy: string,
  request: AdmissionRequest,
): ResourceRow | undefined {
  const matches = (rule: NamedRule, row: ResourceRow): boolean =>
    matchesRule(rule, { ...request, type: row.type }) && matchesName(rule, request);
  if (rules.some((rule) => matches(rule, request.row))) return request.row;
  if (matchPolicy !== 'Equivalent') return undefined;
  const rows = equivalentRows(registry, request);
  // The order of the rules counts first.
  for (const rule of rules) {
    const found = rows.find((row) => matches(rule, row));
    if (found) return found;
  }
  return undefined;
}

function matchesName({ resourceNames = [] }: NamedRule, { name, object, isUnnamed = false }: AdmissionRequest): boolean {
  return resourceNames.length === 0 || resourceNames.includes(isUnnamed ? (object?.metadata?.name ?? '') : name);
}

/** Throws a StatusError where the namespace is not there. */
export async function matchesNamespace(selector: Selector, request: AdmissionRequest, lookup: Lookup): Promise<boolean> {
  const { row, operation, subresource, object } = request;
  const isNamespace = row.type.group === '' && row.type.resource === 'namespaces';
  const name = namespaceOf(request);
  if (selector.empty || (name === '' && !isNamespace)) return true;
  // What is written counts, not what was there.
  if (isNamespace && subresource === '' && (operation === 'CREATE' || operation === 'UPDATE')) return selector.matches(labelsOf(object));
  const found = await lookup.find(namespaces, name);
  if (!found) throw notFound(namespaces, name);
  return selector.matches(labelsOf(found));
}

function labelsOf(object: KubeObject | undefined): Readonly<Record<string, string>> {
  return object?.metadata?.labels ?? {};
}

/** Either of what is written and what was there. A Scale has no labels. */
export function matchesObject(selector: Selector, { object, old, form }: AdmissionRequest): boolean {
  if (selector.empty) return true;
  return [object, old].some((one) => one?.metadata !== undefined && selector.matches(form ? {} : labelsOf(one)));
}
