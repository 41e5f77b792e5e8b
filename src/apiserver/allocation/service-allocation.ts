/**
 * What a Service takes of the cluster: ClusterIPs, node ports, a health-check port. What is free is chosen by what this server knows, at once
 * and without the store. Claims come and go in the store with the Service, in one commit: if another server was faster, all of it is refused.
 */
import { randomInt } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { cloneJson } from '../../api/codec/json-clone.ts';
import { defaultFamilies } from '../../api/defaults/service-families.ts';
import { keepAllocated } from '../../api/registry/rows/service-update.ts';
import { type KubeObject, services } from '../../api/resource-types.ts';
import type { Service, ServiceSpec } from '../../api/schema/types.ts';
import type { FieldError } from '../../api/validation/field-error.ts';
import type { Clock } from '../../clock/clock.ts';
import type { OldRecord } from '../../storage/store.ts';
import type { Lookup } from '../cache/lookup.ts';
import type { WatchFeed } from '../cache/watch-feed.ts';
import { AlongsideTaken } from '../resource/object-store.ts';
import { internalError, isStatusError } from '../status/status-error.ts';
import { type Allocation, type Asking, nothingTaken, type Taken } from './allocation.ts';
import { type Claims, claimAhead, claimOf } from './claims.ts';
import { NumberPool, type Place } from './number-pool.ts';
import { ServiceAddresses } from './service-addresses.ts';
import { type PortRange, ServicePorts } from './service-ports.ts';

interface ServiceAllocationOptions {
  readonly serviceCidrs: readonly string[];
  readonly nodePorts: PortRange;
  readonly lookup: Lookup;
  readonly feed: Pick<WatchFeed, 'fresh'>;
  readonly claims: { readonly addresses: Claims; readonly ports: Claims };
  readonly clock: Clock;
}

/** Addresses, or ports. */
interface Stock {
  readonly pools: readonly NumberPool[];
  readonly claims: Claims;
  /** What a Service has or asks for, as the claims call it. */
  idsOf(service: Service): readonly string[];
  placeOf(id: string): Place | undefined;
  heldBy(service: Service): readonly Place[];
}

interface Wanted {
  readonly stock: Stock;
  readonly id: string;
}

/**
 * So many claims share a commit with a Service: etcd takes 128 operations. What is beyond is made before, and is taken away by whoever looks
 * after claims.
 */
const claimsPerCommit = 100;
/** So often others may be faster. */
const maxAttempts = 64;
/** So often one looks again whether who was faster has it still: it may have wanted something else, too, that it could not get. */
const maxSecondLooks = 4;

export class ServiceAllocation implements Allocation {
  readonly resource = 'services';
  readonly #options: ServiceAllocationOptions;
  readonly #addresses: ServiceAddresses;
  readonly #ports: ServicePorts;
  /** By what is taken of them. */
  readonly stocks: { readonly addresses: Stock; readonly ports: Stock };

  /** Follows the caches from the call on. */
  constructor(options: ServiceAllocationOptions) {
    const { lookup, clock, claims, serviceCidrs, nodePorts } = options;
    this.#options = options;
    const newPool = (): NumberPool => new NumberPool({ clock, random: (below) => randomInt(below) });
    const addresses = new ServiceAddresses(serviceCidrs, newPool, lookup);
    const portPool = newPool();
    const ports = new ServicePorts(nodePorts, portPool);
    this.#addresses = addresses;
    this.#ports = ports;
    this.stocks = {
      addresses: {
        pools: addresses.pools,
        claims: claims.addresses,
        idsOf: (service) => addresses.idsOf(service),
        placeOf: (id) => addresses.placeOf(id),
        heldBy: (service) => addresses.heldBy(service),
      },
      ports: {
        pools: [portPool],
        claims: claims.ports,
        idsOf: (service) => ports.heldBy(service).map(String),
        placeOf: (id) => ({ pool: portPool, number: Number(id) }),
        heldBy: (service) => ports.heldBy(service).map((number) => ({ pool: portPool, number })),
      },
    };
    lookup.follow(services, {
      put: (service, previous) => {
        const before = previous();
        if (before) this.#drop(before);
        this.#hold(service);
      },
      delete: (service) => this.#drop(service),
    });
  }

