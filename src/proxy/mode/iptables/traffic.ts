/** Whose connections the rules of shared chains counted. They stay when a Service's own chains are written anew. Pure. */
import type { CountedRule } from '../../../linux/iptables/counted-rule.ts';
import type { ServicePlan } from '../../plan/service-plan.ts';
import type { ServiceCount } from '../mode.ts';
import { chainsOf, portName } from './chain-names.ts';
import type { SharedChain } from './layout.ts';

/** Table nat sees the first packet of a connection alone; each connection meets one rule of one of these. */
const spreading: readonly SharedChain[] = ['nat KUBE-SERVICES', 'nat KUBE-NODEPORTS'];
const refusing: readonly SharedChain[] = ['filter KUBE-SERVICES', 'filter KUBE-EXTERNAL-SERVICES'];
/** What comes here met a rule of nat first. */
const firewall: SharedChain = 'filter KUBE-PROXY-FIREWALL';

export const trafficChains: readonly SharedChain[] = [...spreading, ...refusing, firewall];

const targetIn = / -j (\S+)/;
const portIn = /--comment "(\S+) (?:has no (?:local )?endpoints|traffic not accepted by \S+)"/;

interface Tally extends Pick<ServiceCount, 'service' | 'port' | 'protocol'> {
  connections: number;
  refused: number;
}

/** Each port's under every chain to which rules of shared chains lead, and under its name, which no chain has. */
function talliesOf(plans: Iterable<ServicePlan>): Map<string, Tally> {
  const tallies = new Map<string, Tally>();
  for (const plan of plans)
    for (const port of plan.ports) {
      const tally = { service: plan.key, port: port.name, protocol: port.protocol, connections: 0, refused: 0 };
      const name = portName(plan, port);
      const { cluster, local, external, firewall } = chainsOf(name, port.protocol);
      for (const key of [name, cluster, local, external, firewall]) tallies.set(key, tally);
    }
  return tallies;
}

export function trafficOf(plans: Iterable<ServicePlan>, counted: ReadonlyMap<SharedChain, readonly CountedRule[]>): ServiceCount[] {
  const tallies = talliesOf(plans);
  const each = (chains: readonly SharedChain[], named: RegExp, tell: (tally: Tally, packets: number) => void): void => {
    for (const { rule, packets } of chains.flatMap((chain) => counted.get(chain) ?? [])) {
      const tally = tallies.get(named.exec(rule)?.[1] ?? '');
      if (tally) tell(tally, packets);
    }
  };
  each(spreading, targetIn, (tally, packets) => {
    tally.connections += packets;
  });
  each([...refusing, firewall], portIn, (tally, packets) => {
    tally.refused += packets;
  });
  each([firewall], portIn, (tally, packets) => {
    tally.connections = Math.max(0, tally.connections - packets);
  });
  return [...new Set(tallies.values())];
}
