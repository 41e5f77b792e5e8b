/** Nobody grants by a role or binding what they do not have themselves. After upstream's rbac ConfirmNoEscalation. */
import { isDeepStrictEqual } from 'node:util';
import type { ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding } from '../../api/schema/types.ts';
import { resourceAttributes } from './attributes.ts';
import type { Authorizer } from './authorizer.ts';
import type { Question } from './rule-table.ts';
import { mastersGroup, type UserInfo } from './user-info.ts';

export interface Refusal {
  readonly code: 403 | 404;
  /** For 403 what follows `roles.rbac.authorization.k8s.io "x" is forbidden: `; for 404 all of it. */
  readonly message: string;
}

const rbacGroup = 'rbac.authorization.k8s.io';
const everything: readonly PolicyRule[] = [
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['*'], nonResourceURLs: ['*'] },
];

/** Whether the user may write the role: its rules are all theirs, or they may `escalate` it. `old` is what it replaces. */
export function checkRoleEscalation(
  user: UserInfo,
  role: Role | ClusterRole,
  old: Role | ClusterRole | undefined,
  authorizer: Authorizer,
): Refusal | undefined {
  if (user.groups.includes(mastersGroup)) return undefined;
  const aggregation = aggregationOf(role);
  const sameRules = old !== undefined && isDeepStrictEqual(role.rules ?? [], old.rules ?? []);
  const sameAggregation = isDeepStrictEqual(aggregation, old && aggregationOf(old));
  if (sameRules && sameAggregation) return undefined;
  const { name, namespace = '' } = role.metadata;
  const resource = role.kind === 'ClusterRole' ? 'clusterroles' : 'roles';
  if (authorizer.authorize(resourceAttributes(user, 'escalate', { group: rbacGroup, version: 'v1', resource, namespace, name })).allowed)
    return undefined;
  // What an aggregated role will come to hold nobody knows today.
  if (aggregation && !sameAggregation && missingRules(user, '', everything, authorizer).length > 0) {
    return { code: 403, message: 'must have cluster-admin privileges to use the aggregationRule' };
  }
  return refuseMissing(user, namespace, role.rules ?? [], authorizer);
}

function aggregationOf(role: Role | ClusterRole): ClusterRole['aggregationRule'] | undefined {
  return ('aggregationRule' in role ? role.aggregationRule : undefined) ?? undefined;
}

/** Whether the user may write the binding: the role's rules are all theirs, or they may `bind` the role. */
export function checkBindingEscalation(
  user: UserInfo,
  binding: RoleBinding | ClusterRoleBinding,
  old: RoleBinding | ClusterRoleBinding | undefined,
  authorizer: Authorizer,
): Refusal | undefined {
  if (user.groups.includes(mastersGroup)) return undefined;
  if (old && isDeepStrictEqual(binding.subjects ?? [], old.subjects ?? []) && isDeepStrictEqual(binding.roleRef, old.roleRef))
    return undefined;
  const namespace = binding.metadata.namespace ?? '';
  const { kind, name } = binding.roleRef;
  const resource = kind === 'ClusterRole' ? 'clusterroles' : 'roles';
  if (authorizer.authorize(resourceAttributes(user, 'bind', { group: rbacGroup, version: 'v1', resource, namespace, name })).allowed)
    return undefined;
  const rules = authorizer.rbac.roleRules(binding);
  if (!rules) return { code: 404, message: `${resource}.${rbacGroup} "${name}" not found` };
  return refuseMissing(user, namespace, rules, authorizer);
}

/** A rule of three long lists stands for more single rules than anybody can wait for, or meant. */
const maxSingleRules = 200_000;

function singleRules(rules: readonly PolicyRule[]): number {
  const count = (list: readonly string[] | undefined): number => list?.length ?? 0;
  return rules.reduce(
    (sum, r) =>
      sum + count(r.verbs) * (count(r.nonResourceURLs) + count(r.apiGroups) * count(r.resources) * Math.max(1, count(r.resourceNames))),
    0,
  );
}

function refuseMissing(user: UserInfo, namespace: string, rules: readonly PolicyRule[], authorizer: Authorizer): Refusal | undefined {
  const all = singleRules(rules);
  if (all > maxSingleRules) {
    const message = `its rules stand for ${all} combinations of verb, group, resource and name, more than the ${maxSingleRules} that are checked: split the role`;
    return { code: 403, message };
  }
  const missing = missingRules(user, namespace, rules, authorizer);
  if (missing.length === 0) return undefined;
  const who = `user ${JSON.stringify(user.name)} (groups=[${user.groups.map((group) => JSON.stringify(group)).join(' ')}])`;
  return { code: 403, message: `${who} is attempting to grant RBAC permissions not currently held:\n${missing.map(format).join('\n')}` };
}

/** The rules, taken apart, that the user does not have; verbs of one resource together again. */
function missingRules(user: UserInfo, namespace: string, rules: readonly PolicyRule[], authorizer: Authorizer): PolicyRule[] {
  const missing = new Map<string, PolicyRule>();
  for (const { rule, question } of singles(rules)) {
    if (authorizer.rbac.find(user, namespace, question) !== undefined) continue;
    const key = JSON.stringify({ ...rule, verbs: [] });
    const known = missing.get(key);
    if (!known) missing.set(key, rule);
    else if (!known.verbs.includes(question.verb)) known.verbs.push(question.verb);
  }
  return [...missing.values()];
}

interface SingleRule {
  readonly rule: PolicyRule;
  readonly question: Question;
}

/** Rules as rules of one verb and one path or resource, each with the question whether somebody has it. */
function* singles(rules: readonly PolicyRule[]): Generator<SingleRule> {
  for (const rule of rules) for (const verb of rule.verbs) yield* singlesOfVerb(rule, verb);
}

function* singlesOfVerb(rule: PolicyRule, verb: string): Generator<SingleRule> {
  for (const path of rule.nonResourceURLs ?? []) yield { rule: { nonResourceURLs: [path], verbs: [verb] }, question: { verb, path } };
  for (const group of rule.apiGroups ?? []) {
    for (const resource of rule.resources ?? []) yield* singlesOfResource(rule, verb, group, resource);
  }
}

function* singlesOfResource({ resourceNames = [] }: PolicyRule, verb: string, group: string, resource: string): Generator<SingleRule> {
  for (const name of resourceNames.length > 0 ? resourceNames : ['']) {
    const names = name ? { resourceNames: [name] } : {};
    yield { rule: { apiGroups: [group], resources: [resource], ...names, verbs: [verb] }, question: { verb, group, resource, name } };
  }
}

function format(rule: PolicyRule): string {
  const list = (values: readonly string[]): string => `[${values.map((value) => JSON.stringify(value)).join(' ')}]`;
  const parts: string[] = [];
  if (rule.apiGroups) parts.push(`APIGroups:${list(rule.apiGroups)}`);
  if (rule.resources) parts.push(`Resources:${list(rule.resources)}`);
  if (rule.resourceNames) parts.push(`ResourceNames:${list(rule.resourceNames)}`);
  if (rule.nonResourceURLs) parts.push(`NonResourceURLs:${list(rule.nonResourceURLs)}`);
  return `{${[...parts, `Verbs:${list(rule.verbs)}`].join(', ')}}`;
}
