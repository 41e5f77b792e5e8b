/**
 * The chains around the virtual servers: few, and the same however many Services there are, because sets carry what belongs to a Service. Names
 * are kube-proxy's. Rules are written as `iptables-save` prints them. The README walks a packet through them. Pure.
 */
import type { TableName } from '../../../linux/iptables/ruleset.ts';
import type { LocalDetector } from '../../plan/node-context.ts';
import type { IpvsNode } from './ipvs-node.ts';
import { kernelName, type SetName } from './set-names.ts';

/** A rule of a built-in chain that leads into ours. */
export interface Jump {
  readonly table: TableName;
  readonly chain: string;
  readonly rule: string;
}

export interface Glue {
  readonly chains: ReadonlyMap<TableName, ReadonlyMap<string, readonly string[]>>;
  /** Each comes to the head of its chain: the last one is the first that a packet meets. */
  readonly jumps: readonly Jump[];
}

/**
 * Where packets go on to the cluster IP: those of pods and of the node from a frontend with a Local policy, and all from an address that another
 * node has, too. The only chains that Services change.
 */
export type DetourChain = 'KUBE-SHORT-CIRCUIT' | 'KUBE-SHARED-IP';

export const detourChains: readonly DetourChain[] = ['KUBE-SHORT-CIRCUIT', 'KUBE-SHARED-IP'];

/** The rules of each. */
export type Detours = ReadonlyMap<DetourChain, readonly string[]>;

function jump(table: TableName, chain: string, to: string, comment: string): Jump {
  return { table, chain, rule: `-m comment --comment "${comment}" -j ${to}` };
}

/** Mode iptables leads to that chain by jumps of its own. */
const ofFirewall = 'kube-proxy firewall rules';

/** Whether it is a jump that mode iptables does not have, to whichever chain. */
export function isJumpOfIpvs(rule: string): boolean {
  return rule.includes(`--comment "${ofFirewall}"`);
}

const jumps: readonly Jump[] = [
  jump('nat', 'OUTPUT', 'KUBE-SERVICES', 'kubernetes service portals'),
  jump('nat', 'PREROUTING', 'KUBE-SERVICES', 'kubernetes service portals'),
  jump('nat', 'POSTROUTING', 'KUBE-POSTROUTING', 'kubernetes postrouting rules'),
  jump('filter', 'FORWARD', 'KUBE-FORWARD', 'kubernetes forwarding rules'),
  jump('filter', 'INPUT', 'KUBE-NODE-PORT', 'kubernetes health check rules'),
  jump('filter', 'FORWARD', 'KUBE-PROXY-FIREWALL', ofFirewall),
  jump('filter', 'INPUT', 'KUBE-PROXY-FIREWALL', ofFirewall),
  jump('filter', 'INPUT', 'KUBE-IPVS-FILTER', 'kubernetes ipvs access filter'),
  jump('filter', 'OUTPUT', 'KUBE-IPVS-OUT-FILTER', 'kubernetes ipvs access filter'),
  // The node's own packets are balanced before they meet the table filter.
  jump('mangle', 'OUTPUT', 'KUBE-IPVS-OUT-FILTER', 'kubernetes ipvs access filter'),
];

/** The match for packets of pods; undefined when they cannot be told. `not`: for all others. */
function pods(local: LocalDetector, not: '' | '! '): string | undefined {
  switch (local.mode) {
    case 'ClusterCIDR':
    case 'NodeCIDR':
      return `${not}-s ${local.cidr}`;
    case 'BridgeInterface':
      return `${not}-i ${local.interface}`;
    case 'InterfaceNamePrefix':
      return `${not}-i ${local.prefix}+`;
    case 'None':
      return undefined;
  }
}

const ofNode = '-m addrtype --src-type LOCAL';

/** Words of a rule without those that are not there. */
function rule(...words: (string | undefined)[]): string {
  return words.filter((word) => word !== undefined && word !== '').join(' ');
}

class Chains {
  readonly #node: IpvsNode;
  readonly #mark: string;

