import type { Query } from '../message/query.ts';
import type { RawReply, Reply } from '../message/reply.ts';

export type Answer = Reply | RawReply;

/** What comes after a plugin. */
export type Next = (query: Query) => Answer | Promise<Answer>;

/** One link of the chain: answers, or asks `next`. What can be answered from memory is answered without a promise. */
export interface Plugin {
  readonly name: string;
  handle(query: Query, next: Next): Answer | Promise<Answer>;
}

/** The plugins as one function, the first outermost; what none of them answers is refused. */
export function chain(plugins: readonly Plugin[], last: Next): Next {
  return plugins.reduceRight<Next>((next, plugin) => (query) => plugin.handle(query, next), last);
}
