/** What kube-proxy's iptables mode tells beside what every mode tells. */
import type { Iptables } from '../../../linux/iptables/iptables.ts';
import type { PacketAccounts } from '../../../linux/netlink/packet-accounts.ts';
import type { TableFamily } from '../../../linux/nftables/table.ts';
import { familyNames } from '../ip-family.ts';
import type { Figures, ModeFigure } from '../mode.ts';
import { localhostAccount } from './layout.ts';
import { type Counts, countedTables } from './rule-count.ts';
import type { ServiceChains } from './service-chains.ts';

type Families = ReadonlyMap<TableFamily, Pick<ServiceChains, 'count' | 'partialFailures'>>;

/** In KUBE-FORWARD of table filter. */
const dropsInvalid = '--ctstate INVALID ';

function byTable(families: Families, of: (chains: Pick<ServiceChains, 'count'>) => Readonly<Counts>): Figures {
  return [...families].flatMap(([family, chains]) =>
    countedTables.map((table) => [{ ip_family: familyNames[family], table }, of(chains)[table]] as const),
  );
}

export function iptablesFigures(
  families: Families,
  iptables: Pick<Iptables, 'counted'>,
  accounts?: Pick<PacketAccounts, 'packets'>,
): readonly ModeFigure[] {
  const ofFamilyAndTable = { type: 'gauge', labels: ['ip_family', 'table'] } as const;
  return [
    {
      ...ofFamilyAndTable,
      name: 'sync_proxy_rules_iptables_total',
      help: 'Rules of this proxy',
      read: () => byTable(families, ({ count }) => count.total),
    },
    {
      ...ofFamilyAndTable,
      name: 'sync_proxy_rules_iptables_last',
      help: 'Rules written by the last sync',
      read: () => byTable(families, ({ count }) => count.last),
    },
    {
      name: 'sync_proxy_rules_iptables_partial_restore_failures_total',
      help: 'Changes that the kernel refused, so that all rules were compared',
      type: 'counter',
      labels: ['ip_family'],
      read: () => [...families].map(([family, { partialFailures }]) => [{ ip_family: familyNames[family] }, partialFailures]),
    },
    {
      name: 'iptables_ct_state_invalid_dropped_packets_total',
      help: 'Packets dropped because conntrack took them for invalid',
      type: 'counter',
      labels: [],
      read: async () => [[{}, await invalidDropped(families, iptables)]],
    },
    ...(accounts ? [localhostAccepted(accounts)] : []),
  ];
}

/** As in kube-proxy, only where the kernel keeps such accounts. */
function localhostAccepted(accounts: Pick<PacketAccounts, 'packets'>): ModeFigure {
  return {
    name: 'iptables_localhost_nodeports_accepted_packets_total',
    help: 'Packets accepted at node ports of the loopback interface',
    type: 'counter',
    labels: [],
    read: async () => [[{}, (await accounts.packets(localhostAccount)) ?? 0]],
  };
}

async function invalidDropped(families: Families, iptables: Pick<Iptables, 'counted'>): Promise<number> {
  let packets = 0;
  for (const family of families.keys())
    for (const counted of await iptables.counted(family, 'filter', 'KUBE-FORWARD'))
      if (counted.rule.includes(dropsInvalid)) packets += counted.packets;
  return packets;
}
