/** What a trace of the kernel says of rules that the tools of iptables have written. Pure. */
import type { Ruleset } from '../../linux/iptables/ruleset.ts';
import type { Held } from './view.ts';

/** `followed`: the tables that the mode's tracer goes through. */
export function liveRules(
  rules: Ruleset,
  backend: 'nft' | 'legacy',
  followed: readonly string[] = ['nat', 'filter'],
): Pick<Held, 'stepOf' | 'untold'> {
  return {
    stepOf: ({ table, chain, index }) => {
      const rule = followed.includes(table) ? rules.get(table)?.get(chain)?.[index] : undefined;
      return rule === undefined ? undefined : { place: `${table} ${chain}`, rule };
    },
    ...(backend === 'legacy' ? { untold: 'the kernel does not tell which rules of iptables-legacy a packet meets' } : {}),
  };
}
