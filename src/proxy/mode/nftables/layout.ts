/**
 * The fixed part of table `kube-proxy`: sets, base chains and the rules between them. Flat: a rule per endpoint *count*,
 * everything about a Service is a set element. The README of this folder walks a packet through it.
 */
import type { Order } from '../../../linux/nftables/diff.ts';
import { formatTimeout } from '../../../linux/nftables/rule.ts';
import type { Chain, SetDeclaration } from '../../../linux/nftables/table.ts';
import type { LocalDetector, NodeContext } from '../../plan/node-context.ts';
import type { Protocol } from '../../plan/service-plan.ts';
import { connectionRules, countingChains, countingSets, countingSetsOf, refusalRules } from './counting.ts';
import { isSourceList, sourceChain } from './source-list.ts';

export const tableName = 'kube-proxy';

/** Slots of the local list start here, in the same map as the cluster list's. */
export const localOffset = 65_536;

/**
 * Slots of a cluster IP with one endpoint or two, in the same map again: the rule behind `services` draws one of these two, both of which one endpoint alone has. No element
 * leads such an address to a chain. Each that does costs the kernel at every change of one: it goes through all of them again (nft_table_validate()).
 */
export const fewOffset = 131_072;
export const fewSlots = 2;

/**
 * How many clients of one Service the kernel remembers. When it is full, further clients are spread as if there were no affinity, until others are
 * forgotten; other Services do not notice.
 */
const affinitySize = 65_535;

/**
 * Addresses of this node that were asked for a node port, where all serve them. The routing table tells which are its own only of the packet that
 * is there, and after DNAT that is the endpoint's.
 */
const askedIps = 'asked-node-ips';

function askedIpsOf({ nodePortIps }: Partial<Pick<NodeContext, 'nodePortIps'>>, address: string): SetDeclaration[] {
  return nodePortIps === 'all' ? [{ name: askedIps, key: [address], dynamic: { size: 65_535 } }] : [];
}

/** Looked up by number, after another set has said how many there are. */
export type SlotSet = 'endpoints' | 'nodeport-endpoints';

export const slotSets: ReadonlySet<string> = new Set<SlotSet>(['endpoints', 'nodeport-endpoints']);

/** For the order of steps. */
export const order: Required<Order> = {
  // Looked up after an element of another set has led there.
  late: new Set<SetName>(['endpoints', 'nodeport-endpoints', 'own-sources']),
  guards: new Set<SetName | 'sources' | 'filter-prerouting' | 'filter-output'>([
    ...(['filter-prerouting', 'filter-output', 'sources'] as const),
    ...(['source-checks', 'own-sources'] as const),
  ]),
};

export type SetName =
  | SlotSet
  | 'services'
  | 'local-services'
  | 'no-endpoint-services'
  | 'masquerade-services'
  | 'affinity-services'
  | 'recall-services'
  | 'nodeports'
  | 'local-nodeports'
  | 'no-endpoint-nodeports'
  | 'masquerade-nodeports'
  | 'affinity-nodeports'
  | 'recall-nodeports'
  | 'learning'
  | 'cluster-ips'
  | 'nodeport-ips'
  | 'hairpin'
  | 'source-checks'
  | 'own-sources';

const transports = ['tcp', 'udp', 'sctp'] as const;

/**
 * Before masquerading by whichever table: the packet still shows its client, and translating a source is the end of a packet's way through the chains
 * of type nat. Those see a connection's first packet alone, and one of these two once, wherever the endpoint is.
 */
function onceReached(name: string, hook: 'postrouting' | 'input'): Chain {
  return { name, hook: { type: 'nat', hook, priority: 99 }, rules: ['ct status dnat jump reached'] };
}

export function setsOf(
  node: Pick<NodeContext, 'family' | 'countsConnections'> & Partial<Pick<NodeContext, 'nodePortIps'>>,
): SetDeclaration[] {
  const { family } = node;
  const address = family === 'ip' ? 'ipv4_addr' : 'ipv6_addr';
  const frontend = [address, 'inet_proto', 'inet_service'];
  const nodePort = ['inet_proto', 'inet_service'];
  const verdicts = (name: SetName, key: readonly string[]): SetDeclaration => ({ name, key, data: ['verdict'] });
  const slot = 'numgen random mod 65536';
  const endpoint = [`${family} daddr`, 'th dport'];
  return [
    { name: 'cluster-ips', key: [address] },
    { name: 'nodeport-ips', key: [address] },
    ...askedIpsOf(node, address),
    verdicts('services', frontend),
    verdicts('local-services', frontend),
    verdicts('nodeports', nodePort),
    verdicts('local-nodeports', nodePort),
    { name: 'endpoints', typeof: true, key: [`${family} daddr`, 'meta l4proto', 'th dport', slot], data: endpoint },
    { name: 'nodeport-endpoints', typeof: true, key: ['meta l4proto', 'th dport', slot], data: endpoint },
    verdicts('no-endpoint-services', frontend),
    verdicts('no-endpoint-nodeports', nodePort),
    verdicts('source-checks', frontend),
    { name: 'own-sources', key: [...frontend, address] },
    { name: 'hairpin', key: [address, address] },
    verdicts('masquerade-services', frontend),
    verdicts('masquerade-nodeports', nodePort),
    verdicts('affinity-services', frontend),
    verdicts('affinity-nodeports', nodePort),
    verdicts('recall-services', frontend),
    verdicts('recall-nodeports', nodePort),
    verdicts('learning', ['inet_proto']),
    ...countingSetsOf(node),
  ];
}

