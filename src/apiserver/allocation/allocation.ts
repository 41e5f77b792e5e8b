/** Something of which there is only so much, and which an object takes for as long as it is there: addresses, ports. */
import type { ResourceRow } from '../../api/registry/resource-row.ts';
import type { KubeObject } from '../../api/resource-types.ts';
import type { FieldError } from '../../api/validation/field-error.ts';
import { statusOfErrors } from '../../api/validation/status.ts';
import { isKnownError } from '../../errors/known-error.ts';
import type { NewRecord } from '../../storage/store.ts';
import { AlongsideTaken } from '../resource/object-store.ts';
import { isStatusError, StatusError } from '../status/status-error.ts';

/** What an object was given before it is stored. */
export interface Taken {
  /** Why it was given nothing. */
  readonly errors: readonly FieldError[];
  /** To be made in one commit with the object: only one of several servers can. */
  readonly claims: readonly NewRecord[];
  /** The object was not stored, and is as it was; `lost` is the key of the claim that somebody else has. */
  giveBack(lost?: string): void;
}

export interface Asking {
  /** Nothing stays taken. */
  readonly dryRun: boolean;
  /** How often this request has lost one of its claims already. */
  readonly lost: number;
}

export interface Allocation {
  /** The core resource that it is for: `services`. */
  readonly resource: string;
  /** Takes what `next` needs beyond `old` and writes it into `next`. */
  allocate(next: KubeObject, old: KubeObject | undefined, asking: Asking): Promise<Taken>;
  /** At that revision of the store `next` took the place of `old`, or nothing did: others may have what `next` lacks. Never rejects. */
  release(old: KubeObject, next: KubeObject | undefined, revision: number): Promise<void>;
}

export const nothingTaken: Taken = { errors: [], claims: [], giveBack: () => {} };

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
  async take(row: ResourceRow, next: KubeObject, old: KubeObject | undefined, asking: Asking): Promise<Taken> {
    const all: Taken[] = [];
    const giveBack = (lost?: string): void => {
      for (const taken of all) taken.giveBack(lost);
    };
    for (const allocation of this.#of(row)) {
      const taken = await allocation.allocate(next, old, asking).catch((err: unknown) => {
        giveBack();
        throw err;
      });
      all.push(taken);
      if (taken.errors.length === 0) continue;
      giveBack();
      const { group, kind } = row.type;
      throw StatusError.of(statusOfErrors({ group, kind }, next.metadata.name, taken.errors));
    }
    return { errors: [], claims: all.flatMap(({ claims }) => claims), giveBack };
  }

  async release(row: ResourceRow, old: KubeObject, next: KubeObject | undefined, revision: number): Promise<void> {
    await Promise.all(this.#of(row).map((allocation) => allocation.release(old, next, revision)));
  }

  #of(row: ResourceRow): readonly Allocation[] {
    return row.type.group === '' ? this.#all.filter(({ resource }) => resource === row.type.resource) : [];
  }
}

/** What a write that failed had taken. Where the store may have written although no answer came, it stays taken for a while. */
export function giveBackAfter(err: unknown, taken: Taken): void {
  if (err instanceof AlongsideTaken) taken.giveBack(err.key);
  else if (isStatusError(err) || isKnownError(err, 'STORE_FULL') || isKnownError(err, 'STORE_TOO_BIG')) taken.giveBack();
}
