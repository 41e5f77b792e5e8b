/** Deletes objects: after admission, and as `delete.ts` has it, either removes one or marks it. */
import type { ResourceRow } from '../../api/registry/resource-row.ts';
import type { KubeObject } from '../../api/resource-types.ts';
import type { DeleteOptions } from '../../api/schema/types.ts';
import type { Clock } from '../../clock/clock.ts';
import type { AdmissionChain } from '../admission/admission.ts';
import { type Allocations, again } from '../allocation/allocation.ts';
import type { CachedObject, LooseObject } from '../cache/cached-object.ts';
import { isStatusError } from '../status/status-error.ts';
import { deletion } from './delete.ts';
import type { Change, Changed, ObjectStore } from './object-store.ts';
import type { WriteContext } from './write-context.ts';

/** How many of a collection are deleted side by side, so that the store commits them in groups. */
const lanes = 16;

interface DeleterDeps {
  readonly objects: ObjectStore;
  readonly admission: AdmissionChain;
  readonly allocations: Allocations;
  readonly clock: Clock;
}

export class Deleter {
  readonly #d: DeleterDeps;

  constructor(deps: DeleterDeps) {
    this.#d = deps;
  }

  async delete(row: ResourceRow, namespace: string, name: string, options: DeleteOptions, context: WriteContext): Promise<Changed> {
    const { objects, admission, allocations, clock } = this.#d;
    return again((lost) => {
      const deleteOne = async (old: KubeObject): Promise<Change> => {
        const what = { row, subresource: '', namespace, name, object: undefined, old };
        await admission.admit({ operation: 'DELETE', ...what, ...context, options: () => options });
        const change = deletion(row, old as LooseObject, options, clock);
        if (change.kind !== 'delete') return change;
        return { kind: 'delete', alongside: await allocations.release(row, old, { dryRun: context.dryRun, lost }) };
      };
      return objects.change(row, namespace, name, deleteOne, context);
    });
  }

  async deleteAll(row: ResourceRow, found: readonly CachedObject[], options: DeleteOptions, context: WriteContext): Promise<void> {
    const left = [...found];
    const lane = async (): Promise<void> => {
      for (let next = left.shift(); next; next = left.shift()) {
        const { name, namespace = '' } = next.object.metadata;
        await this.delete(row, namespace, name, options, { ...context, isUnnamed: true }).catch((err: unknown) => {
          // Somebody else was faster: that is what was wanted.
          if (!isStatusError(err, 'NotFound')) throw err;
        });
      }
    };
    await Promise.all(Array.from({ length: lanes }, lane));
  }
}
