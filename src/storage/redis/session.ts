/**
 * The connections to one Redis process, from the moment that it was found fit until the first of them breaks. Nothing is sent twice and
 * nothing outlives a break: a session ends once, and `link.ts` begins the next one.
 */
import { Redis, type RedisOptions } from 'ioredis';
import type { RedisSettings } from './address.ts';
import { type Argument, GroupCommit } from './group-commit.ts';
import { type FunctionName, functionKeys, functionName, keys, libraryText } from './library.ts';
import { answerCode, isMissingFunction } from './redis-error.ts';
import { type Address, findPrimary } from './sentinels.ts';

/** How long a call blocks that waits for events. */
export const blockMs = 3_000;

interface SessionOptions {
  readonly signal?: AbortSignal;
  /** The primary, when somebody knows it already. */
  readonly at?: Address | undefined;
  /** Whether another one is about to take its place. */
  readonly isReplaced?: () => boolean;
}

export class Session {
  readonly #settings: RedisSettings;
  /** One for writes, since WAIT blocks it; one for reads; one that blocks for events. */
  readonly #writes: Redis;
  readonly #reads: Redis;
  readonly #tail: Redis;
  readonly #ended = Promise.withResolvers<unknown>();
  readonly #commits: GroupCommit;
  #over = false;

  private constructor(settings: RedisSettings, primary: Address | undefined, isReplaced: () => boolean) {
    this.#settings = settings;
    const { answerMs } = settings;
    const client = (options: RedisOptions): Redis => {
      const all = {
        ...settings.connection,
        ...(primary && { host: primary.host, port: primary.port }),
        ...options,
        lazyConnect: true,
        protocol: 2,
        replyMapping: 'legacy',
        retryStrategy: null,
        enableOfflineQueue: false,
        autoResendUnfulfilledCommands: false,
        maxRetriesPerRequest: 0,
        keepAlive: 10_000,
        connectTimeout: 5_000,
        // When sentinels name another primary, the old one may have vanished, and never say goodbye.
        disconnectTimeout: 100,
      } satisfies RedisOptions;
      const redis = new Redis(all);
      redis.on('error', (err) => this.end(err));
      redis.on('end', () => this.end(new Error('the connection to Redis was closed')));
      return redis;
    };
    this.#writes = client({ commandTimeout: answerMs });
    this.#commits = new GroupCommit(this.#writes, { ...settings, isReplaced });
    this.#reads = client({ commandTimeout: answerMs, enableAutoPipelining: true, autoPipeliningIgnoredCommands: ['FCALL_RO'] });
    this.#tail = client({ socketTimeout: blockMs + answerMs });
  }

  /** Connects, and sees that all connections have reached the same process. The signal ends it, also later. */
  static async open(settings: RedisSettings, { signal, at, isReplaced = () => false }: SessionOptions = {}): Promise<Session> {
    const session = new Session(settings, at ?? (settings.sentinels && (await findPrimary(settings.sentinels))), isReplaced);
    signal?.addEventListener('abort', () => session.end(signal.reason));
    try {
      signal?.throwIfAborted();
      await Promise.all(session.#clients.map((client) => client.connect()));
      const processes = await Promise.all(session.#clients.map(async (client) => /run_id:(\w+)/.exec(await client.info('server'))?.[1]));
      if (new Set(processes).size > 1) throw new Error('the primary changed while it was connected to');
      return session;
    } catch (err) {
      session.end(err);
      // What broke the connection says more than that it is closed.
      throw await session.ended;
    }
  }

  /** Resolves with the reason when the session is over. */
  get ended(): Promise<unknown> {
    return this.#ended.promise;
  }

  get isOver(): boolean {
    return this.#over;
  }

  get #clients(): readonly Redis[] {
    return [this.#writes, this.#reads, this.#tail];
  }

  get writes(): Redis {
    return this.#writes;
  }

  get reads(): Redis {
    return this.#reads;
  }

  get tail(): Redis {
    return this.#tail;
  }

  end(reason: unknown): void {
    if (this.#over) return;
    this.#over = true;
    this.#ended.resolve(reason);
    for (const client of this.#clients) {
      // ioredis listens to the first error of a stream alone; TLS has more than one, and nobody may fall over the second.
      const { stream } = client as { stream: Redis['stream'] | undefined };
      stream?.on('error', () => {});
      client.disconnect();
    }
  }

  /** Calls a function that writes. Calls of one turn of the event loop go out together, in their order. Throws `Unconfirmed`. */
  write(name: FunctionName, args: readonly Argument[]): Promise<unknown> {
    return this.#call(this.#writes, () => this.#commits.send(['FCALL', functionName(name), ...functionKeys, ...args]));
  }

  /** Calls a function that reads. */
  read(name: FunctionName, args: readonly Argument[]): Promise<unknown> {
    return this.#call(this.#reads, () => this.#reads.callBuffer('FCALL_RO', functionName(name), ...functionKeys, ...args));
  }

  /** The first call of a session, which waits for no replica. */
  open(args: readonly Argument[]): Promise<unknown> {
    return this.#call(this.#writes, () => this.#writes.callBuffer('FCALL', functionName('open'), ...functionKeys, ...args));
  }

  /** Throws, and ends the session, when nothing of the store is there: a key that is not there says nothing then. */
  async mustHoldStore(): Promise<void> {
    if (await this.#reads.exists(keys.meta)) return;
    const gone = new Error('nothing of the store is there');
    this.end(gone);
    throw gone;
  }

  /** Returns when the replicas have what the answers before were made of, and this is still the primary. Throws `Unconfirmed`. */
  async confirm(): Promise<void> {
    if (this.#settings.waitReplicas > 0) await this.#commits.send();
  }

  /** Returns when the replicas have every write up to a revision. Throws `Unconfirmed`. */
  async reach(revision: number): Promise<void> {
    if (this.#settings.waitReplicas > 0) await this.#commits.reach(revision);
  }

  async #call(client: Redis, call: () => Promise<unknown>): Promise<unknown> {
    try {
      return await call();
    } catch (err) {
      if (answerCode(err) === 'GONE') this.end(err);
      if (!isMissingFunction(err)) throw err;
      // It has not run.
      await this.#load(client);
      return call();
    }
  }

  async #load(client: Redis): Promise<void> {
    try {
      await client.call('FUNCTION', 'LOAD', libraryText);
    } catch (err) {
      // Another server was faster.
      if (answerCode(err) === undefined || !(err as Error).message.includes('already exists')) throw err;
    }
  }
}
