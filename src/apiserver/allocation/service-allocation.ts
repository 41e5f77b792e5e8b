/**
 * What a Service takes of the cluster: ClusterIPs, node ports, a health-check port. Two steps: what is free is chosen by what this server
 * knows, at once and without the store; then each is claimed in the store, where another server may have been faster.
 */
import { randomInt } from 'node:crypto';
import { cloneJson } from '../../api/codec/json-clone.ts';
import { type KubeObject, services } from '../../api/resource-types.ts';
import type { Service } from '../../api/schema/types.ts';
import type { FieldError } from '../../api/validation/field-error.ts';
import type { Clock } from '../../clock/clock.ts';
import type { Lookup } from '../cache/lookup.ts';
import type { WatchFeed } from '../cache/watch-feed.ts';
import { internalError, isStatusError, serviceUnavailable } from '../status/status-error.ts';
import { type Allocation, nothingTaken, type Taken } from './allocation.ts';
import { type Claim, type Claims, releaseClaim } from './claims.ts';
import { NumberPool } from './number-pool.ts';
import { ServiceAddresses } from './service-addresses.ts';
import { type PortRange, ServicePorts } from './service-ports.ts';

interface ServiceAllocationOptions {
  readonly serviceCidr: string;
  readonly nodePorts: PortRange;
  readonly lookup: Lookup;
  readonly feed: Pick<WatchFeed, 'fresh' | 'reach'>;
  readonly claims: { readonly addresses: Claims; readonly ports: Claims };
  readonly clock: Clock;
}

/** Addresses, or ports. */
interface Stock {
  readonly pool: NumberPool;
  readonly claims: Claims;
  /** What a Service has or asks for, as the claims call it. */
  idsOf(service: Service): readonly string[];
  numberOf(id: string): number | undefined;
}

interface Wanted {
  readonly stock: Stock;
  readonly id: string;
}

type Claimed = Wanted & { readonly claim: Claim };

/** So often others may be faster. */
const maxAttempts = 64;
/** So often one looks again whether who was faster has it still: it may have wanted something else, too, that it could not get. */
const maxSecondLooks = 4;
/** A claim that is older may have been taken for a leftover: see `claim-keeper.ts`. */
export const claimToWriteMs = 20_000;
const reachMs = 10_000;

export class ServiceAllocation implements Allocation {
  readonly resource = 'services';
  readonly #options: ServiceAllocationOptions;
  readonly #addresses: ServiceAddresses;
  readonly #ports: ServicePorts;
  /** By what is taken of them. */
  readonly stocks: { readonly addresses: Stock; readonly ports: Stock };

  /** Follows the caches from the call on. */
  constructor(options: ServiceAllocationOptions) {
    const { lookup, clock, claims, serviceCidr, nodePorts } = options;
    this.#options = options;
    const random = (below: number): number => randomInt(below);
    const pools = { addresses: new NumberPool({ clock, random }), ports: new NumberPool({ clock, random }) };
    const addresses = new ServiceAddresses(serviceCidr, pools.addresses, lookup);
    const ports = new ServicePorts(nodePorts, pools.ports);
    this.#addresses = addresses;
    this.#ports = ports;
    this.stocks = {
      addresses: {
        pool: pools.addresses,
        claims: claims.addresses,
        idsOf: (service) => addresses.idsOf(service),
        numberOf: (id) => addresses.numberOf(id),
      },
      ports: { pool: pools.ports, claims: claims.ports, idsOf: (service) => ports.heldBy(service).map(String), numberOf: Number },
    };
    lookup.follow(services, {
      put: (service, previous) => {
        if (previous) this.#drop(previous);
        this.#hold(service);
      },
      delete: (service) => this.#drop(service),
    });
  }

