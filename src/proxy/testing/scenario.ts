/**
 * A scenario of `rules/`: Kubernetes objects, and packets with the fate they must meet on node1. Pure: texts in, values
 * out. One address plan serves all scenarios:
 *
 *   node1 192.168.120.11, pods 10.244.1.0/24 behind interfaces veth…; node2 192.168.120.12, pods 10.244.2.0/24;
 *   192.168.120.1 stands outside and has node1 as its gateway to Services; Services live in 10.96.0.0/16.
 *
 * It is the same in IPv6 (`ipv6.ts`): what is written for IPv4 holds in both families.
 */
import { parseAllDocuments, parse as parseYaml } from 'yaml';
import { objectKey } from '../../api/object-key.ts';
import type { EndpointSlice, Node, Service } from '../../api/schema/types.ts';
import { labelServiceName } from '../../api/well-known.ts';
import { familyOf } from '../../ip/ip.ts';
import type { TableFamily } from '../../linux/nftables/table.ts';
import type { ModeFace } from '../mode/testing/face.ts';
import type { FirstPacket } from '../mode/view.ts';
import { type Algorithm, offeredAs } from '../plan/algorithm.ts';
import type { LocalDetector, NodeContext } from '../plan/node-context.ts';
import { Planner } from '../plan/planner.ts';
import { type Listener, type Reserved, reservedOf } from '../plan/reserved.ts';
import { inIpv6 } from './ipv6.ts';

export const nodeIp = '192.168.120.11';
/** The node's addresses of both families in traces; the last of each is the gateway of its pods. */
const ipv4NodeIps: readonly string[] = [nodeIp, '127.0.0.1', '10.244.1.1'];
export const nodeIps: readonly string[] = [...ipv4NodeIps, ...inIpv6(ipv4NodeIps)];

/** What must become of a packet. */
interface ExpectedFate {
  readonly fate: 'reached' | 'refused' | 'dropped';
  /** `ip:port` of every endpoint that it may reach, sorted. */
  readonly reaches: readonly string[];
  /** Those of them that see the node as the client. */
  readonly masqueraded: readonly string[];
  /** Whether one client stays with one endpoint. */
  readonly sticky: boolean;
}

/** A packet and what must become of it in one mode. */
export interface ExpectedPacket extends ExpectedFate {
  readonly name: string;
  readonly from: string;
  readonly to: string;
  readonly port: number;
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  /** Whether the mode gives one client one endpoint by its address. A trace may not know which. */
  readonly hashed: boolean;
}

interface ScenarioPacket extends ExpectedPacket {
  /** In modes whose upstream does something else. */
  readonly differs: ReadonlyMap<string, ExpectedFate>;
}

export interface Scenario {
  /** Written for both families, and not for IPv4 alone. */
  readonly isDualStack: boolean;
  readonly services: readonly Service[];
  readonly slices: readonly EndpointSlice[];
  readonly node: NodeContext;
  readonly reserved: Reserved;
  readonly packets: readonly ScenarioPacket[];
  /** `FrontendReserved default/web 192.0.2.1 . tcp . 80`: the Events that users get. */
  readonly refused: readonly string[];
}

interface FateText {
  reaches?: string[];
  masqueraded?: boolean | string[];
  sticky?: boolean;
  refused?: boolean;
  dropped?: boolean;
}

interface PacketText extends FateText {
  name: string;
  from: string;
  to: string;
  protocol?: ExpectedPacket['protocol'];
  hashed?: boolean;
  /** Modes in which something else becomes of it, and why. */
  differs?: (FateText & { modes: string[]; because: string })[];
}

interface PacketsFile {
  /** The objects are of both families as they are, and so are the packets: nothing is to be translated. */
  dualStack?: boolean;
  node?: { zone?: string; local?: LocalDetector; masqueradeAll?: boolean; nodePortIps?: 'all' | string[] };
  /** Sockets on which node1 listens. */
  listeners?: Listener[];
  refused?: string[];
  packets: PacketText[];
}

interface ObjectText {
  kind: string;
  metadata: { name: string; namespace?: string };
  spec?: object;
  status?: object;
}

function documents(text: string): ObjectText[] {
  return parseAllDocuments(text)
    .map((doc) => doc.toJS() as ObjectText | null)
    .filter((object) => object !== null);
}

function readFate(name: string, text: FateText): ExpectedFate {
  const { masqueraded } = text;
  const reaches = (text.reaches ?? []).toSorted();
  const fate = text.refused ? 'refused' : text.dropped ? 'dropped' : 'reached';
  if (fate === 'reached' && reaches.length === 0)
    throw new SyntaxError(`Cannot read the packet "${name}": it needs reaches, refused or dropped`);
  return {
    fate,
    reaches,
    masqueraded: Array.isArray(masqueraded) ? masqueraded.toSorted() : masqueraded ? reaches : [],
    sticky: text.sticky ?? false,
  };
}

