/**
 * Looks after claims: makes what is missing for Services that are there, and takes away what is left of Services that never came to be. Every
 * server does; nothing depends on which of them is faster.
 */
import { services } from '../../api/resource-types.ts';
import type { Service } from '../../api/schema/types.ts';
import { messageOf } from '../../errors/known-error.ts';
import type { Background } from '../bootstrap/ensure.ts';
import type { Lookup } from '../cache/lookup.ts';
import type { WatchFeed } from '../cache/watch-feed.ts';
import { type Claim, type Claims, claimOwner } from './claims.ts';

/** Between two looks at all claims. */
const sweepMs = 60_000;
/** Longer than it takes to give back what a Service had. */
const leftoverMs = 60_000;

interface Kept {
  readonly claims: Claims;
  idsOf(service: Service): readonly string[];
}

interface KeeperContext extends Background {
  readonly lookup: Lookup;
  readonly feed: Pick<WatchFeed, 'fresh'>;
}

/** Until the signal aborts. */
export async function keepClaims(kept: Kept, context: KeeperContext): Promise<void> {
  const { clock, log, signal } = context;
  const keeper = new ClaimKeeper(kept, context);
  let sweepAt = clock.monotonic();
  while (!signal.aborted) {
    try {
      if (clock.monotonic() >= sweepAt) {
        sweepAt = clock.monotonic() + sweepMs;
        await keeper.sweep();
      }
      await keeper.putBack();
    } catch (err) {
      if (!signal.aborted) log.warn(`cannot keep every ${kept.claims.kind} as the Services say, trying again`, { error: messageOf(err) });
    }
    await Promise.race([keeper.woken, clock.sleep(Math.max(1, sweepAt - clock.monotonic()), signal).catch(() => {})]);
  }
}

export class ClaimKeeper {
  readonly #kept: Kept;
  readonly #context: KeeperContext;
  /** By id, and then by uid: the Services that have it. More than one only when old data disagrees. */
  readonly #holders = new Map<string, Map<string, Service>>();
  /** Claims without a Service, since when. */
  readonly #unbacked = new Map<string, { readonly revision: number; readonly since: number }>();
  /** Ids whose claims somebody deleted. */
  readonly #deleted = new Set<string>();
  #wake = Promise.withResolvers<void>();

  /** Follows the caches from the call on. */
  constructor(kept: Kept, context: KeeperContext) {
    this.#kept = kept;
    this.#context = context;
    context.lookup.follow(services, {
      put: (service, previous) => {
        const before = previous();
        if (before) this.#drop(before);
        for (const id of kept.idsOf(service)) this.#holdersOf(id).set(service.metadata.uid ?? '', service);
      },
      delete: (service) => this.#drop(service),
    });
    kept.claims.onDelete?.((id) => {
      this.#deleted.add(id);
      this.#wake.resolve();
    });
  }

  /** Resolves when there is something to put back. */
  get woken(): Promise<void> {
    return this.#wake.promise;
  }

  /** Makes the claims anew that somebody deleted while their Services are there. */
  async putBack(): Promise<void> {
    this.#wake = Promise.withResolvers();
    for (const id of [...this.#deleted]) {
      this.#deleted.delete(id);
      const [holder] = this.#holders.get(id)?.values() ?? [];
      if (holder) await this.#kept.claims.take(id, holder);
    }
  }

  /** Looks at every claim, and at every Service. */
  async sweep(): Promise<void> {
    const claims = new Map((await this.#kept.claims.list()).map((claim) => [claim.id, claim]));
    // What is written before its Service is not seen without it.
    await this.#context.feed.fresh();
    for (const id of this.#unbacked.keys()) if (!claims.has(id)) this.#unbacked.delete(id);
    for (const id of new Set([...claims.keys(), ...this.#holders.keys()])) {
      if (this.#context.signal.aborted) return;
      await this.#look(id, claims.get(id));
    }
  }

  async #look(id: string, claim: Claim | undefined): Promise<void> {
    const { claims } = this.#kept;
    const holders = [...(this.#holders.get(id)?.values() ?? [])];
    if (holders.length > 1) this.#complain(id, holders);
    const [first] = holders;
    if (claim && !this.#isLeftOver(claim, holders)) return;
    if (claim) await this.#remove(claim);
    if (first) await claims.take(id, first);
  }

  /** For so long without its Service that it never comes. */
  #isLeftOver({ id, owner, revision }: Claim, holders: readonly Service[]): boolean {
    if (owner === undefined || holders.some((service) => claimOwner(service) === owner)) {
      this.#unbacked.delete(id);
      return false;
    }
    const now = this.#context.clock.monotonic();
    const seen = this.#unbacked.get(id);
    if (seen?.revision === revision) return now - seen.since >= leftoverMs;
    this.#unbacked.set(id, { revision, since: now });
    return false;
  }

  async #remove(claim: Claim): Promise<void> {
    await this.#kept.claims.drop(claim);
    this.#unbacked.delete(claim.id);
    this.#context.log.info(`${this.#kept.claims.kind} ${claim.id} is free again: there is no Service "${claim.owner}" that has it`);
  }

  #complain(id: string, holders: readonly Service[]): void {
    const names = holders.map(claimOwner).join(', ');
    this.#context.log.warn(
      `${this.#kept.claims.kind} ${id} belongs to several Services: ${names}; delete all but one and create them anew`,
    );
  }

  #holdersOf(id: string): Map<string, Service> {
    const holders = this.#holders.get(id) ?? new Map<string, Service>();
    this.#holders.set(id, holders);
    return holders;
  }

  #drop(service: Service): void {
    for (const id of this.#kept.idsOf(service)) {
      const holders = this.#holders.get(id);
      holders?.delete(service.metadata.uid ?? '');
      if (holders?.size === 0) this.#holders.delete(id);
    }
  }
}
