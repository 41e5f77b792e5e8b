/** Which Services hold an address, and whether another one may join them: MetalLB's rules of sharing. Pure state. */
import { isDeepStrictEqual } from 'node:util';

/** What decides whether two Services may have one address. */
export interface Claim {
  /** `TCP/80`. */
  readonly ports: readonly string[];
  /** The Services of one key may share; empty: with nobody. */
  readonly sharingKey: string;
  /**
   * Under externalTrafficPolicy Local the selector: nodes without an endpoint drop packets, so the Services must have the same endpoints.
   * Empty otherwise.
   */
  readonly backendKey: string;
}

interface Holding {
  readonly addresses: readonly string[];
  readonly claim: Claim;
}

export class AddressBook {
  readonly #holdings = new Map<string, Holding>();
  readonly #holders = new Map<string, Set<string>>();

  addressesOf(service: string): readonly string[] {
    return this.#holdings.get(service)?.addresses ?? [];
  }

  /** Each address that somebody has, once. */
  taken(): string[] {
    return [...this.#holders.keys()];
  }

  isTaken(address: string): boolean {
    return this.#holders.has(address);
  }

  /** Addresses whose Services have this key. */
  sharedBy(sharingKey: string): string[] {
    return [...this.#holdings.values()].flatMap(({ addresses, claim }) => (claim.sharingKey === sharingKey ? addresses : []));
  }

  /** The Service holds these and no others from now on. True when others may have something that they could not before. */
  set(service: string, addresses: readonly string[], claim: Claim): boolean {
    const { addresses: before = [], claim: claimed = claim } = this.#holdings.get(service) ?? {};
    for (const address of before) {
      const holders = this.#holders.get(address);
      holders?.delete(service);
      if (holders?.size === 0) this.#holders.delete(address);
    }
    for (const address of addresses) {
      const holders = this.#holders.get(address) ?? new Set();
      this.#holders.set(address, holders.add(service));
    }
    if (addresses.length > 0) this.#holdings.set(service, { addresses, claim });
    else this.#holdings.delete(service);
    return before.some((address) => !addresses.includes(address)) || !isDeepStrictEqual(claim, claimed);
  }

  /** Why the Service may not have the address, in MetalLB's words; undefined when it may. */
  refusal(address: string, service: string, claim: Claim): string | undefined {
    const others = [...(this.#holders.get(address) ?? [])].filter((holder) => holder !== service).toSorted();
    for (const other of others) {
      const theirs = this.#holdings.get(other)?.claim;
      if (theirs === undefined) continue;
      if (!mayShare(theirs, claim)) return `can't change sharing key for "${service}", address also in use by ${others.join(',')}`;
      const port = claim.ports.find((one) => theirs.ports.includes(one));
      if (port !== undefined) return `port ${port} is already in use on "${address}"`;
    }
    return undefined;
  }
}

function mayShare(a: Claim, b: Claim): boolean {
  return a.sharingKey !== '' && a.sharingKey === b.sharingKey && a.backendKey === b.backendKey;
}
