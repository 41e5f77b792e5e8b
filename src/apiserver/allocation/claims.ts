/**
 * Who has what, as the store knows it: a record for each address and port that a Service has, made and deleted in one commit
 * with the Service. Only one of several API servers can make it, however old the caches are by which they chose.
 */
import type { Service } from '../../api/schema/types.ts';
import type { NewRecord, OldRecord } from '../../storage/store.ts';

export interface Claim {
  /** The address, or the port. */
  readonly id: string;
  /** `namespace/name` of the Service; undefined when it is no Service that has it. */
  readonly owner: string | undefined;
  /** Of the store, when it was last written. */
  readonly revision: number;
}

export interface Claims {
  /** What `kubectl` or a log calls one: `IPAddress`. */
  readonly kind: string;
  /** The claim, to be made with its Service. */
  recordOf(id: string, service: Service): NewRecord;
  /** Makes it by itself, unless there is one; or writes the one anew that has this revision. */
  take(id: string, service: Service, ifRevision?: number): Promise<boolean>;
  /** Its key in the store. */
  keyOf(id: string): string;
  /** As the store has it now. */
  get(id: string): Promise<Claim | undefined>;
  list(): Promise<readonly Claim[]>;
  /** Takes it away, unless it was written again since. */
  drop(claim: Claim): Promise<void>;
  /** Where anybody can delete one: tells from the call on which are gone. */
  onDelete?(tell: (id: string) => void): void;
}

export function claimOwner({ metadata }: Service): string {
  return `${metadata.namespace}/${metadata.name}`;
}

/**
 * Makes the claim before its Service. One that the Service has already is of an attempt that failed: it is written anew, so that nobody takes
 * it away as left over. False when somebody else has it.
 */
export async function claimAhead(claims: Claims, id: string, service: Service): Promise<boolean> {
  const claim = await claims.get(id);
  if (claim && claim.owner !== claimOwner(service)) return false;
  return claims.take(id, service, claim?.revision);
}

/** The Service's claim, to be deleted with what the Service is at that moment. None when somebody deleted it, or another has it. */
export async function claimOf(claims: Claims, id: string, service: Service): Promise<readonly OldRecord[]> {
  const claim = await claims.get(id);
  return claim?.owner === claimOwner(service) ? [{ key: claims.keyOf(id), ifRevision: claim.revision }] : [];
}
