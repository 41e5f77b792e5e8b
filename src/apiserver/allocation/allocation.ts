/** Something of which there is only so much, and which an object takes for as long as it is there: addresses, ports. */
import type { ResourceRow } from '../../api/registry/resource-row.ts';
import type { KubeObject } from '../../api/resource-types.ts';
import type { FieldError } from '../../api/validation/field-error.ts';
import { statusOfErrors } from '../../api/validation/status.ts';
import { isKnownError } from '../../errors/known-error.ts';
import { isStatusError, StatusError } from '../status/status-error.ts';

/** What an object was given before it is stored. */
export interface Taken {
  /** Why it was given nothing. */
  readonly errors: readonly FieldError[];
  /** The object was not stored. */
  giveBack(): Promise<void>;
}

export interface Allocation {
  /** The core resource that it is for: `services`. */
  readonly resource: string;
  /** Takes what `next` needs beyond `old` and writes it into `next`. With `dryRun` nothing stays taken. */
  allocate(next: KubeObject, old: KubeObject | undefined, dryRun: boolean): Promise<Taken>;
  /** At that revision of the store `next` took the place of `old`, or nothing did: others may have what `next` lacks. Never rejects. */
  release(old: KubeObject, next: KubeObject | undefined, revision: number): Promise<void>;
}

export const nothingTaken: Taken = { errors: [], giveBack: async () => {} };

/** All of them, as those need it who write. */
export class Allocations {
  readonly #all: readonly Allocation[];

  constructor(all: readonly Allocation[]) {
    this.#all = all;
  }

  concern(row: ResourceRow): boolean {
    return this.#of(row).length > 0;
  }

  /** Throws 422 when the object cannot have what it needs, and has taken nothing then. */
  async take(row: ResourceRow, next: KubeObject, old: KubeObject | undefined, dryRun: boolean): Promise<Taken> {
    const all: Taken[] = [];
    const giveBack = async (): Promise<void> => {
      await Promise.all(all.map((taken) => taken.giveBack()));
    };
    for (const allocation of this.#of(row)) {
      const taken = await allocation.allocate(next, old, dryRun).catch(async (err: unknown) => {
        await giveBack();
        throw err;
      });
      all.push(taken);
      if (taken.errors.length === 0) continue;
      await giveBack();
      const { group, kind } = row.type;
      throw StatusError.of(statusOfErrors({ group, kind }, next.metadata.name, taken.errors));
    }
    return { errors: [], giveBack };
  }

  async release(row: ResourceRow, old: KubeObject, next: KubeObject | undefined, revision: number): Promise<void> {
    await Promise.all(this.#of(row).map((allocation) => allocation.release(old, next, revision)));
  }

  #of(row: ResourceRow): readonly Allocation[] {
    return row.type.group === '' ? this.#all.filter(({ resource }) => resource === row.type.resource) : [];
  }
}

/** What a write that failed had taken. Where the store may have written although no answer came, it stays: whoever looks after claims sees later. */
export async function giveBackAfter(err: unknown, taken: Taken): Promise<void> {
  if (isStatusError(err) || isKnownError(err, 'STORE_FULL') || isKnownError(err, 'STORE_TOO_BIG')) await taken.giveBack();
}
