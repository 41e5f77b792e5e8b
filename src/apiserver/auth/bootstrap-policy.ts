import { readFileSync } from 'node:fs';
import { parsePolicy } from './policy-text.ts';
import type { RbacObject } from './rbac-index.ts';

/** Every role and binding that a cluster begins with, roles first. The namespaces kube-system and kube-public must be there before. */
export function bootstrapPolicy(): readonly RbacObject[] {
  return parsePolicy(readFileSync(new URL('bootstrap-policy.txt', import.meta.url), 'utf8'));
}
