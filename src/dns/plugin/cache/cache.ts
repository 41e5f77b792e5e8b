/** Remembers what other resolvers answered, for as long as they allow, at most 30 s. */
import type { Clock } from '../../../clock/clock.ts';
import type { Query } from '../../message/query.ts';
import type { RawReply } from '../../message/reply.ts';
import type { Answer, Plugin } from '../plugin.ts';

const maxSeconds = 30;
/** The least recently used go first. */
const maxEntries = 10_000;
const maxBytes = 8 * 1024 * 1024;
/** Longer answers are rare, and a few of them would push out everything else. */
const maxEntryBytes = 8 * 1024;

interface Entry {
  readonly reply: RawReply;
  readonly storedAt: number;
  readonly seconds: number;
}

export interface CacheStatistics {
  hits: number;
  misses: number;
  entries: number;
  evictions: number;
}

export interface CachePlugin extends Plugin {
  readonly statistics: CacheStatistics;
}

export function cachePlugin(options: { readonly clock: Clock }): CachePlugin {
  const { clock } = options;
  const statistics: CacheStatistics = { hits: 0, misses: 0, entries: 0, evictions: 0 };
  const entries = new Map<string, Entry>();
  let bytes = 0;
  /** One question that many ask at once goes out once. It also ends a loop: a question that comes back waits for itself. */
  const asking = new Map<string, Promise<Answer>>();

  function lookUp(key: string): RawReply | undefined {
    const entry = entries.get(key);
    if (!entry) return undefined;
    const age = Math.floor((clock.monotonic() - entry.storedAt) / 1000);
    remove(key, entry);
    if (age >= entry.seconds) return undefined;
    add(key, entry);
    if (age === 0) return entry.reply;
    const raw = Buffer.from(entry.reply.raw);
    for (const at of entry.reply.ttlAt) raw.writeUInt32BE(Math.max(raw.readUInt32BE(at) - age, 0), at);
    return { ...entry.reply, raw };
  }

  function add(key: string, entry: Entry): void {
    entries.set(key, entry);
    bytes += entry.reply.raw.length;
  }

  function remove(key: string, entry: Entry): void {
    entries.delete(key);
    bytes -= entry.reply.raw.length;
  }

  function store(key: string, reply: RawReply): void {
    if (reply.seconds <= 0 || reply.raw.length > maxEntryBytes) return;
    const before = entries.get(key);
    if (before) remove(key, before);
    add(key, { reply, storedAt: clock.monotonic(), seconds: reply.seconds });
    for (const [oldest, entry] of entries) {
      if (entries.size <= maxEntries && bytes <= maxBytes) break;
      remove(oldest, entry);
      statistics.evictions++;
    }
    statistics.entries = entries.size;
  }

  return {
    name: 'cache',
    statistics,
    handle(query, next) {
      const key = questionKey(query);
      const known = lookUp(key);
      if (known) {
        statistics.hits++;
        return known;
      }
      statistics.misses++;
      const running = asking.get(key);
      if (running) return running;
      const answer = Promise.resolve(next(query))
        .then((reply) => {
          if (!('raw' in reply)) return reply;
          const kept = capped(reply);
          store(key, kept);
          return kept;
        })
        .finally(() => asking.delete(key));
      asking.set(key, answer);
      return answer;
    },
  };
}

/** Answers differ by what was asked of the resolver: DNSSEC records, and unchecked ones. */
function questionKey(query: Query): string {
  return `${query.name} ${query.type}${query.edns?.wantsDnssec ? 'd' : ''}${query.checkingDisabled ? 'c' : ''}`;
}

/** No record promises more time than the answer is kept for here: the next one would seem to be younger than this one, or to jump. */
function capped(reply: RawReply): RawReply {
  const seconds = Math.min(reply.seconds, maxSeconds);
  if (seconds <= 0) return reply;
  const raw = Buffer.from(reply.raw);
  for (const at of reply.ttlAt) raw.writeUInt32BE(Math.min(raw.readUInt32BE(at), seconds), at);
  return { ...reply, raw, seconds };
}
