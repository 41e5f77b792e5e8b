/**
 * What changes in a long chain of a Service, rule by rule. The chance of a rule that leads to an endpoint depends on how many come behind it: seen from the end,
 * a chain says the same with one endpoint more or less in front. Pure.
 */
import type { RuleEdit } from '../../../linux/iptables/section.ts';

const kinds = ['before', 'sticky', 'choice'] as const;
type Kind = (typeof kinds)[number];

/** First what marks packets, then who has an endpoint by affinity, then the choice. */
function kindOf(rule: string): Kind {
  if (!rule.includes('-j KUBE-SEP-')) return 'before';
  return rule.includes('-m recent ') ? 'sticky' : 'choice';
}

type Groups = Record<Kind, string[]>;

/** Undefined for a chain whose rules are in another order. */
function groupsOf(rules: readonly string[]): Groups | undefined {
  const groups: Groups = { before: [], sticky: [], choice: [] };
  let at = 0;
  for (const rule of rules) {
    const kind = kindOf(rule);
    const rank = kinds.indexOf(kind);
    if (rank < at) return undefined;
    at = rank;
    groups[kind].push(rule);
  }
  return groups;
}

export type IsSame = (held: string, wanted: string) => boolean;

/** So many edits for a transaction. */
export const editsAtATime = 1000;

/** Those that are nearest to the rules that are there come first, so that all have the same chance at any time. */
function* inserts(rules: readonly string[], offset: number): Generator<RuleEdit> {
  for (let end = rules.length; end > 0; end -= editsAtATime) {
    const some = rules.slice(Math.max(0, end - editsAtATime), end);
    // Each before the same rule, which the kernel has: an older one knows no place before a rule of the same transaction.
    for (const [i, rule] of some.entries()) yield { kind: 'insert', at: offset + i + 1, rule };
  }
}

/** Rules come and go at the head of a group, and are replaced where they stand. `offset`: how many stand before the group. */
function* groupEdits(held: readonly string[], wanted: readonly string[], offset: number, isSame: IsSame): Generator<RuleEdit> {
  const shift = wanted.length - held.length;
  yield* inserts(wanted.slice(0, Math.max(shift, 0)), offset);
  for (let i = 0; i < -shift; i++) yield { kind: 'remove', at: offset + 1 };
  for (let i = Math.max(shift, 0); i < wanted.length; i++) {
    const rule = wanted[i] ?? '';
    if (!isSame(held[i - shift] ?? '', rule)) yield { kind: 'replace', at: offset + i + 1, rule };
  }
}

/**
 * How a chain that is held comes to these rules; undefined where it must be written anew. Wherever one stops between them, every packet that finds an endpoint
 * before and after does.
 */
export function chainEdits(held: readonly string[], wanted: readonly string[], isSame: IsSame): RuleEdit[] | undefined {
  const [from, to] = [groupsOf(held), groupsOf(wanted)];
  if (!from?.choice.length || !to?.choice.length) return undefined;
  const edits: RuleEdit[] = [];
  // From the end: what stands before does not move meanwhile.
  let offset = held.length;
  for (const kind of kinds.toReversed()) {
    offset -= from[kind].length;
    edits.push(...groupEdits(from[kind], to[kind], offset, isSame));
  }
  return edits;
}
