/** A ClusterIP's claim is its IPAddress object (KEP-1880), which is what `kubectl get ipaddresses` and the protection of ServiceCIDRs read. */
import { randomUUID } from 'node:crypto';
import { beforeCreate } from '../../api/registry/lifecycle.ts';
import { ipAddresses, type KubeObject } from '../../api/resource-types.ts';
import type { IPAddress, Service } from '../../api/schema/types.ts';
import type { Clock } from '../../clock/clock.ts';
import type { NewRecord, Store } from '../../storage/store.ts';
import { CachedObject } from '../cache/cached-object.ts';
import type { Lookup } from '../cache/lookup.ts';
import type { ObjectStore } from '../resource/object-store.ts';
import type { Claim, Claims } from './claims.ts';
import { ipAddressOf, isOfService } from './ip-address.ts';

interface AddressClaimsDeps {
  readonly store: Store;
  readonly objects: ObjectStore;
  readonly lookup: Lookup;
  readonly clock: Clock;
}

export class AddressClaims implements Claims {
  readonly kind = 'IPAddress';
  readonly #deps: AddressClaimsDeps;
  readonly #known = new Map<string, Claim>();
  readonly #tell: ((id: string) => void)[] = [];

  /** Follows the cache from the call on. */
  constructor(deps: AddressClaimsDeps) {
    this.#deps = deps;
    deps.lookup.follow(ipAddresses, {
      put: (object) => this.#known.set(object.metadata.name, claimOf(object)),
      delete: ({ metadata }) => {
        this.#known.delete(metadata.name);
        for (const tell of this.#tell) tell(metadata.name);
      },
    });
  }

  onDelete(tell: (id: string) => void): void {
    this.#tell.push(tell);
  }

  recordOf(id: string, service: Service): NewRecord {
    const { objects, clock } = this.#deps;
    const row = objects.registry.rowFor(ipAddresses);
    const address = ipAddressOf(id, service);
    beforeCreate(row, address, { now: new Date(clock.now()), uid: randomUUID() });
    return objects.recordOf(row, address);
  }

  async take(id: string, service: Service, ifRevision = 0): Promise<boolean> {
    const { key, value } = this.recordOf(id, service);
    return (await this.#deps.store.put(key, value, { ifRevision })).ok;
  }

  async get(id: string): Promise<Claim | undefined> {
    const record = await this.#deps.store.get(this.keyOf(id));
    return record && claimOf(CachedObject.of(record).object as KubeObject as IPAddress);
  }

  async list(): Promise<readonly Claim[]> {
    return [...this.#known.values()];
  }

  async drop({ id, revision }: Claim): Promise<void> {
    await this.#deps.store.delete(this.keyOf(id), { ifRevision: revision });
  }

  keyOf(id: string): string {
    const { objects } = this.#deps;
    return objects.key(objects.registry.rowFor(ipAddresses), '', id);
  }
}

function claimOf({ metadata, spec }: IPAddress): Claim {
  const { namespace, name } = spec?.parentRef ?? {};
  return {
    id: metadata.name,
    owner: isOfService(metadata) ? `${namespace}/${name}` : undefined,
    revision: Number(metadata.resourceVersion),
  };
}
