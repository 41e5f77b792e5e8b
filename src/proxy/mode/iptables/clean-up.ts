/** What goes when the rules of this mode go, of whichever proxy. Pure. */
import { partsOf } from '../../../linux/iptables/rule.ts';
import type { Ruleset, TableName } from '../../../linux/iptables/ruleset.ts';
import type { Section } from '../../../linux/iptables/section.ts';
import { isOfService, referrersFirst } from './chain-names.ts';
import { canary, isJumpOfIptables, kubeletFirewall } from './layout.ts';

/** Beside those of Services. What the kubelet has for itself (KUBE-IPTABLES-HINT, KUBE-KUBELET-CANARY) stays. */
const ours: Readonly<Record<TableName, readonly string[]>> = {
  filter: ['KUBE-SERVICES', 'KUBE-EXTERNAL-SERVICES', 'KUBE-NODEPORTS', 'KUBE-FORWARD', 'KUBE-PROXY-FIREWALL', kubeletFirewall, canary],
  nat: ['KUBE-SERVICES', 'KUBE-NODEPORTS', 'KUBE-POSTROUTING', canary, 'KUBE-MARK-MASQ'],
  mangle: [canary],
};

/** Mode ipvs has these, too; there KUBE-SERVICES asks sets. */
const shared: Readonly<Record<TableName, readonly string[]>> = {
  filter: ['KUBE-FORWARD', 'KUBE-PROXY-FIREWALL'],
  nat: ['KUBE-SERVICES', 'KUBE-MARK-MASQ', 'KUBE-POSTROUTING'],
  mangle: [],
};

/** So many chains go at a time: the tools take time quadratic in them. */
const atATime = 500;

function* leaving(table: TableName, chains: ReadonlyMap<string, readonly string[]>, kept: readonly string[]): Generator<Section> {
  const services = table === 'nat' ? [...chains.keys()].filter(isOfService) : [];
  const fixed = ours[table].filter((name) => chains.has(name) && !kept.includes(name));
  const gone = new Set([...fixed, ...services]);
  const remove = new Map<string, string[]>();
  for (const [chain, rules] of chains) {
    const leads = (rule: string): boolean => isJumpOfIptables(rule) || (gone.size > 0 && gone.has(partsOf(rule).target?.name ?? ''));
    const leading = gone.has(chain) ? [] : rules.filter(leads);
    if (leading.length > 0) remove.set(chain, leading);
  }
  // First those that lead to Services' chains, last the one to which these lead.
  const last = fixed.filter((name) => name === 'KUBE-MARK-MASQ');
  const first = fixed.filter((name) => name !== 'KUBE-MARK-MASQ');
  if (remove.size + first.length > 0) yield { table, remove, drop: first };
  const ordered = [...referrersFirst(services), ...last];
  for (let i = 0; i < ordered.length; i += atATime) yield { table, drop: ordered.slice(i, i + atATime) };
}

/** The way to tables without any rule of this mode. */
export function* cleanUpSections(held: Ruleset): Generator<Section> {
  const isOfIpvs =
    held
      .get('nat')
      ?.get('KUBE-SERVICES')
      ?.some((rule) => rule.includes('--match-set KUBE-')) === true;
  for (const table of ['filter', 'nat', 'mangle'] as const) {
    const chains = held.get(table);
    if (chains) yield* leaving(table, chains, isOfIpvs ? shared[table] : []);
  }
}
