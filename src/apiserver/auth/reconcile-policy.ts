/** How the roles and bindings that every cluster begins with are kept: what an old cluster lacks is added, what others added stays. */
import { isDeepStrictEqual } from 'node:util';
import type { ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, Subject } from '../../api/schema/types.ts';
import type { RbacObject } from './rbac-index.ts';

/**
 * What to write so that `existing` has at least what `wanted` has: `create` when there is nothing, `update` when rules or subjects are
 * missing, undefined when nothing is to do. As upstream, nothing that somebody added is taken away, and the annotation
 * `rbac.authorization.kubernetes.io/autoupdate: "false"` keeps an object as it is.
 */
export function reconcile(
  existing: RbacObject | undefined,
  wanted: RbacObject,
): { readonly action: 'create' | 'update'; readonly object: RbacObject } | undefined {
  if (!existing) return { action: 'create', object: wanted };
  if (existing.metadata.annotations?.['rbac.authorization.kubernetes.io/autoupdate'] === 'false') return undefined;
  const metadata = {
    ...existing.metadata,
    labels: { ...wanted.metadata.labels, ...existing.metadata.labels },
    annotations: { ...wanted.metadata.annotations, ...existing.metadata.annotations },
  };
  const object =
    'roleRef' in wanted
      ? withSubjects(existing as RoleBinding | ClusterRoleBinding, wanted)
      : withRules(existing as Role | ClusterRole, wanted);
  const merged = { ...object, metadata };
  return isDeepStrictEqual(merged, existing) ? undefined : { action: 'update', object: merged };
}

function withSubjects<T extends RoleBinding | ClusterRoleBinding>(existing: T, wanted: RoleBinding | ClusterRoleBinding): T {
  const same = (a: Subject, b: Subject): boolean => a.kind === b.kind && a.name === b.name && (a.namespace ?? '') === (b.namespace ?? '');
  const missing = (wanted.subjects ?? []).filter((one) => !(existing.subjects ?? []).some((other) => same(one, other)));
  return missing.length > 0 ? { ...existing, subjects: [...(existing.subjects ?? []), ...missing] } : existing;
}

function withRules<T extends Role | ClusterRole>(existing: T, wanted: Role | ClusterRole): T {
  const selectors = 'aggregationRule' in wanted ? wanted.aggregationRule?.clusterRoleSelectors : undefined;
  if (selectors) {
    const known = (existing as ClusterRole).aggregationRule?.clusterRoleSelectors;
    const missing = missingFrom(known, selectors);
    return missing.length > 0 ? { ...existing, aggregationRule: { clusterRoleSelectors: [...(known ?? []), ...missing] } } : existing;
  }
  const missing = missingFrom<PolicyRule>(existing.rules, wanted.rules);
  return missing.length > 0 ? { ...existing, rules: [...(existing.rules ?? []), ...missing] } : existing;
}

function missingFrom<T>(existing: readonly T[] | undefined, wanted: readonly T[] | undefined): T[] {
  return (wanted ?? []).filter((one) => !(existing ?? []).some((other) => isDeepStrictEqual(one, other)));
}
