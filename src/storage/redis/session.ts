/**
 * The connections to one Redis process, from the moment that it was found fit until the first of them breaks. Nothing is sent twice and
 * nothing outlives a break: a session ends once, and `link.ts` begins the next one.
 */
import { type ChainableCommander, Redis, type RedisOptions } from 'ioredis';
import type { RedisSettings } from './address.ts';
import { type FunctionName, functionKeys, functionName, keys, libraryText } from './library.ts';
import { answerCode, isMissingFunction, Unconfirmed } from './redis-error.ts';
import { type Address, findPrimary } from './sentinels.ts';

/** What a command may be given. */
type Argument = string | Buffer | number;

/** How long a call blocks that waits for events. */
export const blockMs = 3_000;
/** Writes that are sent at once, with one WAIT behind them. */
const batchWrites = 64;

interface Call {
  readonly name: FunctionName;
  readonly args: readonly Argument[];
  resolve(reply: unknown): void;
  reject(err: unknown): void;
}

interface SessionOptions {
  readonly signal?: AbortSignal;
  /** The primary, when somebody knows it already. */
  readonly at?: Address | undefined;
}

type Result = readonly [err: Error | null, reply: unknown];

/** What is wrong with the answer to WAIT, if anything is. */
function shortfall([err, confirmed]: Result, wanted: number): Error | undefined {
  if (err) return err;
  return Number(confirmed) < wanted ? new Unconfirmed(`${String(confirmed)} of ${wanted} replicas confirmed it`) : undefined;
}

export class Session {
  readonly #settings: RedisSettings;
  /** One for writes, since WAIT blocks it; one for reads; one that blocks for events. */
  readonly #writes: Redis;
  readonly #reads: Redis;
  readonly #tail: Redis;
  readonly #ended = Promise.withResolvers<unknown>();
  #over = false;
  #outbox: Call[] = [];

  private constructor(settings: RedisSettings, primary: Address | undefined) {
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
    this.#reads = client({ commandTimeout: answerMs, enableAutoPipelining: true, autoPipeliningIgnoredCommands: ['FCALL_RO'] });
    this.#tail = client({ socketTimeout: blockMs + answerMs });
  }

  /** Connects, and sees that all connections have reached the same process. The signal ends it, also later. */
  static async open(settings: RedisSettings, { signal, at }: SessionOptions = {}): Promise<Session> {
    const session = new Session(settings, at ?? (settings.sentinels && (await findPrimary(settings.sentinels))));
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

  /** Calls a function that writes. Calls of one turn of the event loop go out together, in their order. */
  write(name: FunctionName, args: readonly Argument[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#outbox.push({ name, args, resolve, reject }) === 1) queueMicrotask(() => this.#flush());
    });
  }

  /** Calls a function that reads. */
  read(name: FunctionName, args: readonly Argument[]): Promise<unknown> {
    return this.#call(this.#reads, 'FCALL_RO', name, args);
  }

  /** The first call of a session, which waits for no replica. */
  open(args: readonly Argument[]): Promise<unknown> {
    return this.#call(this.#writes, 'FCALL', 'open', args);
  }

  /** Throws, and ends the session, when nothing of the store is there: a key that is not there says nothing then. */
  async mustHoldStore(): Promise<void> {
    if (await this.#reads.exists(keys.meta)) return;
    const gone = new Error('nothing of the store is there');
    this.end(gone);
    throw gone;
  }

  /** Returns when enough replicas have what the answers before were made of. Throws `Unconfirmed`. */
  async confirm(client: Redis): Promise<void> {
    const { waitReplicas } = this.#settings;
    if (waitReplicas === 0) return;
    const pipeline = client.pipeline();
    this.#fence(pipeline);
    const problem = shortfall((await pipeline.exec())!.at(-1)!, waitReplicas);
    if (problem) throw problem;
  }

  /** WAIT waits for what its own connection has written. A message is the smallest write: replicas get it, the disk does not. */
  #fence(pipeline: ChainableCommander): void {
    pipeline.publish(keys.fence, '').wait(this.#settings.waitReplicas, this.#settings.confirmMs);
  }

  async #call(client: Redis, command: string, name: FunctionName, args: readonly Argument[]): Promise<unknown> {
    const call = (): Promise<unknown> => client.callBuffer(command, functionName(name), ...functionKeys, ...args);
    try {
      return await call();
    } catch (err) {
      if (answerCode(err) === 'GONE') this.end(err);
      if (!isMissingFunction(err)) throw err;
      await this.#load(client);
      return call();
    }
  }

  #flush(): void {
    const calls = this.#outbox;
    this.#outbox = [];
    for (let i = 0; i < calls.length; i += batchWrites) void this.#send(calls.slice(i, i + batchWrites));
  }

  async #send(calls: readonly Call[]): Promise<void> {
    const { waitReplicas } = this.#settings;
    const pipeline = this.#writes.pipeline();
    for (const { name, args } of calls) pipeline.callBuffer('FCALL', functionName(name), ...functionKeys, ...args);
    if (waitReplicas > 0) this.#fence(pipeline);
    try {
      const results = (await pipeline.exec()) ?? [];
      const unconfirmed = waitReplicas > 0 ? shortfall(results.at(-1)!, waitReplicas) : undefined;
      for (const [i, call] of calls.entries()) this.#settle(call, results[i]!, unconfirmed);
    } catch (err) {
      for (const call of calls) call.reject(err);
    }
  }

  #settle(call: Call, [err, reply]: Result, unconfirmed: Error | undefined): void {
    if (answerCode(err) === 'GONE') this.end(err);
    if (isMissingFunction(err)) this.#again(call);
    else if (err ?? unconfirmed) call.reject(err ?? unconfirmed);
    else call.resolve(reply);
  }

  /** A function that is missing has not run: the call is sent once more when it is there. */
  #again(call: Call): void {
    this.#load(this.#writes)
      .then(() => this.write(call.name, call.args))
      .then(call.resolve, call.reject);
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
