/** Conflicts in words; kubectl shows them, and clients take them apart. */
import { pathText } from './field-set.ts';
import { identityOf, type Manager } from './managers.ts';
import type { Conflict } from './ownership.ts';

/** `"x" using v1`, as messages name a manager. */
export function managerText({ manager, operation, apiVersion, subresource }: Manager): string {
  const name = subresource ? `${JSON.stringify(manager)} with subresource ${JSON.stringify(subresource)}` : JSON.stringify(manager);
  return operation === 'Update' ? `${name} using ${apiVersion}` : name;
}

/** `Apply failed with 1 conflict: conflict with "x" using v1: .spec.replicas`. */
export function conflictText(conflicts: readonly Conflict[]): string {
  const [first] = conflicts;
  if (first && conflicts.length === 1)
    return `Apply failed with 1 conflict: conflict with ${managerText(first.manager)}: ${pathText(first.path)}`;
  const groups = Map.groupBy(conflicts, ({ manager }) => identityOf(manager));
  const lines = [...groups]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([, theirs]) => [
      `conflicts with ${managerText((theirs[0] as Conflict).manager)}:`,
      ...theirs.map(({ path }) => `- ${pathText(path)}`),
    ]);
  return `Apply failed with ${conflicts.length} conflicts: ${lines.join('\n')}`;
}
