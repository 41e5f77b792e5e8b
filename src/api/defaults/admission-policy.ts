import type { MatchResources, ValidatingAdmissionPolicy } from '../schema/types.ts';

/** Of a ValidatingAdmissionPolicy. */
export function defaultAdmissionPolicy(policy: ValidatingAdmissionPolicy): void {
  policy.spec ??= {};
  policy.spec.failurePolicy ??= 'Fail';
  defaultMatchResources(policy.spec.matchConstraints);
}

export function defaultMatchResources(match: MatchResources | undefined): void {
  if (!match) return;
  match.matchPolicy ??= 'Equivalent';
  match.namespaceSelector ??= {};
  match.objectSelector ??= {};
  for (const rule of [...(match.resourceRules ?? []), ...(match.excludeResourceRules ?? [])]) rule.scope ??= '*';
}
