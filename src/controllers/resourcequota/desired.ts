/** What a ResourceQuota's status should say: the bounds as they are asked for, and what of each there is. */
import { type Amounts, added, amountsOf, none, only, sameAmounts, textsOf } from '../../api/quota/amounts.ts';
import { countedUnder, evaluatorOf, type GroupResource, isInAll } from '../../api/quota/quota.ts';
import type { KubeObject } from '../../api/resource-types.ts';
import type { ResourceQuota, ResourceQuotaStatus } from '../../api/schema/types.ts';

/** `group/resource`, each once. */
export function keyOf({ group, resource }: GroupResource): string {
  return `${group}/${resource}`;
}

/** The resources that a quota counts. */
export function countedBy({ spec }: ResourceQuota): GroupResource[] {
  const found = new Map<string, GroupResource>();
  for (const name of Object.keys(spec?.hard ?? {})) {
    const counted = countedUnder(name);
    if (counted) found.set(keyOf(counted), counted);
  }
  return [...found.values()];
}

/** Whether a change, of which the API server charges nothing, leaves more of a quota. */
export function frees({ group, resource }: GroupResource, object: KubeObject, previous: KubeObject, now: number): boolean {
  return evaluatorOf(group, resource)?.frees(object, previous, now) === true;
}

/** The objects of the quota's namespace; undefined for a resource that nobody can list: what was known of it stays. */
export type Objects = (of: GroupResource) => readonly KubeObject[] | undefined;

/** Undefined: the status says it already. */
export function statusOf(quota: ResourceQuota, objects: Objects, now: number): ResourceQuotaStatus | undefined {
  const hard = amountsOf(quota.spec?.hard);
  const before = amountsOf(quota.status?.used);
  const used: Amounts = only({ ...before, ...usageOf(quota, objects, now) }, Object.keys(hard));
  const says = quota.status?.hard && sameAmounts(hard, amountsOf(quota.status.hard)) && quota.status.used && sameAmounts(used, before);
  return says ? undefined : { hard: textsOf(hard), used: textsOf(used) };
}

function usageOf(quota: ResourceQuota, objects: Objects, now: number): Amounts {
  const names = Object.keys(quota.spec?.hard ?? {});
  let used: Amounts = {};
  for (const counted of countedBy(quota)) {
    const evaluator = evaluatorOf(counted.group, counted.resource);
    const found = objects(counted);
    if (!evaluator || !found) continue;
    const own = names.filter((name) => evaluator.counts(name));
    let sum: Amounts = Object.fromEntries(own.map((name) => [name, none]));
    for (const object of found) if (isInAll(evaluator, quota, object)) sum = added(sum, only(evaluator.usage(object, now), own));
    used = added(used, sum);
  }
  return used;
}
