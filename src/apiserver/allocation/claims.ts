/**
 * Who has what, as the store knows it: a record for each address and port that a Service has, made in one commit with the Service and taken
 * away after it. Only one of several API servers can make it, however old the caches are by which they chose.
 */
import type { Service } from '../../api/schema/types.ts';
import type { NewRecord } from '../../storage/store.ts';

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
  /** Makes it by itself, unless there is one. */
  take(id: string, service: Service): Promise<void>;
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

/** The Service has not had it since `revision`. A claim that is newer is another one's, or that of a later life. */
export async function releaseClaim(claims: Claims, id: string, service: Service, revision: number): Promise<void> {
  const claim = await claims.get(id);
  if (claim && claim.owner === claimOwner(service) && claim.revision <= revision) await claims.drop(claim);
}
