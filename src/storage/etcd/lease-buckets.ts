/**
 * Leases for records with a time to live. As kube-apiserver does it, records of one time to live share a lease for up to a twentieth of
 * that time, so that a cluster with many Events has few leases; the lease lives longer by that much.
 */
import { randomInt } from 'node:crypto';
import type { Clock } from '../../clock/clock.ts';
import type { Endpoints } from './endpoints.ts';
import { isLeaseThere } from './etcd-error.ts';

const maxShareSeconds = 60;
/** etcd deletes all records of a lease in one step. */
const maxRecords = 1_000;

interface Bucket {
  readonly id: Promise<number>;
  readonly until: number;
  records: number;
}

export class LeaseBuckets {
  readonly #endpoints: Endpoints;
  readonly #clock: Clock;
  readonly #buckets = new Map<number, Bucket>();

  constructor(endpoints: Endpoints, clock: Clock) {
    this.#endpoints = endpoints;
    this.#clock = clock;
  }

  /** The id of a lease that lives for so long at least, and hardly longer. */
  lease(ttlSeconds: number): Promise<number> {
    const known = this.#buckets.get(ttlSeconds);
    const now = this.#clock.monotonic();
    if (known && now < known.until && known.records < maxRecords) {
      known.records++;
      return known.id;
    }
    const share = Math.min(maxShareSeconds, Math.floor(ttlSeconds / 20));
    const bucket = { id: this.#grant(ttlSeconds + share), until: now + share * 1000, records: 1 };
    bucket.id.catch(() => this.#forget(ttlSeconds, bucket));
    this.#buckets.set(ttlSeconds, bucket);
    return bucket.id;
  }

  /** The lease is gone before its time. */
  drop(ttlSeconds: number): void {
    this.#buckets.delete(ttlSeconds);
  }

  #forget(ttlSeconds: number, bucket: Bucket): void {
    if (this.#buckets.get(ttlSeconds) === bucket) this.#buckets.delete(ttlSeconds);
  }

  /** When the answer to one was lost, the next member knows it already. That one ends by itself: nobody may know how long it has been there. */
  async #grant(ttl: number): Promise<number> {
    return await this.#grantNew(ttl).catch((err: unknown) => {
      if (!isLeaseThere(err)) throw err;
      return this.#grantNew(ttl);
    });
  }

  /** The id is ours to choose: one that etcd chose would not fit into a number. */
  async #grantNew(ttl: number): Promise<number> {
    return (await this.#endpoints.call('LeaseGrant', { ttl: Math.max(1, Math.ceil(ttl)), id: randomInt(1, 2 ** 47) })).response.id;
  }
}
