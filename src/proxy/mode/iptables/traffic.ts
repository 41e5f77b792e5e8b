/** Whose connections rules counted. Those of shared chains stay when a Service's own chains are written anew. Pure. */
import type { CountedRule } from '../../../linux/iptables/counted-rule.ts';
import type { ServiceCount } from '../mode.ts';
import { endpointsOf, type Tally } from '../tallies.ts';
import { addressOf, chainsOf, portName } from './chain-names.ts';
import type { SharedChain } from './layout.ts';

/** Table nat sees the first packet of a connection alone; each connection meets one rule of one of these. */
const spreading: readonly SharedChain[] = ['nat KUBE-SERVICES', 'nat KUBE-NODEPORTS'];
const refusing: readonly SharedChain[] = ['filter KUBE-SERVICES', 'filter KUBE-EXTERNAL-SERVICES'];
/** What comes here met a rule of nat first. */
const firewall: SharedChain = 'filter KUBE-PROXY-FIREWALL';

export const trafficChains: readonly SharedChain[] = [...spreading, ...refusing, firewall];

const targetIn = / -j (\S+)/;
const portIn = /--comment "(\S+) (?:has no (?:local )?endpoints|traffic not accepted by \S+)"/;

/** Each port's under every chain to which rules of shared chains lead, and under its name, which no chain has. */
function byChain(tallies: readonly Tally[]): Map<string, Tally> {
  return new Map(
    tallies.flatMap((tally) => {
      const name = portName({ key: tally.service }, tally.plan);
      const { cluster, local, external, firewall } = chainsOf(name, tally.plan.protocol);
      return [name, cluster, local, external, firewall].map((key) => [key, tally] as const);
    }),
  );
}

/** `endpoints`: what table nat counted in chains of endpoints, when that was read, too. */
export function trafficOf(
  tallies: readonly Tally[],
  counted: ReadonlyMap<SharedChain, readonly CountedRule[]>,
  endpoints: readonly CountedRule[] = [],
): ServiceCount[] {
  const named = byChain(tallies);
  const each = (chains: readonly SharedChain[], name: RegExp, tell: (tally: Tally, packets: number) => void): void => {
    for (const { rule, packets } of chains.flatMap((chain) => counted.get(chain) ?? [])) {
      const tally = named.get(name.exec(rule)?.[1] ?? '');
      if (tally) tell(tally, packets);
    }
  };
  for (const tally of tallies) tally.refuse(0);
  each(spreading, targetIn, (tally, packets) => tally.passed({ connections: packets }));
  each([...refusing, firewall], portIn, (tally, packets) => tally.refuse(packets));
  each([firewall], portIn, (tally, packets) => {
    tally.connections = Math.max(0, tally.connections - packets);
  });
  if (endpoints.length > 0) tellEndpoints(tallies, endpoints);
  return tallies.map(({ count }) => count);
}

/** Only the rule that translates is met by who goes there, and by nobody else. */
function tellEndpoints(tallies: readonly Tally[], counted: readonly CountedRule[]): void {
  const packetsOf = new Map(counted.filter(({ rule }) => rule.includes(' -j DNAT ')).map(({ chain, packets }) => [chain, packets]));
  for (const tally of tallies) {
    const { endpoint } = chainsOf(portName({ key: tally.service }, tally.plan), tally.plan.protocol);
    for (const address of endpointsOf(tally.plan).values()) {
      const connections = packetsOf.get(endpoint(addressOf(address))) ?? 0;
      if (connections > 0) tally.atEndpoint(address.name, { connections });
    }
  }
}
