/** Asks other resolvers. One that is not there is passed over until a check is answered; one that leads back here is not asked at all. */

import { onAbort } from '../../../clock/aborted.ts';
import { messageOf } from '../../../errors/known-error.ts';
import { joinHostPort } from '../../../ip/ip.ts';
import { RCODE } from '../../message/names.ts';
import type { Query } from '../../message/query.ts';
import { optRecord } from '../../message/records.ts';
import { emptyReply, type RawReply } from '../../message/reply.ts';
import type { Answer, Env, Handler, Plugin, Request } from '../plugin.ts';
import { askInTurn } from './ask-in-turn.ts';
import { LoopProbe } from './loop-probe.ts';
import { registerForwardMetrics } from './metrics.ts';
import { byHealth, type PolicyName, policyOf } from './policy.ts';
import { Resolver, type Upstream } from './resolver.ts';
import { UpstreamHealth } from './upstream-health.ts';

export interface ForwardBlock {
  /** Read anew for each question: the host's resolvers may change. */
  readonly to: () => readonly Upstream[];
  /** As CoreDNS has it. Default `random`. */
  readonly policy?: PolicyName;
  /** Failed checks in a row after which a resolver counts as down. Default 2; 0: none is ever checked. */
  readonly maxFails?: number;
  /** How long one socket to a resolver is used. Default 10 s. */
  readonly expireMs?: number;
}

export interface ForwardOptions extends ForwardBlock, Pick<Env, 'clock' | 'log' | 'signal'> {
  readonly random?: () => number;
}

export interface ForwardStatistics {
  /** Questions that came when too many were waiting. */
  rejected: number;
  /** Questions that came when every resolver was down. */
  broken: number;
  /** Checks that nobody answered, by resolver (`10.0.0.2:53`). */
  readonly failedChecks: Map<string, number>;
}

const maxWaiting = 1_000;
/** glibc gives up after five seconds and asks again. */
const deadlineMs = 4_500;
/** Most answers of a resolver that is well come sooner; then another one is asked as well. */
const patienceMs = 250;
/** Between checks of a resolver in trouble. */
const checkEveryMs = 500;
const defaultMaxFails = 2;
const complainAgainMs = 30_000;
const HINFO = 13;

interface State {
  readonly resolver: Resolver;
  readonly health: UpstreamHealth;
  readonly loop: LoopProbe;
  readonly end: AbortController;
}

export const forward: Plugin<ForwardBlock> = {
  name: 'forward',
  setup(block, env) {
    const handler = new Forward({ ...block, clock: env.clock, log: env.log, signal: env.signal });
    registerForwardMetrics(env, handler.statistics);
    return handler;
  },
};

export class Forward implements Handler {
  readonly statistics: ForwardStatistics = { rejected: 0, broken: 0, failedChecks: new Map() };
  readonly #options: ForwardOptions;
  readonly #policy: ReturnType<typeof policyOf>;
  readonly #states = new Map<string, State>();
  #waiting = 0;
  #complainedAt = Number.NEGATIVE_INFINITY;

  constructor(options: ForwardOptions) {
    this.#options = options;
    this.#policy = policyOf(options.policy ?? 'random', options.random ?? Math.random);
    onAbort(options.signal, () => this.#forget(new Set()));
  }

  handle({ query }: Request): Answer | Promise<Answer> {
    if (this.#cameBack(query)) return emptyReply(RCODE.REFUSED);
    if (this.#waiting >= maxWaiting) {
      this.statistics.rejected++;
      return emptyReply(RCODE.REFUSED);
    }
    this.#waiting++;
    return this.#forward(query).finally(() => {
      this.#waiting--;
    });
  }