function readPacket(text: PacketText): ScenarioPacket {
  const { name, from, to, protocol = 'tcp', differs = [] } = text;
  const colon = to.lastIndexOf(':');
  const reason = differs.find(({ because }) => !because);
  if (reason) throw new SyntaxError(`Cannot read the packet "${name}": it needs "because" where ${reason.modes.join(', ')} differs`);
  return {
    name,
    from,
    to: to.slice(0, colon),
    port: Number(to.slice(colon + 1)),
    protocol,
    ...readFate(name, text),
    hashed: text.hashed ?? false,
    differs: new Map(differs.flatMap((other) => other.modes.map((mode) => [mode, readFate(name, other)] as const))),
  };
}

/**
 * Reads a scenario: `objects` is what a user applies, `cluster` what the cluster makes of it (addresses and status of
 * Services, EndpointSlices), `packets` the packets and, if it is not the usual one, the node.
 */
export function readScenario(objects: string, cluster: string, packets: string, family: TableFamily = 'ip'): Scenario {
  const written = parseYaml(packets) as PacketsFile;
  const isDualStack = written.dualStack ?? false;
  const isTranslated = family === 'ip6' && !isDualStack;
  const translate = <T>(value: T): T => (isTranslated ? inIpv6(value) : value);
  const file = translate(written);
  const added = translate(documents(cluster));
  const services = translate(documents(objects))
    .filter((object) => object.kind === 'Service')
    .map((service) => {
      const patch = added.find((o) => o.kind === 'Service' && o.metadata.name === service.metadata.name);
      const merged = { ...service, spec: { ...service.spec, ...patch?.spec }, status: { ...service.status, ...patch?.status } };
      merged.metadata.namespace ??= 'default';
      return merged as unknown as Service;
    });
  const slices = added.filter((object) => object.kind === 'EndpointSlice') as unknown as EndpointSlice[];
  for (const slice of slices) slice.metadata.namespace ??= 'default';
  const node = contextOf(file, family);
  const nodes = added.filter((object) => object.kind === 'Node') as unknown as Node[];
  const reserved = reservedOf({
    nodes,
    slicesOf: (key) => slicesOf(slices, key),
    addresses: nodeIps.map((ip) => ({ ip, prefix: 24 })),
    listeners: file.listeners ?? [],
  });
  const all = file.packets.map(readPacket).filter(({ from }) => familyOf(from) === (family === 'ip' ? 4 : 6));
  return { isDualStack, services, slices, node, reserved, packets: all, refused: (file.refused ?? []).toSorted() };
}

function contextOf({ node = {} }: PacketsFile, family: TableFamily): NodeContext {
  const usual = (text: string): string => (family === 'ip6' ? inIpv6(text) : text);
  return {
    family,
    nodeName: 'node1',
    local: node.local ?? { mode: 'ClusterCIDR', cidr: usual('10.244.0.0/16') },
    masqueradeAll: node.masqueradeAll ?? false,
    nodePortIps: node.nodePortIps ?? [usual(nodeIp)],
    serviceCidrs: [usual('10.96.0.0/16')],
    nodeIps: [usual(nodeIp)],
    ...(node.zone ? { zone: node.zone } : {}),
  };
}

function slicesOf(slices: readonly EndpointSlice[], key: string): EndpointSlice[] {
  return slices.filter(({ metadata }) => `${metadata.namespace}/${metadata.labels?.[labelServiceName]}` === key);
}

/** What a scenario comes to on node1 in a mode with these algorithms, and what is refused. */
export function planScenario({ services, slices, node, reserved }: Scenario, algorithms: readonly Algorithm[] = []): Planner {
  const planner = new Planner(node, algorithms);
  planner.reserve(reserved);
  for (const service of services) planner.put(objectKey(service), service, slicesOf(slices, objectKey(service)));
  planner.take();
  return planner;
}

/** The packets with what must become of them in a mode. */
export function packetsIn({ name, algorithms }: Pick<ModeFace, 'name' | 'algorithms'>, { packets }: Scenario): ExpectedPacket[] {
  const canHash = offeredAs('source-hash', algorithms) !== undefined;
  return packets.map((packet) => ({ ...packet, hashed: packet.hashed && canHash, ...packet.differs.get(name) }));
}

/** The packet as a trace begins with it. */
export function firstPacket(packet: ExpectedPacket): FirstPacket {
  const { from, to, port, protocol } = packet;
  const common = { from, sourcePort: 40_000, to, port, protocol };
  if (nodeIps.includes(from)) return common;
  return { ...common, interface: /^(?:10\.244\.1\.|fd00:10:244:1:)/.test(from) ? 'veth0' : 'eth0' };
}