  prepare(next: KubeObject, old: KubeObject | undefined): readonly FieldError[] {
    const [spec, before] = [(next as Service).spec, (old as Service | undefined)?.spec];
    if (!spec) return [];
    if (before) keepAllocated(spec, before);
    else if (spec.clusterIP && !spec.clusterIPs?.length) spec.clusterIPs = [spec.clusterIP];
    return defaultFamilies(spec, before, this.#addresses.families);
  }

  async allocate(next: KubeObject, old: KubeObject | undefined, { dryRun, lost }: Asking): Promise<Taken> {
    const service = next as Service;
    // Most updates are of the status.
    if (!service.spec || isDeepStrictEqual(service.spec, (old as Service | undefined)?.spec)) return nothingTaken;
    if (lost >= maxAttempts) throw outrun();
    const asked = service.spec;
    const chosen = await this.#choose(service, old as Service | undefined, lost);
    if (!('wanted' in chosen)) return chosen;
    if (dryRun) this.#forget(service);
    if (dryRun) return nothingTaken;
    const giveBack = (lost?: string): void => {
      this.#forget(service);
      service.spec = asked;
      const taken = chosen.wanted.find(({ stock, id }) => stock.claims.keyOf(id) === lost);
      if (taken) avoid(taken);
    };
    const lostAhead = await this.#claimAhead(chosen.wanted.slice(claimsPerCommit), service);
    if (lostAhead) {
      giveBack(lostAhead);
      throw new AlongsideTaken(lostAhead);
    }
    const claims = chosen.wanted.slice(0, claimsPerCommit).map(({ stock, id }) => stock.claims.recordOf(id, service));
    const released = old ? await this.#claimsOf(this.#beyond(old as Service, service), old as Service) : [];
    return { errors: [], claims: [...claims, ...released].slice(0, claimsPerCommit), giveBack };
  }

  async release(old: KubeObject, { dryRun, lost }: Asking): Promise<readonly OldRecord[]> {
    if (lost >= maxAttempts) throw outrun();
    return dryRun ? [] : this.#claimsOf(this.#beyond(old as Service, undefined), old as Service);
  }

  /** The key of one that somebody else has. */
  async #claimAhead(wanted: readonly Wanted[], service: Service): Promise<string | undefined> {
    const made = await Promise.all(wanted.map(({ stock, id }) => claimAhead(stock.claims, id, service)));
    const lost = wanted[made.indexOf(false)];
    return lost?.stock.claims.keyOf(lost.id);
  }

  async #claimsOf(had: readonly Wanted[], service: Service): Promise<readonly OldRecord[]> {
    const inCommit = had.slice(0, claimsPerCommit);
    return (await Promise.all(inCommit.map(({ stock, id }) => claimOf(stock.claims, id, service)))).flat();
  }

  /** Chooses for a copy of what the Service asks for, and once more when this server did not know everything. Or says why it cannot have it. */
  async #choose(service: Service, old: Service | undefined, lost: number): Promise<{ readonly wanted: readonly Wanted[] } | Taken> {
    const asked = service.spec;
    for (let isFresh = false; ; isFresh = true) {
      service.spec = cloneJson(asked);
      const refused = this.#take(service, old?.spec);
      if (refused && isFresh) return refused();
      const wanted = refused ? [] : this.#beyond(service, old);
      if (!refused && wanted.length === 0) return { wanted };
      // What another server gave back a moment ago may not have arrived, nor a Service whose claim somebody deleted.
      await this.#options.feed.fresh();
      if (!refused && wanted.every((one) => this.#isFree(one, service))) return { wanted };
      this.#forget(service);
      // Who was faster may have given back what it took, or something else may have it, which no Service tells of.
      if (lost < maxSecondLooks) this.#forgetElsewhere();
    }
  }

  #isFree({ stock, id }: Wanted, service: Service): boolean {
    const place = stock.placeOf(id);
    return place?.pool.isFree(place.number, ownerOf(service)) ?? false;
  }

  /** Takes what is free by what is known here. Undefined, or what to answer instead. */
  #take(service: Service, before: ServiceSpec | undefined): (() => Taken) | undefined {
    const owner = ownerOf(service);
    const { spec = {} } = service;
    let errors: FieldError[];
    try {
      errors = [...this.#addresses.allocate(spec, owner, before), ...this.#ports.allocate(spec, owner)];
      if (errors.length === 0) errors.push(...this.#ports.allocateHealthCheck(spec, owner));
    } catch (err) {
      if (!isStatusError(err)) throw err;
      this.#forget(service);
      return () => {
        throw err;
      };
    }
    if (errors.length === 0) return undefined;
    this.#forget(service);
    return () => ({ ...nothingTaken, errors });
  }

  /** What `one` has and `other` has not. */
  #beyond(one: Service, other: Service | undefined): readonly Wanted[] {
    return Object.values(this.stocks).flatMap((stock) => {
      const had = new Set(other ? stock.idsOf(other) : []);
      return [...new Set(stock.idsOf(one))]
        .filter((id) => !had.has(id))
        .toSorted()
        .map((id) => ({ stock, id }));
    });
  }

  /** What was chosen for it and is not stored. */
  #forget(service: Service): void {
    this.#giveBack(ownerOf(service));
  }

  #forgetElsewhere(): void {
    this.#giveBack(elsewhere);
  }

  #giveBack(owner: string): void {
    for (const { pools } of Object.values(this.stocks)) for (const pool of pools) pool.giveBack(owner);
  }

  #hold(service: Service): void {
    for (const { pool, number } of this.#heldBy(service)) pool.hold(number, ownerOf(service));
  }

  #drop(service: Service): void {
    for (const { pool, number } of this.#heldBy(service)) pool.drop(number, ownerOf(service));
  }

  #heldBy(service: Service): readonly Place[] {
    return Object.values(this.stocks).flatMap((stock) => stock.heldBy(service));
  }
}

/** The owner of what another server is about to give to a Service that is not known here. */
const elsewhere = 'another server';

function avoid({ stock, id }: Wanted): void {
  const place = stock.placeOf(id);
  place?.pool.take(place.number, elsewhere);
}

function outrun(): Error {
  return internalError('failed to allocate addresses and ports: other servers were faster each time');
}

/** The name would do for one life of a Service; the uid tells two apart that follow each other. */
function ownerOf({ metadata }: Service): string {
  return `${metadata.namespace}/${metadata.name} ${metadata.uid}`;
}
