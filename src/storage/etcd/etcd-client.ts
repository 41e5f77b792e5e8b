/**
 * The way to an etcd, with all that is known of it: which leases it has, how far its watches have come, its newest write. An etcd that was set back
 * is another one: none of this counts there, and `recovery.ts` begins anew.
 */
import type { Clock } from '../../clock/clock.ts';
import { isKnownError, KnownError } from '../../errors/known-error.ts';
import type { Log } from '../../observability/log.ts';
import type { EtcdSettings } from './address.ts';
import { keepCompacting } from './compactor.ts';
import { Endpoints } from './endpoints.ts';
import { failed } from './etcd-error.ts';
import { Fence } from './fence.ts';
import { refuseHalfFilled } from './filling.ts';
import { firstMember, ownAddresses } from './first-member.ts';
import { LeaseBuckets } from './lease-buckets.ts';
import { WatchStream } from './watch-stream.ts';
import { Writes } from './writes.ts';

export class EtcdClient {
  readonly #settings: EtcdSettings;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly endpoints: Endpoints;
  readonly writes: Writes;
  readonly fence: Fence;
  readonly stream: WatchStream;
  readonly #stop = new AbortController();
  /** Called once, when nothing of this etcd is believed any more. */
  onSetBack: (why: KnownError) => void = () => {};

  constructor(settings: EtcdSettings, clock: Clock, log: Log) {
    const { endpoints, tls, shown, space } = settings;
    this.#settings = settings;
    this.#clock = clock;
    this.#log = log;
    const { first, home } = firstMember(endpoints, ownAddresses(), Math.random());
    const keys = { probe: space.fence, namesCluster: space.namesCluster };
    this.endpoints = new Endpoints(endpoints, tls, clock, { first, home, ...keys });
    this.writes = new Writes(this.endpoints, space, new LeaseBuckets(this.endpoints, clock));
    this.fence = new Fence(space.fence, this.endpoints, clock, log);
    this.stream = new WatchStream(this.endpoints, clock, log, shown);
    this.endpoints.onSetBack = (why) => {
      this.#stop.abort();
      this.fence.close();
      this.stream.close(why);
      this.onSetBack(why);
    };
  }

  /** Sees that the cluster can be used. Throws why not. */
  async admit(): Promise<void> {
    const { space, shown } = this.#settings;
    await this.#try('open', () => this.endpoints.examineAll());
    await this.#try('read', () => this.#refuseProtobuf());
    // Whose it is is noted with what it holds.
    await this.#try('read', () => this.endpoints.call('Range', { key: space.namesCluster }));
    await this.#try('read', () => refuseHalfFilled(this.endpoints, space, shown));
    try {
      await this.#try('write to', () => this.fence.raise());
    } catch (err) {
      // Deletes make room, so the server must start.
      if (!isKnownError(err, 'STORE_FULL')) throw err;
    }
  }

  async #refuseProtobuf(): Promise<void> {
    const { space, shown } = this.#settings;
    const { response } = await this.endpoints.call('Range', { ...space.range('/registry/namespaces/', '/registry/namespaces0'), limit: 1 });
    const [first] = response.kvs;
    if (!first || !Buffer.from('k8s\0').equals(first.value.subarray(0, 4))) return;
    throw new KnownError('BAD_CONFIG', `Cannot open store "${shown}": it holds the objects of another API server, as protobuf`, {
      hint: 'Give an etcd without a cluster or another prefix=/NAME, or let that server write its objects as JSON first (--storage-media-type=application/json)',
    });
  }

  /** Forgets what is old, until it is closed or set back. */
  keepCompacting(): void {
    const { compactionMs } = this.#settings;
    if (compactionMs > 0) void keepCompacting(this.endpoints, compactionMs, this.#clock, this.#log, this.#stop.signal);
  }

  close(): void {
    this.#stop.abort();
    this.fence.close();
    this.stream.close();
    this.endpoints.close();
  }

  async #try<T>(action: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (err) {
      throw failed(action, this.#settings.shown, err);
    }
  }
}
