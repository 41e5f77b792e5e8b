import type { Finding } from '../preflight/finding.ts';
import type { DoctorFacts } from './facts.ts';

/** What comes of looking at one thing. */
export type Verdict =
  | { readonly kind: 'fine'; readonly said: string }
  | { readonly kind: 'unseen'; readonly why: string }
  | { readonly kind: 'found'; readonly findings: readonly Finding[] };

export type Examination = (facts: DoctorFacts) => Verdict;

/** Fine when there are no findings; what is false or undefined is none. */
export function found(findings: readonly (Finding | undefined | false)[], said: string): Verdict {
  const real = findings.filter((one): one is Finding => typeof one === 'object');
  return real.length === 0 ? { kind: 'fine', said } : { kind: 'found', findings: real };
}

export function unseen(why: string): Verdict {
  return { kind: 'unseen', why };
}
