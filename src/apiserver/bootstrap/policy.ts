/** Writes the roles and bindings that every cluster begins with, and brings old ones up to date at every start. */
import { cloneJson } from '../../api/codec/json-clone.ts';
import { bootstrapPolicy } from '../auth/bootstrap-policy.ts';
import type { RbacObject } from '../auth/rbac-index.ts';
import { reconcile } from '../auth/reconcile-policy.ts';
import { type EnsureDeps, ensure } from './ensure.ts';

export async function reconcilePolicy(deps: EnsureDeps): Promise<void> {
  // Together: they do not depend on each other, and the store commits in groups.
  await Promise.all(
    bootstrapPolicy().map((wanted) =>
      ensure(deps, cloneJson(wanted), (current) => reconcile(current as RbacObject, wanted)?.object ?? current),
    ),
  );
}
