/** Plugins that are set up, as one function. */
import { KnownError } from '../../errors/known-error.ts';
import { RCODE } from '../message/names.ts';
import { emptyReply } from '../message/reply.ts';
import type { Blocks } from './blocks.ts';
import { order as builtIn } from './order.ts';
import type { Answer, Env, Handler, Next, Plugin, Request } from './plugin.ts';

/** The handlers as one function, the first outermost; what none of them answers goes to `last`. */
export function chain(handlers: readonly Handler[], last: Next): Next {
  return handlers.reduceRight<Next>((next, handler) => (request) => handler.handle(request, next), last);
}

/** The plugins that have a block, in the order of `order`. What none of them answers is refused. */
export class PluginChain {
  /** Resolves when every plugin knows all that it must know. */
  readonly synced: Promise<void>;
  readonly #handlers: readonly Handler[];
  readonly #first: Next;

  /** Throws BAD_CONFIG for a block of no plugin, and what a plugin throws. */
  constructor(blocks: Blocks, env: Omit<Env, 'lookup'>, order: readonly Plugin[] = builtIn) {
    const names = order.map((p) => p.name);
    for (const name of Object.keys(blocks)) {
      if (!names.includes(name))
        throw new KnownError('BAD_CONFIG', `Cannot use DNS plugin "${name}": there is none of that name`, {
          hint: `There are: ${names.join(', ')}`,
        });
    }
    const whole: Env = { ...env, lookup: (request) => this.answer(request) };
    this.#handlers = order.filter((p) => p.name in blocks).map((p) => p.setup(blocks[p.name], whole));
    this.#first = chain(this.#handlers, () => emptyReply(RCODE.REFUSED));
    this.synced = Promise.all(this.#handlers.map((h) => h.synced)).then(() => {});
  }

  answer(request: Request): Answer | Promise<Answer> {
    return this.#first(request);
  }

  /** Which plugins are not ready, and why; empty when all are. */
  notReady(): readonly string[] {
    return this.#handlers.flatMap((h) => h.notReady?.() ?? []);
  }
}
