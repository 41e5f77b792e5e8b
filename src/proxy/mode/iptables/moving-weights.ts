/**
 * Weights of Services with the fewest connections: by which chance a chain sends to which endpoint follows what is open, each second. What differs
 * there between two moments is no drift, as long as the chain sends every packet to one of its endpoints. Pure.
 */
import type { Ruleset } from '../../../linux/iptables/ruleset.ts';
import type { ServicePlan } from '../../plan/service-plan.ts';
import { addressOf, chainsOf, portName } from './chain-names.ts';

const jumpTo = /-j (KUBE-SEP-\S+)$/;

/** By chance; who has an endpoint by affinity jumps before. */
function isChosen(rule: string): boolean {
  return jumpTo.test(rule) && !rule.includes('-m recent ');
}

/** Whether each jump is by chance but the last, which takes what is left, and all lead to these endpoints. */
function isWhole(rules: readonly string[], endpoints: ReadonlySet<string>): boolean {
  const jumps = rules.filter(isChosen);
  const isKnown = jumps.every((rule) => endpoints.has(jumpTo.exec(rule)?.[1] ?? ''));
  return jumps.length > 0 && isKnown && jumps.every((rule, i) => rule.includes('--probability') === i < jumps.length - 1);
}

/** Chains of the table nat whose jumps to endpoints are as connections have it, as they are held. */
export function movingChains(held: Ruleset, plans: Iterable<ServicePlan>): Set<string> {
  const moving = new Set<string>();
  for (const plan of plans)
    for (const port of plan.algorithm === 'least-connection' ? plan.ports : []) {
      const { cluster, local, endpoint } = chainsOf(portName(plan, port), port.protocol);
      for (const [chain, list] of [[cluster, port.cluster] as const, [local, port.local] as const])
        if (isWhole(held.get('nat')?.get(chain) ?? [], new Set(list.map((one) => endpoint(addressOf(one)))))) moving.add(chain);
    }
  return moving;
}

/** Whether a command changes just such a jump. */
export function isOfWeights({ chain, rule }: { readonly chain: string; readonly rule: string }, moving: ReadonlySet<string>): boolean {
  return moving.has(chain) && isChosen(rule);
}
