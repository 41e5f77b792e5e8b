/** Which resources are counted against ResourceQuotas, and how. */
import type { KubeObject } from '../resource-types.ts';
import type { ResourceQuota } from '../schema/types.ts';
import { one } from './amounts.ts';
import { claimEvaluator } from './claims.ts';
import type { Evaluator, Scope } from './evaluator.ts';
import { podEvaluator } from './pods.ts';
import { serviceEvaluator } from './services.ts';

/** `group/resource` of what is never stored, or there are too many of. */
const ignored: ReadonlySet<string> = new Set([
  ...['/bindings', '/componentstatuses', '/events', 'events.k8s.io/events'],
  ...['tokenreviews', 'selfsubjectreviews'].map((resource) => `authentication.k8s.io/${resource}`),
  ...['subjectaccessreviews', 'selfsubjectaccessreviews', 'localsubjectaccessreviews', 'selfsubjectrulesreviews'].map(
    (resource) => `authorization.k8s.io/${resource}`,
  ),
]);

/** Counted under a name without `count/`, too, since before there was one for every resource. */
const olderNames: ReadonlySet<string> = new Set(['configmaps', 'resourcequotas', 'replicationcontrollers', 'secrets']);

const special: Readonly<Record<string, Evaluator>> = {
  pods: podEvaluator,
  services: serviceEvaluator,
  persistentvolumeclaims: claimEvaluator,
};

const byCount = new Map<string, Evaluator>();

/** Undefined for what no quota counts. */
export function evaluatorOf(group: string, resource: string): Evaluator | undefined {
  if (ignored.has(`${group}/${resource}`)) return undefined;
  const known = group === '' ? special[resource] : undefined;
  if (known) return known;
  const name = countName(group, resource);
  const made = byCount.get(name) ?? objectCount(name, group === '' && olderNames.has(resource) ? resource : undefined);
  byCount.set(name, made);
  return made;
}

/** `count/deployments.apps` */
function countName(group: string, resource: string): string {
  return `count/${resource}${group ? `.${group}` : ''}`;
}

function objectCount(...given: readonly (string | undefined)[]): Evaluator {
  const names = given.filter((name) => name !== undefined);
  const usage = Object.fromEntries(names.map((name) => [name, one]));
  return {
    handles: ({ operation, subresource }) => operation === 'CREATE' && subresource === '',
    counts: (name) => names.includes(name),
    isIn: () => false,
    usage: () => usage,
    lacks: () => undefined,
    frees: () => false,
  };
}

export interface GroupResource {
  readonly group: string;
  readonly resource: string;
}

/** The resource whose objects are counted under a name; undefined for one that nothing is counted under. */
export function countedUnder(name: string): GroupResource | undefined {
  const counted = /^count\/([^.]+)(?:\.(.+))?$/.exec(name);
  const [, resource = '', group = ''] = counted ?? [];
  if (counted) return evaluatorOf(group, resource) && { group, resource };
  if (olderNames.has(name)) return { group: '', resource: name };
  const found = Object.entries(special).find(([, evaluator]) => evaluator.counts(name));
  return found && { group: '', resource: found[0] };
}

/** Both forms in which a quota says what it is about; all of them must hold. */
export function scopesOf({ spec }: ResourceQuota): readonly Scope[] {
  const plain = (spec?.scopes ?? []).map((scopeName) => ({ scopeName, operator: 'Exists' }));
  return [...plain, ...(spec?.scopeSelector?.matchExpressions ?? [])];
}

export function isInAll(evaluator: Evaluator, quota: ResourceQuota, object: KubeObject): boolean {
  return scopesOf(quota).every((scope) => evaluator.isIn(scope, object));
}
