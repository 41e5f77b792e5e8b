/** A ClusterIP's claim is its IPAddress object (KEP-1880), which is what `kubectl get ipaddresses` and the protection of ServiceCIDRs read. */
import { ipAddresses, type KubeObject } from '../../api/resource-types.ts';
import type { IPAddress, Service } from '../../api/schema/types.ts';
import type { Store } from '../../storage/store.ts';
import { ownWrite } from '../bootstrap/ensure.ts';
import { CachedObject } from '../cache/cached-object.ts';
import type { Lookup } from '../cache/lookup.ts';
import type { ObjectStore } from '../resource/object-store.ts';
import type { Writer } from '../resource/writer.ts';
import { isStatusError } from '../status/status-error.ts';
import { type Claim, type Claims, claimOwner } from './claims.ts';
import { ipAddressOf, isOfService } from './ip-address.ts';

interface AddressClaimsDeps {
  readonly store: Store;
  readonly objects: ObjectStore;
  readonly lookup: Lookup;
  /** Made after the allocations that it asks. */
  readonly writer: () => Writer;
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

  async take(id: string, service: Service): Promise<Claim | undefined> {
    const row = this.#deps.objects.registry.rowFor(ipAddresses);
    try {
      const { revision } = await this.#deps.writer().create(row, '', ipAddressOf(id, service), ownWrite());
      return { id, owner: claimOwner(service), revision };
    } catch (err) {
      if (isStatusError(err, 'AlreadyExists')) return undefined;
      throw err;
    }
  }

  async get(id: string): Promise<Claim | undefined> {
    const record = await this.#deps.store.get(this.#key(id));
    return record && claimOf(CachedObject.of(record).object as KubeObject as IPAddress);
  }

  async list(): Promise<readonly Claim[]> {
    return [...this.#known.values()];
  }

  async drop({ id, revision }: Claim): Promise<void> {
    await this.#deps.store.delete(this.#key(id), { ifRevision: revision });
  }

  #key(id: string): string {
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