  async #forward(query: Query): Promise<Answer> {
    const { clock, log, signal } = this.#options;
    const order = this.#inOrder();
    const question = query.bytes.subarray(12, query.questionEnd);
    const answer = await askInTurn<State, RawReply>({
      // A single resolver gets a second chance: a datagram may be lost.
      candidates: order.length === 1 ? [...order, ...order] : order,
      ask: async ({ resolver, health }) => {
        const message = messageFor(question, query.edns?.wantsDnssec ?? false, query.checkingDisabled);
        const reply = await resolver.ask(message, query.questionEnd);
        health.answered();
        return reply;
      },
      isFinal: (reply) => isFinal((reply.raw[3] ?? 0) & 15),
      patienceMs,
      onTrouble: ({ resolver, health }, err) => {
        if (err !== undefined) log.debug(`Resolver ${resolver.name} failed: ${messageOf(err)}`);
        health.doubt();
      },
      deadlineMs,
      clock,
      signal,
    });
    return answer ?? emptyReply(RCODE.SERVFAIL);
  }

  #stateOf(upstream: Upstream): State {
    const { clock, signal, maxFails = defaultMaxFails, expireMs } = this.#options;
    const key = `${upstream.address}#${upstream.port}`;
    const known = this.#states.get(key);
    if (known) return known;
    const resolver = new Resolver(upstream, clock, expireMs);
    const end = new AbortController();
    const { failedChecks } = this.statistics;
    const to = joinHostPort(upstream.address, upstream.port);
    const health = new UpstreamHealth({
      check: () => resolver.check(),
      everyMs: checkEveryMs,
      maxFails,
      onFailure: () => failedChecks.set(to, (failedChecks.get(to) ?? 0) + 1),
      clock,
      signal: AbortSignal.any([end.signal, signal]),
    });
    const loop = new LoopProbe(clock, (message) => resolver.ask(message, message.length));
    const state: State = { resolver, health, loop, end };
    this.#states.set(key, state);
    return state;
  }

  /** By policy and health; none that leads back. */
  #inOrder(): readonly State[] {
    const all = this.#options.to().map((u) => this.#stateOf(u));
    if (this.#states.size > all.length) this.#forget(new Set(all));
    for (const { loop, health } of all) loop.probe(health.state !== 'up');
    if (all.length === 0) this.#complain();
    const { order, isBroken } = byHealth(this.#policy(all.filter((s) => !s.loop.loops)));
    if (isBroken) this.statistics.broken++;
    return order;
  }

  #forget(kept: ReadonlySet<State>): void {
    for (const [key, state] of this.#states) {
      if (kept.has(state)) continue;
      this.#states.delete(key);
      state.end.abort();
      state.resolver.close();
    }
  }

  #complain(): void {
    const now = this.#options.clock.monotonic();
    if (now - this.#complainedAt < complainAgainMs) return;
    this.#complainedAt = now;
    this.#options.log.error('Cannot resolve names outside the cluster: no resolver is configured', { hint: 'Name one in resolv.conf' });
  }

  #cameBack(query: Query): boolean {
    if (query.type !== HINFO) return false;
    const state = [...this.#states.values()].find((s) => s.loop.name === query.name);
    if (!state) return false;
    if (state.loop.cameBack())
      this.#options.log.error(`Cannot forward to resolver "${state.resolver.name}": it sends questions back to this server`, {
        hint: "Let resolv.conf name a resolver outside the cluster, not this server or one that forwards to it; see the agent's --resolv-conf",
      });
    return true;
  }
}

/** Codes after which libc asks the next resolver too: SERVFAIL, NOTIMP, REFUSED, and FORMERR from those that do not know EDNS. */
function isFinal(rcode: number): boolean {
  return rcode !== RCODE.SERVFAIL && rcode !== RCODE.NOTIMP && rcode !== RCODE.REFUSED && rcode !== RCODE.FORMERR;
}

/** A query of our own: the client's cookies and other options are between it and us. Its question goes on byte by byte, as it was spelt. */
function messageFor(question: Uint8Array, wantsDnssec: boolean, checkingDisabled: boolean): Buffer {
  const head = Buffer.from([0, 0, 1, checkingDisabled ? 0x10 : 0, 0, 1, 0, 0, 0, 0, 0, 1]);
  return Buffer.concat([head, question, optRecord(0, wantsDnssec)]);
}
