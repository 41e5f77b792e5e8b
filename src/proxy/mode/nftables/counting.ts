/** Rules that count, and the sets in which they do. The kernel makes an element when it first has something to count, so that loading costs nothing. */
import type { Chain, SetDeclaration } from '../../../linux/nftables/table.ts';
import type { NodeContext } from '../../plan/node-context.ts';

const transports = ['tcp', 'udp', 'sctp'] as const;

/** How many pairs of frontend and endpoint, or refusing frontends, are counted. When a set is full, further ones are not; packets do not notice. */
const countedSize = 65_535;

type Counting = Pick<NodeContext, 'family' | 'countsConnections'>;

function frontendOf({ family }: Counting): string[] {
  return [family === 'ip' ? 'ipv4_addr' : 'ipv6_addr', 'inet_proto', 'inet_service'];
}

/** `10.96.0.1 . tcp . 80 . 10.244.1.2 . 8080`: the address that was asked for, and the endpoint. */
export function connectionsSet(node: Counting): SetDeclaration {
  const key = [...frontendOf(node), ...frontendOf(node).filter((type) => type !== 'inet_proto')];
  return { name: 'connections', key, dynamic: { size: countedSize } };
}

/** `10.96.0.1 . tcp . 80`: the address that was asked for. */
export function refusalsSet(node: Counting): SetDeclaration {
  return { name: 'refusals', key: frontendOf(node), dynamic: { size: countedSize } };
}

export const countingSets: ReadonlySet<string> = new Set(['connections', 'refusals']);

export function countingSetsOf(node: Counting): SetDeclaration[] {
  return node.countsConnections ? [connectionsSet(node), refusalsSet(node)] : [];
}

/** What drops a packet: a chain that counts it first, when refusals are counted. */
export function dropVerdict({ countsConnections }: Counting): string {
  return countsConnections ? 'goto discard' : 'drop';
}

/** The rule that leads a refused packet to where it is counted. */
export function refusalRules({ countsConnections }: Counting): string[] {
  return countsConnections ? ['jump refusals'] : [];
}

/** nft 1.0.6 knows the width of a connection's port only behind a match on the protocol; and what has no ports, such as a ping, is not counted. */
function perTransport(key: string, set: string): string[] {
  return transports.map((t) => `meta l4proto ${t} update @${set} { ${key} counter }`);
}

/** For the first packet of a connection that has its endpoint. */
export function connectionRules({ family, countsConnections }: Counting): string[] {
  if (!countsConnections) return [];
  return perTransport(`ct original ${family} daddr . meta l4proto . ct original proto-dst . ${family} daddr . th dport`, 'connections');
}

export function countingChains(node: Counting): Chain[] {
  if (!node.countsConnections) return [];
  return [
    { name: 'refusals', rules: perTransport(`${node.family} daddr . meta l4proto . th dport`, 'refusals') },
    { name: 'discard', rules: [...refusalRules(node), 'drop'] },
  ];
}
