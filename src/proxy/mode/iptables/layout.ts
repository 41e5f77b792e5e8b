/** What the tables have without any Service: kube-proxy's chains, and the rules that lead to them. Rules are written as `iptables-save` prints them. */
import type { TableName } from '../../../linux/iptables/ruleset.ts';
import type { NodeContext } from '../../plan/node-context.ts';
import type { ModeOptions } from '../mode.ts';

export type IptablesOptions = Pick<ModeOptions, 'masqueradeBit' | 'localhostNodePorts' | 'conntrackLiberal'>;

/** kube-proxy's, of packets to node ports at 127.0.0.1. */
export const localhostAccount = 'localhost_nps_accepted_pkts';

/** As it is printed. */
export const addsToLocalhost: string = `-m nfacct --nfacct-name  ${localhostAccount} `;

/** All that the rules depend on besides Services. */
export interface Layout {
  readonly node: NodeContext;
  /** `0x4000`. */
  readonly mark: string;
  readonly localhostNodePorts: boolean;
  /** Whether the kernel keeps an account of packets to node ports at 127.0.0.1. */
  readonly countsLocalhost: boolean;
  readonly conntrackLiberal: boolean;
  readonly randomFully: boolean;
}

const defaultMasqueradeBit = 14;

const isLoopback = (ip: string): boolean => ip === '::1' || ip.startsWith('127.');

export function layoutOf(node: NodeContext, options: IptablesOptions, randomFully: boolean): Layout {
  const { masqueradeBit = defaultMasqueradeBit, localhostNodePorts = true, conntrackLiberal = false } = options;
  const isAtLocalhost = localhostNodePorts && node.family === 'ip' && (node.nodePortIps === 'all' || node.nodePortIps.some(isLoopback));
  return {
    node,
    mark: `0x${(2 ** masqueradeBit).toString(16)}`,
    localhostNodePorts: isAtLocalhost,
    countsLocalhost: false,
    conntrackLiberal,
    randomFully,
  };
}

/** A rule that others may stand beside: it is put at the head of its chain when it is missing. */
export interface EnsuredRule {
  readonly table: TableName;
  readonly chain: string;
  readonly rule: string;
}

export const canary = 'KUBE-PROXY-CANARY';
export const canaryTables: readonly TableName[] = ['mangle', 'nat', 'filter'];

/** Chains in which many Services have rules: `table chain`. */
export type SharedChain =
  | 'filter KUBE-SERVICES'
  | 'filter KUBE-EXTERNAL-SERVICES'
  | 'filter KUBE-NODEPORTS'
  | 'filter KUBE-PROXY-FIREWALL'
  | 'nat KUBE-SERVICES'
  | 'nat KUBE-NODEPORTS';

export const sharedChains: readonly SharedChain[] = [
  'filter KUBE-SERVICES',
  'filter KUBE-EXTERNAL-SERVICES',
  'filter KUBE-NODEPORTS',
  'filter KUBE-PROXY-FIREWALL',
  'nat KUBE-SERVICES',
  'nat KUBE-NODEPORTS',
];

export function splitName(chain: SharedChain): readonly [TableName, string] {
  const [table = '', name = ''] = chain.split(' ');
  return [table as TableName, name];
}

function jump(table: TableName, chain: string, to: string, comment: string, ofNew = false): EnsuredRule {
  const state = ofNew ? '-m conntrack --ctstate NEW ' : '';
  return { table, chain, rule: `${state}-m comment --comment "${comment}" -j ${to}` };
}

const external = 'kubernetes externally-visible service portals';
const portals = 'kubernetes service portals';
const firewall = 'kubernetes load balancer firewall';

/** Whether it is a jump that mode ipvs does not have, to a chain that it has. */
export function isJumpOfIptables(rule: string): boolean {
  return rule.includes(`--comment "${firewall}"`);
}

