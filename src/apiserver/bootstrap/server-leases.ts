/**
 * Which API servers there are, by upstream's master leases: each keeps a key with its address alive, which the store deletes when the server
 * no longer does. Upstream's keys, times and values.
 */
import type { Endpoints } from '../../api/schema/types.ts';
import { prefixEnd, type Store, type StoredRecord, type StoreEvent } from '../../storage/store.ts';
import { registryPrefix } from '../cache/load.ts';

const prefix = `${registryPrefix}masterleases/`;
const ttlSeconds = 15;

export interface ServerAddress {
  readonly ip: string;
  readonly port: number;
}

export class ServerLeases {
  readonly #store: Store;
  /** The revision of the lease as it was written or found last: it is never written but over that. */
  #known = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  async renew(address: ServerAddress): Promise<void> {
    const { ip, port } = address;
    const lease: Endpoints = {
      apiVersion: 'v1',
      kind: 'Endpoints',
      metadata: { name: 'kubernetes', namespace: 'default' },
      subsets: [{ addresses: [{ ip }], ports: [{ name: 'https', port, protocol: 'TCP' }] }],
    };
    const value = Buffer.from(JSON.stringify(lease));
    for (;;) {
      const put = await this.#store.put(prefix + ip, value, { ttlSeconds, ifRevision: this.#known });
      this.#known = (put.ok ? put.record : put.current)?.modRevision ?? 0;
      if (put.ok) return;
      // It has run out, or somebody else wrote it.
    }
  }

  /** In the order of their keys, which is the same for all who ask. */
  async list(): Promise<readonly ServerAddress[]> {
    return (await this.#store.range(prefix, prefixEnd(prefix))).records.flatMap(addressOf);
  }

  /** Leaves the lease of a successor at the same address. */
  async remove(ip: string): Promise<void> {
    await this.#store.delete(prefix + ip, { ifRevision: this.#known });
  }

  /** Tells when a server has come or gone. Rejects when it cannot be told any longer, ends with the signal. */
  async follow(tell: () => void, signal: AbortSignal): Promise<void> {
    const from = (await this.#store.revision()) + 1;
    tell();
    for await (const batch of this.#store.watch(prefix, prefixEnd(prefix), from, { signal })) if (batch.some(isNews)) tell();
  }
}

/** And not a renewal. */
function isNews(event: StoreEvent): boolean {
  return event.kind === 'delete' || event.record.createRevision === event.record.modRevision;
}

function addressOf({ key, value }: StoredRecord): ServerAddress[] {
  const { subsets } = JSON.parse(Buffer.from(value).toString()) as Endpoints;
  const port = subsets?.[0]?.ports?.[0]?.port;
  return port === undefined ? [] : [{ ip: key.slice(prefix.length), port }];
}
