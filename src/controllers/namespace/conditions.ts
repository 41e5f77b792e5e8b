/** The conditions by which `kubectl get ns -o yaml` shows what holds a namespace up: pure. Words are upstream's. */
import type { KubeObject } from '../../api/resource-types.ts';
import type { Namespace, NamespaceCondition } from '../../api/schema/types.ts';
import { since } from '../ownership/conditions.ts';

/** What a look at a namespace's content found. */
export class Remaining {
  /** `pods.apps has 2 resource instances` */
  readonly resources: string[] = [];
  readonly failures: string[] = [];
  readonly #finalizers = new Map<string, number>();
  /** Something is left that waits for nobody's finalizer, such as a pod in its grace. */
  waits = false;

  add({ resource, group }: { readonly resource: string; readonly group: string }, items: readonly KubeObject[]): void {
    if (items.length > 0) this.resources.push(`${resource}.${group} has ${items.length} resource instances`);
    for (const { metadata } of items) {
      for (const one of metadata.finalizers ?? []) this.#finalizers.set(one, (this.#finalizers.get(one) ?? 0) + 1);
      if (!metadata.finalizers?.length) this.waits = true;
    }
  }

  get isNothing(): boolean {
    return this.resources.length === 0 && this.failures.length === 0;
  }

  /** How many objects each finalizer holds. */
  get finalizers(): string[] {
    return [...this.#finalizers].map(([finalizer, n]) => `${finalizer} in ${n} resource instances`).toSorted();
  }
}

/** A condition, and what it says when there is trouble and when there is none. */
interface Said {
  readonly type: string;
  readonly trouble: (remaining: Remaining) => readonly string[];
  readonly bad: readonly [reason: string, prefix: string];
  readonly fine: readonly [reason: string, message: string];
}

const said: readonly Said[] = [
  {
    type: 'NamespaceDeletionContentFailure',
    trouble: ({ failures }) => failures,
    bad: ['ContentDeletionFailed', 'Failed to delete all resource types: '],
    fine: ['ContentDeleted', 'All content successfully deleted, may be waiting on finalization'],
  },
  {
    type: 'NamespaceContentRemaining',
    trouble: ({ resources }) => resources,
    bad: ['SomeResourcesRemain', 'Some resources are remaining: '],
    fine: ['ContentRemoved', 'All content successfully removed'],
  },
  {
    type: 'NamespaceFinalizersRemaining',
    trouble: ({ finalizers }) => finalizers,
    bad: ['SomeFinalizersRemain', 'Some content in the namespace has finalizers remaining: '],
    fine: ['ContentHasNoFinalizers', 'All content-preserving finalizers finished'],
  },
];

/** Undefined when the namespace says it all. */
export function remainingConditions({ status }: Namespace, remaining: Remaining, now: number): NamespaceCondition[] | undefined {
  const conditions = said.map(({ type, trouble, bad, fine }): NamespaceCondition => {
    const list = trouble(remaining);
    const [reason, message] = list.length > 0 ? [bad[0], `${bad[1]}${list.join(', ')}`] : fine;
    return since(status?.conditions, { type, status: list.length > 0 ? 'True' : 'False', reason, message }, now);
  });
  const messages = (all: readonly NamespaceCondition[] = []): string => JSON.stringify(all.map(({ message }) => message));
  return messages(conditions) === messages(status?.conditions) ? undefined : conditions;
}
