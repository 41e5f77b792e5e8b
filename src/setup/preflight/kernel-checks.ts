/** What the kernel must be able to do. Pure. */
import { type Check, error, warning } from './finding.ts';

/** What each is for; a kernel that cannot do it is told at once, and not in a log. */
const features: Readonly<Record<string, { readonly what: string; readonly modes?: readonly string[] }>> = {
  overlay: { what: 'overlay file systems (CONFIG_OVERLAY_FS), of which containers are made' },
  vxlan: { what: 'VXLAN (CONFIG_VXLAN), which carries pods between nodes' },
  nf_tables: { what: 'nf_tables (CONFIG_NF_TABLES), for proxy mode nftables', modes: ['nftables'] },
  ip_tables: { what: 'iptables (CONFIG_IP_NF_IPTABLES), for this proxy mode', modes: [] },
  ip_vs: { what: 'IPVS (CONFIG_IP_VS), for proxy mode ipvs', modes: ['ipvs'] },
};

const kernel: Check = ({ kernel: has, proxyMode }) =>
  Object.entries(features).map(
    ([module, { what, modes }]) =>
      has[module] === false &&
      (modes?.includes(proxyMode) ?? true) &&
      error(
        `KernelFeature-${module}`,
        `the kernel has no ${what}`,
        `See "modprobe ${module}" for why: an upgraded kernel wants a reboot, Ubuntu has it in linux-modules-extra-$(uname -r)`,
      ),
  );

/** In mode nftables that is an error already. */
const hostPorts: Check = ({ kernel: has, proxyMode }) => [
  has.nf_tables === false &&
    proxyMode !== 'nftables' &&
    warning(
      'HostPorts',
      'the kernel has no nf_tables (CONFIG_NF_TABLES): a pod with a hostPort does not start on this node',
      'Give such pods hostNetwork or a Service of type NodePort, or keep them off this node; with nf_tables they work in every proxy mode',
    ),
];

const bridgeCalls = 'net/bridge/bridge-nf-call-iptables';

const bridgeFilter: Check = ({ kernel: has, sysctls }) => [
  sysctls[bridgeCalls] === undefined &&
    has.br_netfilter === false &&
    warning(
      'FileContent--proc-sys-net-bridge-bridge-nf-call-iptables',
      'the kernel has no br_netfilter: packets on a bridge of a pod network that has one pass by the rules of Services',
      'modprobe br_netfilter; the pod network of Fairlead itself has no bridge, and works without',
    ),
];

const forwarding: Check = ({ sysctls }) => [
  sysctls['net/ipv4/ip_forward'] === undefined &&
    error('FileContent--proc-sys-net-ipv4-ip_forward', 'the kernel cannot forward packets', 'Is /proc/sys mounted?'),
  sysctls['net/ipv4/conf/all/rp_filter'] === '1' &&
    warning(
      'ReversePathFilter',
      'net.ipv4.conf.all.rp_filter is 1: what comes back by another way than it went is dropped',
      'sysctl -w net.ipv4.conf.all.rp_filter=2, and into /etc/sysctl.d with it',
    ),
];

export const kernelChecks: readonly Check[] = [kernel, hostPorts, bridgeFilter, forwarding];
