/**
 * A node port's claim is a key of its own. Upstream keeps one bitmap for all (RangeAllocation), which names no owner: whose bit it is
 * that somebody clears late, nobody can tell.
 */
import type { Service } from '../../api/schema/types.ts';
import { type NewRecord, prefixEnd, type Store, type StoredRecord } from '../../storage/store.ts';
import { registryPrefix } from '../cache/load.ts';
import type { Claim, Claims } from './claims.ts';

const prefix = `${registryPrefix}ranges/servicenodeports/`;

export class PortClaims implements Claims {
  readonly kind = 'node port';
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  recordOf(id: string, service: Service): NewRecord {
    const { namespace, name } = service.metadata;
    // In the form of an object, as everything under this prefix of the store.
    const claim = {
      apiVersion: 'v1',
      kind: 'NodePort',
      metadata: { name: id },
      spec: { parentRef: { resource: 'services', namespace, name } },
    };
    return { key: this.keyOf(id), value: Buffer.from(JSON.stringify(claim)) };
  }

  async take(id: string, service: Service, ifRevision = 0): Promise<boolean> {
    const { key, value } = this.recordOf(id, service);
    return (await this.#store.put(key, value, { ifRevision })).ok;
  }

  async get(id: string): Promise<Claim | undefined> {
    const record = await this.#store.get(this.keyOf(id));
    return record && claimOf(record);
  }

  keyOf(id: string): string {
    return prefix + id;
  }

  async list(): Promise<readonly Claim[]> {
    return (await this.#store.range(prefix, prefixEnd(prefix))).records.map(claimOf);
  }

  async drop({ id, revision }: Claim): Promise<void> {
    await this.#store.delete(this.keyOf(id), { ifRevision: revision });
  }
}

function claimOf({ key, value, modRevision }: StoredRecord): Claim {
  const { spec } = JSON.parse(Buffer.from(value).toString()) as { spec: { parentRef: { namespace: string; name: string } } };
  return { id: key.slice(prefix.length), owner: `${spec.parentRef.namespace}/${spec.parentRef.name}`, revision: modRevision };
}