  async allocate(next: KubeObject, old: KubeObject | undefined, dryRun: boolean): Promise<Taken> {
    const service = next as Service;
    if (!service.spec) return nothingTaken;
    const asked = cloneJson(service.spec);
    let isFresh = false;
    let lost = 0;
    for (let attempt = 0; attempt < maxAttempts; attempt++, service.spec = cloneJson(asked)) {
      const refused = this.#choose(service);
      if (refused && isFresh) return refused();
      if (refused) {
        // What another server gave back a moment ago may not have arrived.
        await this.#options.feed.fresh();
        this.#forgetElsewhere();
        isFresh = true;
      } else if (dryRun) {
        this.#forget(service);
        return nothingTaken;
      } else {
        const claims = await this.#claim(service, old as Service | undefined, lost > 0);
        if (claims) return { errors: [], giveBack: () => this.#giveBack(service, claims) };
        lost++;
        isFresh = isFresh && lost > maxSecondLooks;
      }
    }
    throw internalError('failed to allocate addresses and ports: other servers were faster each time');
  }

  async release(old: KubeObject, next: KubeObject | undefined, revision: number): Promise<void> {
    const service = old as Service;
    const gone = this.#beyond(service, next as Service | undefined);
    // What cannot be given back now is found by whoever looks after claims.
    await Promise.allSettled(gone.map(({ stock, id }) => releaseClaim(stock.claims, id, service, revision)));
  }

  /** Chooses by what is known here. Undefined, or what to answer instead. */
  #choose(service: Service): (() => Taken) | undefined {
    const owner = ownerOf(service);
    const { spec = {} } = service;
    let errors: FieldError[];
    try {
      errors = [...this.#addresses.allocate(spec, owner), ...this.#ports.allocate(spec, owner)];
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

  /** Undefined when somebody was faster with one of them. */
  async #claim(service: Service, old: Service | undefined, inTurn: boolean): Promise<readonly Claimed[] | undefined> {
    const { clock, feed } = this.#options;
    const begun = clock.monotonic();
    const wanted = this.#beyond(service, old);
    if (wanted.length === 0) return [];
    const { claims, refused, failure } = await takeAll(wanted, service, inTurn);
    if (failure || refused.length > 0) {
      await this.#giveBack(service, claims);
      if (failure) throw failure.reason;
      for (const one of refused) avoid(one);
      return undefined;
    }
    // A Service without a claim, whose claim somebody deleted, is older than the claim, and so known now.
    const isKnown = await feed.reach(Math.max(...claims.map(({ claim }) => claim.revision)), reachMs);
    if (!isKnown || clock.monotonic() - begun > claimToWriteMs) {
      await this.#giveBack(service, claims);
      throw serviceUnavailable('the store took too long to hand out addresses and ports, please try again');
    }
    if (claims.every(({ stock, id }) => stock.pool.isFree(stock.numberOf(id) ?? -1, ownerOf(service)))) return claims;
    await this.#giveBack(service, claims);
    return undefined;
  }

  async #giveBack(service: Service, claims: readonly Claimed[]): Promise<void> {
    this.#forget(service);
    await Promise.allSettled(claims.map(({ stock, claim }) => stock.claims.drop(claim)));
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
    for (const { pool } of Object.values(this.stocks)) pool.giveBack(ownerOf(service));
  }

  #forgetElsewhere(): void {
    for (const { pool } of Object.values(this.stocks)) pool.giveBack(elsewhere);
  }

  #hold(service: Service): void {
    const owner = ownerOf(service);
    for (const one of this.#addresses.heldBy(service)) this.stocks.addresses.pool.hold(one, owner);
    for (const one of this.#ports.heldBy(service)) this.stocks.ports.pool.hold(one, owner);
  }

  #drop(service: Service): void {
    const owner = ownerOf(service);
    for (const one of this.#addresses.heldBy(service)) this.stocks.addresses.pool.drop(one, owner);
    for (const one of this.#ports.heldBy(service)) this.stocks.ports.pool.drop(one, owner);
  }
}

/**
 * All at once: one round trip. Two servers that want the same address and port may then have one each, and neither both; in turn, whoever
 * has the first of them comes to the second.
 */
async function takeAll(
  wanted: readonly Wanted[],
  service: Service,
  inTurn: boolean,
): Promise<{
  readonly claims: readonly Claimed[];
  readonly refused: readonly Wanted[];
  readonly failure: PromiseRejectedResult | undefined;
}> {
  const claims: Claimed[] = [];
  const refused: Wanted[] = [];
  let failure: PromiseRejectedResult | undefined;
  const groups = inTurn ? wanted.map((one) => [one]) : [wanted];
  for (const group of groups) {
    const answers = await Promise.allSettled(group.map(({ stock, id }) => stock.claims.take(id, service)));
    for (const [i, answer] of answers.entries()) {
      const one = group[i]!;
      if (answer.status === 'rejected') failure ??= answer;
      else if (answer.value) claims.push({ ...one, claim: answer.value });
      else refused.push(one);
    }
    if (failure || refused.length > 0) break;
  }
  return { claims, refused, failure };
}

/** The owner of what another server is about to give to a Service that is not known here. */
const elsewhere = 'another server';

function avoid({ stock, id }: Wanted): void {
  const number = stock.numberOf(id);
  if (number !== undefined) stock.pool.take(number, elsewhere);
}

/** The name would do for one life of a Service; the uid tells two apart that follow each other. */
function ownerOf({ metadata }: Service): string {
  return `${metadata.namespace}/${metadata.name} ${metadata.uid}`;
}
