/** Something of which there is only so much, and which an object takes for as long as it is there: addresses, ports. */
import type { ResourceRow } from '../../api/registry/resource-row.ts';
import type { KubeObject } from '../../api/resource-types.ts';
import type { FieldError } from '../../api/validation/field-error.ts';
import { statusOfErrors } from '../../api/validation/status.ts';
import { isKnownError } from '../../errors/known-error.ts';
import type { Companion, OldRecord } from '../../storage/store.ts';
import { AlongsideTaken } from '../resource/object-store.ts';
import { isStatusError, StatusError } from '../status/status-error.ts';

/** What an object was given before it is stored. */
export interface Taken {
  /** Why it was given nothing. */
  readonly errors: readonly FieldError[];
  /** Made, and given up, in one commit with the object: only one of several servers can. */
  readonly claims: readonly Companion[];
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
  /** Writes into `next` what the cluster, and not the object alone, decides, before `next` is checked. Returns why it cannot be. */
  prepare?(next: KubeObject, old: KubeObject | undefined): readonly FieldError[];
  /** Takes what `next` needs beyond `old` and writes it into `next`; gives up what it no longer needs. */
  allocate(next: KubeObject, old: KubeObject | undefined, asking: Asking): Promise<Taken>;
  /** The claims of what is to be deleted: they go in one commit with it. */
  release(old: KubeObject, asking: Asking): Promise<readonly OldRecord[]>;
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

  /** Throws 422 when the object asks for what the cluster has not. */
  prepare(row: ResourceRow, next: KubeObject, old: KubeObject | undefined): void {
    for (const allocation of this.#of(row)) refuse(row, next, allocation.prepare?.(next, old) ?? []);
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
      if (taken.errors.length > 0) giveBack();
      refuse(row, next, taken.errors);
    }
    return { errors: [], claims: all.flatMap(({ claims }) => claims), giveBack };
  }

  async release(row: ResourceRow, old: KubeObject, asking: Asking): Promise<readonly OldRecord[]> {
    return (await Promise.all(this.#of(row).map((allocation) => allocation.release(old, asking)))).flat();
  }

  #of(row: ResourceRow): readonly Allocation[] {
    return row.type.group === '' ? this.#all.filter(({ resource }) => resource === row.type.resource) : [];
  }
}

function refuse({ type: { group, kind } }: ResourceRow, { metadata }: KubeObject, errors: readonly FieldError[]): void {
  if (errors.length > 0) throw StatusError.of(statusOfErrors({ group, kind }, metadata.name, errors));
}

/** As long as others are faster with what was chosen, or with what was to go. `attempt` is told how often they were, and says when it is enough. */
export async function again<T>(attempt: (lost: number) => Promise<T>): Promise<T> {
  for (let lost = 0; ; lost++) {
    try {
      return await attempt(lost);
    } catch (err) {
      if (!(err instanceof AlongsideTaken)) throw err;
    }
  }
}

/** What a write that failed had taken. Where the store may have written although no answer came, it stays taken for a while. */
export function giveBackAfter(err: unknown, taken: Taken): void {
  if (err instanceof AlongsideTaken) taken.giveBack(err.key);
  else if (isStatusError(err) || isKnownError(err, 'STORE_FULL') || isKnownError(err, 'STORE_TOO_BIG')) taken.giveBack();
}