  constructor(node: IpvsNode) {
    this.#node = node;
    this.#mark = `0x${(2 ** node.masqueradeBit).toString(16)}`;
  }

  #in(set: SetName, which = 'dst,dst'): string {
    return `-m set --match-set ${kernelName(set, this.#node.family)} ${which}`;
  }

  get services(): string[] {
    const { family, local, masqueradeAll } = this.#node;
    const others = pods(local, '! ');
    const inside = pods(local, '');
    // A client that cannot be told from a pod keeps its address; only the node's own packets, which come from the Service's address, cannot.
    const foreign = masqueradeAll || others !== undefined ? this.#in('CLUSTER-IP') : this.#in('CLUSTER-IP', 'src,dst');
    return [
      `-s ${family === 'ip' ? '127.0.0.0/8' : '::1/128'} -j RETURN`,
      ...this.#ofNodeUnderLocalPolicy(),
      ...(inside === undefined ? [] : [rule(inside, '-j KUBE-SHORT-CIRCUIT')]),
      `${ofNode} -j KUBE-SHORT-CIRCUIT`,
      '-j KUBE-SHARED-IP',
      `${this.#in('LOAD-BALANCER')} -j KUBE-LOAD-BALANCER`,
      rule(masqueradeAll ? undefined : others, foreign, '-j KUBE-MARK-MASQ'),
      `${this.#in('EXTERNAL-IP')} -j KUBE-MARK-MASQ`,
      // Before node ports: the port of a Service's address may be one of those.
      ...(['EXTERNAL-IP', 'EXTERNAL-IP-LOCAL', 'CLUSTER-IP', 'LOAD-BALANCER'] as const).map((set) => `${this.#in(set)} -j ACCEPT`),
      '-m addrtype --dst-type LOCAL -j KUBE-NODE-PORT',
    ];
  }

  /** They come from the Service's address, to which no endpoint can answer. */
  #ofNodeUnderLocalPolicy(): string[] {
    const toNode = '-m addrtype --src-type LOCAL --dst-type LOCAL';
    return [
      ...(['LOAD-BALANCER-LOCAL', 'EXTERNAL-IP-LOCAL'] as const).map((set) => `${ofNode} ${this.#in(set)} -j KUBE-MARK-MASQ`),
      `-p tcp ${toNode} ${this.#in('NODE-PORT-LOCAL-TCP', 'dst')} -j KUBE-MARK-MASQ`,
      `-p udp ${toNode} ${this.#in('NODE-PORT-LOCAL-UDP', 'dst')} -j KUBE-MARK-MASQ`,
      `-p sctp ${toNode} ${this.#in('NODE-PORT-LOCAL-SCTP-HASH')} -j KUBE-MARK-MASQ`,
    ];
  }

  get nodePorts(): string[] {
    return [
      `-p tcp ${this.#in('NODE-PORT-LOCAL-TCP', 'dst')} -j RETURN`,
      `-p tcp ${this.#in('NODE-PORT-TCP', 'dst')} -j KUBE-MARK-MASQ`,
      `-p udp ${this.#in('NODE-PORT-LOCAL-UDP', 'dst')} -j RETURN`,
      `-p udp ${this.#in('NODE-PORT-UDP', 'dst')} -j KUBE-MARK-MASQ`,
      `-p sctp ${this.#in('NODE-PORT-LOCAL-SCTP-HASH')} -j RETURN`,
      `-p sctp ${this.#in('NODE-PORT-SCTP-HASH')} -j KUBE-MARK-MASQ`,
    ];
  }

  nat(detours: Detours, randomFully: boolean): Map<string, readonly string[]> {
    return new Map<string, readonly string[]>([
      ['KUBE-SERVICES', this.services],
      ...detourChains.map((chain) => [chain, detours.get(chain) ?? []] as const),
      ['KUBE-NODE-PORT', this.nodePorts],
      ['KUBE-LOAD-BALANCER', [`${this.#in('LOAD-BALANCER-LOCAL')} -j RETURN`, '-j KUBE-MARK-MASQ']],
      ['KUBE-MARK-MASQ', [`-j MARK --set-xmark ${this.#mark}/${this.#mark}`]],
      [
        'KUBE-POSTROUTING',
        [
          `${this.#in('LOOP-BACK', 'dst,dst,src')} -j MASQUERADE`,
          `-m mark ! --mark ${this.#mark}/${this.#mark} -j RETURN`,
          `-j MARK --set-xmark ${this.#mark}/0x0`,
          `-m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE${randomFully ? ' --random-fully' : ''}`,
        ],
      ],
    ]);
  }

  #sources(): string[] {
    return [
      `${this.#in('LOAD-BALANCER-SOURCE-CIDR', 'dst,dst,src')} -j RETURN`,
      `${this.#in('LOAD-BALANCER-SOURCE-IP', 'dst,dst,src')} -j RETURN`,
      '-j DROP',
    ];
  }

  filter(): Map<string, readonly string[]> {
    const { family, serviceCidrs, local } = this.#node;
    const isNew = '-m conntrack --ctstate NEW';
    // An address of the Service ranges that nobody has is on no link.
    const unassigned = serviceCidrs.map((cidr) => `-d ${cidr} ${isNew} -j KUBE-REFUSE`);
    const outside = rule(pods(local, '! '), '-m addrtype ! --src-type LOCAL', this.#in('NO-LOCAL-OUTSIDE'), '-j DROP');
    const served = (['LOAD-BALANCER', 'CLUSTER-IP', 'EXTERNAL-IP', 'EXTERNAL-IP-LOCAL'] as const).map(
      (set) => `${this.#in(set)} -j RETURN`,
    );
    return new Map<string, readonly string[]>([
      [
        'KUBE-FORWARD',
        [
          `-m comment --comment "kubernetes forwarding rules" -m mark --mark ${this.#mark}/${this.#mark} -j ACCEPT`,
          '-m comment --comment "kubernetes forwarding conntrack rule" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
          ...unassigned,
        ],
      ],
      ['KUBE-NODE-PORT', [`${this.#in('HEALTH-CHECK-NODE-PORT', 'dst')} -j ACCEPT`]],
      ['KUBE-PROXY-FIREWALL', [`${this.#in('LOAD-BALANCER-FW')} -j KUBE-SOURCE-RANGES-FIREWALL`]],
      ['KUBE-SOURCE-RANGES-FIREWALL', this.#sources()],
      [
        'KUBE-IPVS-FILTER',
        [
          `${this.#in('NO-LOCAL')} -j DROP`,
          outside,
          ...served,
          `${this.#in('HEALTH-CHECK-NODE-PORT', 'dst')} -j RETURN`,
          `${isNew} ${this.#in('IPVS-IPS', 'dst')} -j KUBE-REFUSE`,
        ],
      ],
      ['KUBE-IPVS-OUT-FILTER', [`${this.#in('NO-LOCAL')} -j DROP`, ...unassigned]],
      [
        'KUBE-REFUSE',
        [
          '-p tcp -j REJECT --reject-with tcp-reset',
          `-j REJECT --reject-with ${family === 'ip' ? 'icmp-port-unreachable' : 'icmp6-port-unreachable'}`,
        ],
      ],
    ]);
  }

  mangle(): Map<string, readonly string[]> {
    return new Map<string, readonly string[]>([
      ['KUBE-IPVS-OUT-FILTER', [`${this.#in('LOAD-BALANCER-FW')} -j KUBE-SOURCE-RANGES-FIREWALL`]],
      ['KUBE-SOURCE-RANGES-FIREWALL', this.#sources()],
    ]);
  }
}

export function glueOf(node: IpvsNode, detours: Detours, randomFully = true): Glue {
  const chains = new Chains(node);
  return {
    chains: new Map([
      ['nat', chains.nat(detours, randomFully)],
      ['filter', chains.filter()],
      ['mangle', chains.mangle()],
    ]),
    jumps,
  };
}