/** Looks whether a connection is of a Service with affinity, when there is one with such ports. */
export function learningChain(transport: Protocol): string {
  return `learning-${transport}`;
}

const affinityPrefix = 'affinity-of-';

/** The clients of a Service with affinity and their endpoints, filled by rules. */
export function affinitySet(service: string, { family }: Pick<NodeContext, 'family'>): SetDeclaration {
  const address = family === 'ip' ? 'ipv4_addr' : 'ipv6_addr';
  const key = [address, address, 'inet_proto', 'inet_service'];
  return { name: `${affinityPrefix}${service}`, key, data: [address, 'inet_service'], dynamic: { size: affinitySize } };
}

/** Names of sets whose elements are the traffic's. */
export const dynamicSets: { has(name: string): boolean } = {
  has: (name) => name.startsWith(affinityPrefix) || name === askedIps || countingSets.has(name),
};

/** The match for a packet that is not a pod's; undefined when pods cannot be told from others. */
function notPod(local: LocalDetector, family: string): string | undefined {
  switch (local.mode) {
    case 'ClusterCIDR':
    case 'NodeCIDR':
      return `${family} saddr != ${local.cidr}`;
    case 'BridgeInterface':
      return `iifname != "${local.interface}"`;
    case 'InterfaceNamePrefix':
      return `iifname != "${local.prefix}*"`;
    case 'None':
      return undefined;
  }
}

/** Where packets come in. */
const baseChains: readonly Chain[] = [
  // Before DNAT, while the packet still shows the address that was asked for.
  { name: 'filter-prerouting', hook: { type: 'filter', hook: 'prerouting', priority: -110 }, rules: ['ct state new jump sources'] },
  { name: 'filter-output', hook: { type: 'filter', hook: 'output', priority: -110 }, rules: ['ct state new jump sources'] },
  { name: 'nat-prerouting', hook: { type: 'nat', hook: 'prerouting', priority: -100 }, rules: ['jump services'] },
  { name: 'nat-output', hook: { type: 'nat', hook: 'output', priority: -100 }, rules: ['jump services'] },
  onceReached('nat-reached', 'postrouting'),
  // What ends on this node itself never gets to postrouting, unless it began here.
  onceReached('nat-reached-input', 'input'),
  { name: 'nat-postrouting', hook: { type: 'nat', hook: 'postrouting', priority: 100 }, rules: ['ct status dnat jump masquerading'] },
  // After DNAT: what still bears a Service's address has no endpoint. In prerouting and not only in forward, since a node
  // without a route to the Service range never gets that far. Last, as they are made last (`diffPhases`).
  {
    name: 'filter-prerouting-post-dnat',
    hook: { type: 'filter', hook: 'prerouting', priority: -90 },
    rules: ['ct state new jump unserved'],
  },
  { name: 'filter-output-post-dnat', hook: { type: 'filter', hook: 'output', priority: -90 }, rules: ['ct state new jump unserved'] },
];

function dnatTo(found: string, family: string): string {
  return `dnat ${family} to ${found}`;
}

