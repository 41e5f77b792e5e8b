import type { KubeObject, ResourceType } from '../../api/resource-types.ts';
import type { Client } from '../../client/client.ts';
import type { Informer } from '../../client/informer.ts';
import { InformerSet } from '../../client/informers.ts';
import { onAbort } from '../../clock/aborted.ts';
import type { Clock } from '../../clock/clock.ts';
import type { Log } from '../../observability/log.ts';

export interface PoolOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Which resources may be read together with other parts, under the user of the first that does; default none. */
  readonly shares?: readonly string[] | 'all';
  /** Ends the informers. */
  readonly signal: AbortSignal;
}

/** Informers of one user, but for those resources that another part of this process watches already. */
class PooledInformers extends InformerSet {
  readonly #elsewhere: (resource: string) => InformerSet | undefined;

  constructor(client: Client, options: PoolOptions, elsewhere: (resource: string) => InformerSet | undefined) {
    super(client, { clock: options.clock, log: options.log });
    this.#elsewhere = elsewhere;
  }

  override of<T extends KubeObject>(type: ResourceType<T>, selection: Parameters<InformerSet['of']>[1] = {}): Informer<T> {
    return this.#elsewhere(type.resource)?.of(type, selection) ?? super.of(type, selection);
  }
}

interface Member {
  readonly shares: readonly string[] | 'all';
  readonly informers: InformerSet;
}

/** The informers of a process: what several parts of it read is watched once. */
export class InformerPool {
  readonly #members = new Set<Member>();

  /** Informers for one part. */
  open(client: Client, options: PoolOptions): InformerSet {
    const { shares = [], signal } = options;
    const earlier = [...this.#members];
    const elsewhere = (resource: string): InformerSet | undefined =>
      has(shares, resource) ? earlier.find((member) => this.#members.has(member) && has(member.shares, resource))?.informers : undefined;
    const member = { shares, informers: new PooledInformers(client, options, elsewhere) };
    this.#members.add(member);
    onAbort(signal, () => this.#members.delete(member));
    return member.informers;
  }

  /** How long ago a server was last heard, in milliseconds, by resource: the oldest of all informers. */
  get agesMs(): ReadonlyMap<string, number> {
    const ages = new Map<string, number>();
    for (const { informers } of this.#members)
      for (const [resource, ms] of informers.agesMs) ages.set(resource, Math.max(ms, ages.get(resource) ?? ms));
    return ages;
  }
}

function has(shares: Member['shares'], resource: string): boolean {
  return shares === 'all' || shares.includes(resource);
}
