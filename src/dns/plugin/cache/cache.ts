/** Remembers what other resolvers answered, for as long as they allow, at most 30 s. */
import type { Clock } from '../../../clock/clock.ts';
import { isWithin } from '../../message/names.ts';
import type { Query } from '../../message/query.ts';
import type { RawReply } from '../../message/reply.ts';
import type { Answer, Handler, Next, Plugin, Request } from '../plugin.ts';
import { registerCacheMetrics } from './metrics.ts';

export interface CacheBlock {
  /** Zones whose names are not looked for here, since they are in memory already: CoreDNS's `disable success` and `disable denial`. */
  readonly disable?: readonly string[];
}

const maxSeconds = 30;
/** The least recently used go first. */
const maxEntries = 10_000;
const maxBytes = 8 * 1024 * 1024;
/** Longer answers are rare, and a few of them would push out everything else. */
const maxEntryBytes = 8 * 1024;

interface Entry {
  readonly reply: RawReply;
  readonly storedAt: number;
}

export const cache: Plugin<CacheBlock> = {
  name: 'cache',
  setup(block, env) {
    const handler = new Cache({ ...block, clock: env.clock });
    registerCacheMetrics(env, handler.statistics);
    return handler;
  },
};

export class Cache implements Handler {
  readonly statistics = { hits: 0, misses: 0, entries: 0, evictions: 0 };
  readonly #clock: Clock;
  readonly #disabled: readonly string[];
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;
  /** One question that many ask at once goes out once. It also ends a loop: a question that comes back waits for itself. */
  readonly #asking = new Map<string, Promise<Answer>>();

  constructor(options: CacheBlock & { readonly clock: Clock }) {
    this.#clock = options.clock;
    this.#disabled = (options.disable ?? []).map((zone) => zone.toLowerCase());
  }

  handle(request: Request, next: Next): Answer | Promise<Answer> {
    const { query } = request;
    for (const zone of this.#disabled) if (isWithin(query.name, zone)) return next(request);
    const key = questionKey(query);
    const known = this.#lookUp(key);
    if (known) {
      this.statistics.hits++;
      return known;
    }
    this.statistics.misses++;
    const running = this.#asking.get(key);
    if (running) return running;
    const found = next(request);
    if (!(found instanceof Promise)) return this.#keep(key, found);
    const answer = found.then((reply) => this.#keep(key, reply)).finally(() => this.#asking.delete(key));
    this.#asking.set(key, answer);
    return answer;
  }

  #lookUp(key: string): RawReply | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    const age = Math.floor((this.#clock.monotonic() - entry.storedAt) / 1000);
    this.#remove(key, entry);
    if (age >= entry.reply.seconds) return undefined;
    this.#add(key, entry);
    return age === 0 ? entry.reply : { ...entry.reply, raw: withTtls(entry.reply, (ttl) => Math.max(ttl - age, 0)) };
  }

  /** Only what came from elsewhere is worth keeping: everything else is in memory. */
  #keep(key: string, reply: Answer): Answer {
    if (!('raw' in reply) || reply.seconds <= 0) return reply;
    const kept = capped(reply);
    if (kept.raw.length <= maxEntryBytes) this.#store(key, kept);
    return kept;
  }

  #store(key: string, reply: RawReply): void {
    const before = this.#entries.get(key);
    if (before) this.#remove(key, before);
    this.#add(key, { reply, storedAt: this.#clock.monotonic() });
    for (const [oldest, entry] of this.#entries) {
      if (this.#entries.size <= maxEntries && this.#bytes <= maxBytes) break;
      this.#remove(oldest, entry);
      this.statistics.evictions++;
    }
    this.statistics.entries = this.#entries.size;
  }

  #add(key: string, entry: Entry): void {
    this.#entries.set(key, entry);
    this.#bytes += entry.reply.raw.length;
  }

  #remove(key: string, entry: Entry): void {
    this.#entries.delete(key);
    this.#bytes -= entry.reply.raw.length;
  }
}

/** Answers differ by what was asked of the resolver: DNSSEC records, and unchecked ones. */
function questionKey(query: Query): string {
  return `${query.name} ${query.type}${query.edns?.wantsDnssec ? 'd' : ''}${query.checkingDisabled ? 'c' : ''}`;
}

/** No record promises more time than the answer is kept for here: the next one would seem to be younger than this one, or to jump. */
function capped(reply: RawReply): RawReply {
  const seconds = Math.min(reply.seconds, maxSeconds);
  return { ...reply, raw: withTtls(reply, (ttl) => Math.min(ttl, seconds)), seconds };
}

function withTtls({ raw, ttlAt }: RawReply, change: (ttl: number) => number): Buffer {
  const out = Buffer.from(raw);
  for (const at of ttlAt) out.writeUInt32BE(change(out.readUInt32BE(at)), at);
  return out;
}