export function chainsOf(node: NodeContext): Chain[] {
  const { family } = node;
  const frontend = `${family} daddr . meta l4proto . th dport`;
  const nodePort = 'meta l4proto . th dport';
  const original = `ct original ${family} daddr`;
  const originalPort = 'meta l4proto . ct original proto-dst';
  const outsider = notPod(node.local, family);
  const fromOutside = `${outsider ? `${outsider} ` : ''}fib saddr type != local`;
  const loopback = family === 'ip' ? '127.0.0.0/8' : '::1';
  const toNode = node.nodePortIps === 'all' ? `fib daddr type local ${family} daddr != ${loopback}` : `${family} daddr @nodeport-ips`;
  // A port of a cluster IP, or of what somebody else's rules translate, may have a node port's number.
  const wasToNode = `${original} @${node.nodePortIps === 'all' ? askedIps : 'nodeport-ips'} `;
  // nft 1.0.6 knows the width of a connection's port only behind a match on the protocol.
  const perTransport = (rule: (match: string) => string): string[] => transports.map((t) => rule(`meta l4proto ${t}`));
  const clusterIpMasquerade = node.masqueradeAll
    ? [`${original} @cluster-ips goto masq`]
    : outsider
      ? [`${original} @cluster-ips ${outsider} goto masq`]
      : [];

  return [
    { name: 'refuse', rules: [...refusalRules(node), 'meta l4proto tcp reject with tcp reset', 'reject'] },
    { name: 'masq', rules: ['masquerade fully-random'] },
    { name: 'masq-node', rules: ['fib saddr type local masquerade fully-random'] },
    {
      name: 'services',
      rules: [
        `${frontend} vmap @recall-services`,
        `${fromOutside} ${frontend} vmap @local-services`,
        `${frontend} vmap @services`,
        dnatTo(`${frontend} . numgen random mod ${fewSlots} offset ${fewOffset} map @endpoints`, family),
        `${toNode} goto nodeports`,
      ],
    },
    {
      name: 'nodeports',
      rules: [
        ...(node.nodePortIps === 'all' ? [`update @${askedIps} { ${family} daddr counter }`] : []),
        `${nodePort} vmap @recall-nodeports`,
        `${fromOutside} ${nodePort} vmap @local-nodeports`,
        `${nodePort} vmap @nodeports`,
      ],
    },
    { name: 'sources', rules: [`${frontend} vmap @source-checks`] },
    {
      name: 'unserved',
      rules: [
        `${frontend} vmap @no-endpoint-services`,
        `${toNode} ${nodePort} vmap @no-endpoint-nodeports`,
        `${family} daddr @cluster-ips goto refuse`,
        ...node.serviceCidrs.map((cidr) => `${family} daddr ${cidr} goto refuse`),
      ],
    },
    {
      name: 'masquerading',
      rules: [
        `${family} saddr . ${family} daddr @hairpin goto masq`,
        ...clusterIpMasquerade,
        ...perTransport((match) => `${match} ${original} . ${originalPort} vmap @masquerade-services`),
        ...perTransport((match) => `${match} ${wasToNode}${originalPort} vmap @masquerade-nodeports`),
      ],
    },
    {
      name: 'reached',
      rules: [
        ...connectionRules(node),
        // Of most clusters nobody has affinity: that is known after one look.
        'meta l4proto vmap @learning',
      ],
    },
    ...transports.map((t) => ({
      name: learningChain(t),
      rules: [
        `meta l4proto ${t} ${original} . ${originalPort} vmap @affinity-services`,
        `meta l4proto ${t} ${wasToNode}${originalPort} vmap @affinity-nodeports`,
      ],
    })),
    ...countingChains(node),
    ...baseChains,
  ];
}

/** What is there as long as elements name the chain. */
export interface OnDemand {
  readonly chain: Chain;
  /** That the rules use, and other chains of the Service too. */
  readonly set?: SetDeclaration;
  /** What is in the set, where there is one, as long as it is there. */
  readonly ranges?: readonly string[];
}

/** Any number will do, as long as it is the same for every rule and every node: one client then has one endpoint wherever it asks. */
const hashSeed = '0xfa1';

/**
 * The chain that an element names, when it is one of those made on demand: `lb-3`, `nodeport-local-2`, `hash-lb-64`, `rr-lb-3-tcp-80-ns/web`,
 * `recall-ns/web`, `learn-10800-ns/web`, `sources-e3b0c44298fc1c149afbf4c8` (with its ranges).
 */
export function onDemand(
  name: string,
  node: Pick<NodeContext, 'family' | 'countsConnections'>,
  ranges: readonly string[] = [],
): OnDemand | undefined {
  if (isSourceList(name)) return { ...sourceChain({ name, ranges }, node), ranges };
  const remembering = /^(?:recall|learn-(\d+))-(.+\/.+)$/.exec(name);
  if (remembering) return affinityChain(name, remembering[1], affinitySet(remembering[2] ?? '', node), node);
  const match = /^(nodeport-)?(hash-|rr-)?(lb|local)-(\d+)(?:-.+\/.+)?$/.exec(name);
  if (!match) return undefined;
  const { family } = node;
  const [, nodePort, how, list, number] = match;
  const choice =
    how === 'hash-' ? `jhash ${family} saddr mod ${number} seed ${hashSeed}` : `numgen ${how ? 'inc' : 'random'} mod ${number}`;
  const slot = `${choice}${list === 'local' ? ` offset ${localOffset}` : ''}`;
  const key = nodePort
    ? `meta l4proto . th dport . ${slot} map @nodeport-endpoints`
    : `${family} daddr . meta l4proto . th dport . ${slot} map @endpoints`;
  return { chain: { name, rules: [dnatTo(key, family)] } };
}

function affinityChain(name: string, seconds: string | undefined, set: SetDeclaration, { family }: Pick<NodeContext, 'family'>): OnDemand {
  if (seconds === undefined) {
    // Of a client that is not remembered the packet goes on behind the jump.
    const rule = `dnat ${family} to ${family} saddr . ${family} daddr . meta l4proto . th dport map @${set.name}`;
    return { chain: { name, rules: [rule] }, set };
  }
  const key = `ct original ${family} saddr . ct original ${family} daddr . meta l4proto . ct original proto-dst`;
  const data = `ct reply ${family} saddr . ct reply proto-src`;
  const timeout = formatTimeout(Number(seconds));
  return {
    chain: { name, rules: transports.map((t) => `meta l4proto ${t} update @${set.name} { ${key} timeout ${timeout} : ${data} }`) },
    set,
  };
}
