/** Asks other resolvers. One that stays silent is passed over for a while; one that leads back here is not asked at all. */
import { randomInt } from 'node:crypto';
import type { Clock } from '../../../clock/clock.ts';
import { messageOf } from '../../../errors/known-error.ts';
import type { Log } from '../../../observability/log.ts';
import { CLASS_IN, encodeName, RCODE, TYPE } from '../../message/names.ts';
import type { Query } from '../../message/query.ts';
import { type RawReply, refusal } from '../../message/reply.ts';
import type { Answer, Plugin } from '../plugin.ts';
import { Resolver, type Upstream } from './resolver.ts';

export interface ForwardOptions {
  /** Read anew for each question: the host's resolvers may change. */
  readonly upstreams: () => readonly Upstream[];
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export interface ForwardStatistics {
  /** Questions that came when too many were waiting. */
  rejected: number;
  /** Times that a resolver did not answer. */
  failures: number;
}

export interface ForwardPlugin extends Plugin {
  readonly statistics: ForwardStatistics;
}

const MAX_WAITING = 1_000;
/** glibc gives up after five seconds and asks again. */
const DEADLINE_MS = 4_500;
const PASS_OVER_MS = 5_000;
const PROBE_AGAIN_MS = 30_000;
const HINFO = 13;
const OUR_UDP_SIZE = 1232;

interface State {
  readonly resolver: Resolver;
  silentUntil: number;
  /** While it is known to lead back here. */
  loopsUntil: number;
  probedAt: number;
  /** The name that only this server asks, and only this resolver. */
  readonly probe: string;
}

export function forwardPlugin(options: ForwardOptions): ForwardPlugin {
  const { clock, log, signal } = options;
  const statistics: ForwardStatistics = { rejected: 0, failures: 0 };
  const states = new Map<string, State>();
  let waiting = 0;
  let turn = 0;
  let complainedAt = Number.NEGATIVE_INFINITY;
  signal.addEventListener('abort', () => {
    for (const { resolver } of states.values()) resolver.close();
  });

  function stateOf(upstream: Upstream): State {
    const key = `${upstream.address}#${upstream.port}`;
    const known = states.get(key);
    if (known) return known;
    const state: State = {
      resolver: new Resolver(upstream, clock),
      silentUntil: 0,
      loopsUntil: 0,
      probedAt: Number.NEGATIVE_INFINITY,
      probe: `${randomInt(2 ** 47)}.${randomInt(2 ** 47)}`,
    };
    states.set(key, state);
    return state;
  }

  /** Those that answered lately first, each in its turn; none that leads back. */
  function inOrder(): State[] {
    const all = options.upstreams().map(stateOf);
    if (states.size > all.length) forget(new Set(all));
    const now = clock.monotonic();
    for (const state of all) probe(state, now);
    const usable = all.filter((s) => s.loopsUntil <= now);
    if (usable.length === 0) complain(now, all.length === 0);
    const from = turn++ % Math.max(usable.length, 1);
    return [...usable.slice(from), ...usable.slice(0, from)].toSorted((a, b) => Number(a.silentUntil > now) - Number(b.silentUntil > now));
  }

  function forget(kept: ReadonlySet<State>): void {
    for (const [key, state] of states) {
      if (kept.has(state)) continue;
      states.delete(key);
      state.resolver.close();
    }
  }

  function complain(now: number, isEmpty: boolean): void {
    if (now - complainedAt < PROBE_AGAIN_MS) return;
    complainedAt = now;
    if (isEmpty) log.error('Cannot resolve names outside the cluster: no resolver is configured', { hint: 'Name one in resolv.conf' });
  }

  /**
   * As CoreDNS's plugin loop: asks for a name that nobody else asks for. When that question arrives here, the resolver leads back.
   * On first use, and again when it was silent, for that is how a loop of later days looks.
   */
  function probe(state: State, now: number): void {
    const isDue = state.probedAt === Number.NEGATIVE_INFINITY || state.silentUntil > now || state.loopsUntil > 0;
    if (!isDue || now - state.probedAt < PROBE_AGAIN_MS) return;
    state.probedAt = now;
    const question = Buffer.concat([encodeName(state.probe), Buffer.from([0, HINFO, 0, CLASS_IN])]);
    void state.resolver.ask(messageFor(question, false, false), 12 + question.length).catch(() => {});
  }

  function cameBack(query: Query): boolean {
    if (query.type !== HINFO) return false;
    const state = [...states.values()].find((s) => s.probe === query.name);
    if (!state) return false;
    if (state.loopsUntil === 0)
      log.error(`Cannot forward to resolver "${state.resolver.name}": it sends questions back to this server`, {
        hint: "Let resolv.conf name a resolver outside the cluster, not this server or one that forwards to it; see the agent's --resolv-conf",
      });
    // A little longer than until the next probe, so that it does not lapse while that is under way.
    state.loopsUntil = clock.monotonic() + PROBE_AGAIN_MS + 5_000;
    return true;
  }

  async function forward(query: Query): Promise<Answer> {
    const order = inOrder();
    const message = messageFor(query.bytes.subarray(12, query.questionEnd), query.edns?.wantsDnssec ?? false, query.checkingDisabled);
    const deadline = clock.monotonic() + DEADLINE_MS;
    const unhappy = new Map<State, RawReply>();
    // A single resolver gets a second chance: a datagram may be lost.
    for (let i = 0; i < Math.max(order.length, 2) && clock.monotonic() < deadline && !signal.aborted; i++) {
      const state = order[i % Math.max(order.length, 1)];
      if (!state || unhappy.has(state)) break;
      try {
        const reply = await state.resolver.ask(message, query.questionEnd);
        state.silentUntil = 0;
        if (state.loopsUntil <= clock.monotonic()) state.loopsUntil = 0;
        if (isFinal((reply.raw[3] ?? 0) & 15)) return reply;
        unhappy.set(state, reply);
      } catch (err) {
        if (signal.aborted) break;
        log.debug(`Resolver ${state.resolver.name} failed: ${messageOf(err)}`);
        statistics.failures++;
        state.silentUntil = clock.monotonic() + PASS_OVER_MS;
      }
    }
    const [first] = unhappy.values();
    return first ?? refusal(RCODE.SERVFAIL);
  }

  return {
    name: 'forward',
    statistics,
    handle(query) {
      if (cameBack(query)) return refusal(RCODE.REFUSED);
      if (waiting >= MAX_WAITING) {
        statistics.rejected++;
        return refusal(RCODE.REFUSED);
      }
      waiting++;
      return forward(query).finally(() => {
        waiting--;
      });
    },
  };
}

/** Codes after which libc asks the next resolver too: SERVFAIL, NOTIMP, REFUSED, and FORMERR from those that do not know EDNS. */
function isFinal(rcode: number): boolean {
  return rcode !== RCODE.SERVFAIL && rcode !== RCODE.NOTIMP && rcode !== RCODE.REFUSED && rcode !== RCODE.FORMERR;
}

/** A query of our own: the client's cookies and other options are between it and us. */
function messageFor(question: Uint8Array, wantsDnssec: boolean, checkingDisabled: boolean): Buffer {
  const head = Buffer.from([0, 0, 1, checkingDisabled ? 0x10 : 0, 0, 1, 0, 0, 0, 0, 0, 1]);
  const opt = Buffer.from([0, 0, TYPE.OPT, OUR_UDP_SIZE >> 8, OUR_UDP_SIZE & 255, 0, 0, wantsDnssec ? 0x80 : 0, 0, 0, 0]);
  return Buffer.concat([head, question, opt]);
}
