/**
 * What the sentinels say: who is the primary, and when that changes. ioredis can ask them, too, but believes the first that answers: one hears of
 * a fail-over up to two seconds after the one that led it, and names a primary that has vanished.
 */
import { Redis, type RedisOptions } from 'ioredis';
import { KnownError, messageOf } from '../../errors/known-error.ts';
import type { Log } from '../../observability/log.ts';
import { Replacements, replacementEvents } from './replacements.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface SentinelSettings {
  /** What they call the primary. */
  readonly name: string;
  readonly each: readonly (RedisOptions & Address)[];
}

/** What one of them says. The epoch counts fail-overs: the higher one is the newer word. */
export interface Word extends Address {
  readonly epoch: number;
}

/** One that is paused takes connections and says nothing. */
const answerMs = 1_000;
const retryMs = 1_000;
const switched = '+switch-master';
const plain = { protocol: 2, replyMapping: 'legacy' } as const;

/**
 * The newest word of a majority: the sentinel that led the last fail-over had one behind it. Of fewer when the others do not answer. Throws why
 * nobody does.
 */
export async function findPrimary({ name, each }: SentinelSettings): Promise<Address> {
  const words: Word[] = [];
  const failures: unknown[] = [];
  const enough = Promise.withResolvers<void>();
  const majority = (each.length >> 1) + 1;
  for (const sentinel of each)
    void ask(sentinel, name)
      .then(
        (word) => void words.push(word),
        (err: unknown) => void failures.push(err),
      )
      .finally(() => {
        if (words.length >= majority || words.length + failures.length === each.length) enough.resolve();
      });
  await enough.promise;
  const newest = newestOf(words);
  if (!newest) throw failures[0];
  return newest;
}

export function newestOf(words: readonly Word[]): Word | undefined {
  return words.toSorted((a, b) => b.epoch - a.epoch)[0];
}

async function ask(sentinel: RedisOptions & Address, name: string): Promise<Word> {
  const client = new Redis({ ...sentinel, ...plain, retryStrategy: null, connectTimeout: answerMs, commandTimeout: answerMs });
  // The command fails with it.
  client.on('error', () => {});
  try {
    return wordOf(name, (await client.call('SENTINEL', 'MASTER', name)) as readonly string[]);
  } catch (err) {
    if (!messageOf(err).includes('No such master')) throw err;
    throw new KnownError('BAD_CONFIG', `Cannot find Redis: the sentinel at ${shown(sentinel)} watches no primary "${name}"`, {
      hint: 'Give the name that its configuration has: "sentinel monitor NAME …"',
    });
  } finally {
    client.disconnect();
  }
}

/** Of the names and values that SENTINEL MASTER answers with. */
export function wordOf(name: string, answer: readonly string[]): Word {
  const fields = new Map<string, string>();
  for (let i = 0; i + 1 < answer.length; i += 2) fields.set(answer[i]!, answer[i + 1]!);
  const [host, port, epoch] = [fields.get('ip'), Number(fields.get('port')), Number(fields.get('config-epoch'))];
  if (!host || !(port > 0) || !(epoch >= 0)) throw new Error(`a sentinel does not say where "${name}" is: ${answer.join(' ')}`);
  return { host, port, epoch };
}

/** The new primary of a message `NAME OLDHOST OLDPORT HOST PORT`; undefined when it is about another one. */
export function switchOf(name: string, message: string): Address | undefined {
  const [about, , , host, port] = message.split(' ');
  return about === name && host ? { host, port: Number(port) } : undefined;
}

/** Listens to all of them until it is closed. Says once when one is away, and once when it is back. */
export class SentinelWatch {
  readonly #clients: readonly Redis[];
  readonly #replacements: Replacements;

  constructor({ name, each }: SentinelSettings, log: Log, onSwitch: (primary: Address) => void) {
    this.#replacements = new Replacements(name, () => performance.now());
    this.#clients = each.map((sentinel) => {
      const at = { sentinel: shown(sentinel) };
      const client = new Redis({
        ...sentinel,
        ...plain,
        retryStrategy: () => retryMs,
        maxRetriesPerRequest: null,
        keepAlive: 10_000,
      });
      let isAway = false;
      const away = (err?: Error): void => {
        if (!isAway) log.warn('a sentinel of Redis is away', { ...at, ...(err && { error: err.message }) });
        isAway = true;
      };
      client.on('error', away);
      client.on('reconnecting', () => away());
      client.on('ready', () => {
        if (isAway) log.info('a sentinel of Redis is back', at);
        isAway = false;
      });
      client.on('message', (event: string, message: string) => {
        const primary = event === switched ? switchOf(name, message) : undefined;
        if (primary) {
          this.#replacements.end(at.sentinel);
          onSwitch(primary);
        } else this.#replacements.hear(at.sentinel, event, message);
      });
      // Once more with each new connection. It fails when the watch is closed; a user who may hear of some alone hears of those.
      for (const events of [[switched], replacementEvents]) client.subscribe(...events).catch(() => {});
      return client;
    });
  }

  /** Whether one of them is about to replace this primary: the replicas that it still has may be those of the next one already. */
  isReplacing(primary: Address): boolean {
    return this.#replacements.has(shown(primary));
  }

  close(): void {
    for (const client of this.#clients) client.disconnect();
  }
}

export function shown({ host, port }: Address): string {
  return `${host}:${port}`;
}