/** In the order in which they come to the head of their chains: of one chain the last is first. */
const jumps: readonly EnsuredRule[] = [
  jump('filter', 'INPUT', 'KUBE-EXTERNAL-SERVICES', external, true),
  jump('filter', 'FORWARD', 'KUBE-EXTERNAL-SERVICES', external, true),
  jump('filter', 'INPUT', 'KUBE-NODEPORTS', 'kubernetes health check service ports'),
  jump('filter', 'FORWARD', 'KUBE-SERVICES', portals, true),
  jump('filter', 'OUTPUT', 'KUBE-SERVICES', portals, true),
  jump('filter', 'FORWARD', 'KUBE-FORWARD', 'kubernetes forwarding rules'),
  jump('filter', 'INPUT', 'KUBE-PROXY-FIREWALL', firewall, true),
  jump('filter', 'OUTPUT', 'KUBE-PROXY-FIREWALL', firewall, true),
  jump('filter', 'FORWARD', 'KUBE-PROXY-FIREWALL', firewall, true),
  jump('nat', 'OUTPUT', 'KUBE-SERVICES', portals),
  jump('nat', 'PREROUTING', 'KUBE-SERVICES', portals),
  jump('nat', 'POSTROUTING', 'KUBE-POSTROUTING', 'kubernetes postrouting rules'),
];

/** The kubelet's chain, which it makes as well: whatever else is in there stays. */
export const kubeletFirewall = 'KUBE-FIREWALL';
const kubeletJumps: readonly EnsuredRule[] = ['INPUT', 'OUTPUT'].map((chain) => ({
  table: 'filter',
  chain,
  rule: `-j ${kubeletFirewall}`,
}));

/**
 * With route_localnet the kernel routes 127.0.0.0/8 like any range, and a neighbour on the wire may send to what listens on loopback alone
 * (CVE-2020-8558): this keeps him out.
 */
const againstMartians: EnsuredRule = {
  table: 'filter',
  chain: kubeletFirewall,
  rule:
    '! -s 127.0.0.0/8 -d 127.0.0.0/8 -m comment --comment "block incoming localnet connections" ' +
    '-m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP',
};

export function ensuredRules({ localhostNodePorts }: Layout): readonly EnsuredRule[] {
  return [...jumps, ...kubeletJumps, ...(localhostNodePorts ? [againstMartians] : [])];
}

/** Chains that say the same whatever Services there are. */
export function fixedChains({
  mark,
  randomFully,
  conntrackLiberal,
}: Layout): ReadonlyMap<TableName, ReadonlyMap<string, readonly string[]>> {
  const masquerade = `-m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE${randomFully ? ' --random-fully' : ''}`;
  return new Map([
    ['mangle', new Map([[canary, []]])],
    [
      'nat',
      new Map([
        [canary, []],
        ['KUBE-MARK-MASQ', [`-j MARK --set-xmark ${mark}/${mark}`]],
        // The mark goes, so that a packet that comes through again, as by a tunnel, is not masqueraded again.
        ['KUBE-POSTROUTING', [`-m mark ! --mark ${mark}/${mark} -j RETURN`, `-j MARK --set-xmark ${mark}/0x0`, masquerade]],
      ]),
    ],
    [
      'filter',
      new Map([
        [canary, []],
        [
          'KUBE-FORWARD',
          [
            // Else a packet that came too late goes to the client under the endpoint's own address, and the client resets.
            ...(conntrackLiberal ? [] : ['-m conntrack --ctstate INVALID -j DROP']),
            `-m comment --comment "kubernetes forwarding rules" -m mark --mark ${mark}/${mark} -j ACCEPT`,
            '-m comment --comment "kubernetes forwarding conntrack rule" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
          ],
        ],
      ]),
    ],
  ] as const);
}

const nodePortsComment = '-m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain"';

/** The last rules of a chain: by now no Service has taken the packet by its address. */
export function tailOf(chain: SharedChain, { node, localhostNodePorts }: Layout): readonly string[] {
  if (chain !== 'nat KUBE-SERVICES') return [];
  if (node.nodePortIps !== 'all') {
    const served = node.nodePortIps.filter((ip) => localhostNodePorts || !isLoopback(ip));
    return served.map((ip) => `-d ${ip}/${ip.includes(':') ? 128 : 32} ${nodePortsComment} -j KUBE-NODEPORTS`);
  }
  const loopback = node.family === 'ip6' ? '! -d ::1/128 ' : localhostNodePorts ? '' : '! -d 127.0.0.0/8 ';
  return [`${loopback}${nodePortsComment} -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS`];
}
