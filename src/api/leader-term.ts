/**
 * The term of a leader, as a request names it in a header: what the request asks for is to be done only while that term lasts. An API server that knows
 * the header looks at the Lease in the transaction in which it writes; any other one takes no notice.
 */
import type { Lease } from './schema/types.ts';

export const termHeader = 'fairlead-term';

export interface LeaderTerm {
  /** Of the Lease. */
  readonly namespace: string;
  readonly name: string;
  /** Its holderIdentity and its acquireTime: a renewal changes neither, and no two terms have both. */
  readonly holder: string;
  readonly acquired: string;
}

/** Undefined of a Lease that nobody holds. */
export function termOf({ metadata: { namespace = '', name }, spec }: Lease): LeaderTerm | undefined {
  const { holderIdentity: holder, acquireTime: acquired } = spec ?? {};
  return holder && acquired ? { namespace, name, holder, acquired } : undefined;
}

export function termText(term: LeaderTerm): string {
  return new URLSearchParams({ ...term }).toString();
}

/** Undefined of what is no text of a term. */
export function readTerm(text: string): LeaderTerm | undefined {
  const given = new URLSearchParams(text);
  const [namespace, name, holder, acquired] = ['namespace', 'name', 'holder', 'acquired'].map((key) => given.get(key));
  return isName(namespace) && isName(name) && holder && acquired ? { namespace, name, holder, acquired } : undefined;
}

export function lasts(term: LeaderTerm, lease: Lease | undefined): boolean {
  return lease?.spec?.holderIdentity === term.holder && lease.spec.acquireTime === term.acquired;
}

/** Nothing that leads to another key of the store. */
function isName(text: string | null | undefined): text is string {
  return text != null && /^[a-z0-9.-]{1,253}$/.test(text);
}
