/** What must change of the tables of iptables so that they have the glue, and so that nothing of it is left. Pure. */
import { partsOf, sameRule } from '../../../linux/iptables/rule.ts';
import type { Ruleset, TableName } from '../../../linux/iptables/ruleset.ts';
import type { Section } from '../../../linux/iptables/section.ts';
import { type Glue, isJumpOfIpvs, type Jump } from './glue.ts';

const tables: readonly TableName[] = ['nat', 'filter', 'mangle'];

function areSame(held: readonly string[] | undefined, wanted: readonly string[]): boolean {
  return held?.length === wanted.length && held.every((rule, i) => sameRule(rule, wanted[i] ?? ''));
}

function isMissing(held: Ruleset, { table, chain, rule }: Jump): boolean {
  return !(held.get(table)?.get(chain) ?? []).some((one) => sameRule(one, rule));
}

/** Whether the chains that both have are those of mode iptables, whose rules ask no sets. */
export function isOfIptables(held: Ruleset): boolean {
  const services = held.get('nat')?.get('KUBE-SERVICES') ?? [];
  return services.length > 0 && !services.some((rule) => rule.includes('--match-set KUBE-'));
}

/** One section for each table in which something differs. */
export function glueSections(held: Ruleset, glue: Glue): Section[] {
  return tables.flatMap((table): Section[] => {
    const wanted = [...(glue.chains.get(table) ?? [])];
    const fill = new Map(wanted.filter(([name, rules]) => !areSame(held.get(table)?.get(name), rules)));
    const insert = new Map<string, string[]>();
    for (const jump of glue.jumps.filter((one) => one.table === table && isMissing(held, one)))
      insert.set(jump.chain, [...(insert.get(jump.chain) ?? []), jump.rule]);
    return fill.size + insert.size === 0 ? [] : [{ table, fill, insert }];
  });
}

/** Takes away every chain of kube-proxy's ipvs mode and of ours, and the rules that lead there from others' chains. */
export function removeGlue(held: Ruleset, names: ReadonlyMap<TableName, ReadonlySet<string>>): Section[] {
  return tables.flatMap((table): Section[] => {
    const chains = held.get(table) ?? new Map<string, readonly string[]>();
    const drop = [...(names.get(table) ?? [])].filter((name) => chains.has(name));
    const isLeading = (rule: string): boolean =>
      isJumpOfIpvs(rule) || drop.includes(partsOf(rule).target?.name.replace(/^goto /, '') ?? '');
    const remove = new Map<string, readonly string[]>();
    for (const [chain, rules] of chains) {
      const leading = drop.includes(chain) ? [] : rules.filter(isLeading);
      if (leading.length > 0) remove.set(chain, leading);
    }
    return drop.length + remove.size === 0 ? [] : [{ table, remove, drop }];
  });
}
