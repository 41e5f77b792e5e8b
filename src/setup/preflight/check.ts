/**
 * What stands in the way of a node on this machine, each with its cause and its cure. Ids are kubeadm's where it has one, for
 * --ignore-preflight-errors. Pure.
 */
import type { Facts, Listener } from './facts.ts';

export interface Finding {
  readonly id: string;
  readonly severity: 'error' | 'warning';
  readonly cause: string;
  readonly cure: string;
}

type Check = (facts: Facts) => readonly (Finding | undefined | false)[];

function error(id: string, cause: string, cure: string): Finding {
  return { id, severity: 'error', cause, cure };
}

function warning(id: string, cause: string, cure: string): Finding {
  return { id, severity: 'warning', cause, cure };
}

const isPrivileged: Check = ({ isRoot }) => [!isRoot && error('IsPrivilegedUser', 'root is needed', 'Run it with sudo')];

const dnsName = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;

const nodeName: Check = ({ nodeName: name }) => [
  (!dnsName.test(name) || name.length > 253) &&
    error('Hostname', `"${name}" cannot be the name of a node: it takes a-z, 0-9, "-" and "."`, 'Give another: --node-name NAME'),
  name === 'localhost' && error('Hostname', 'every machine is called "localhost"', 'Give it a name: --node-name NAME'),
];

/** What VirtualBox and QEMU give to every guest behind their NAT. */
const natAddress = /^10\.0\.2\.\d+$/;

const address: Check = ({ address: own, machineId, nodes, nodeName: name }) => {
  if (own === undefined)
    return [
      error('NodeAddress', 'this machine has no address that others could reach', 'Give it one, or name its network: --node-cidr CIDR'),
    ];
  const same = nodes.find((node) => node.addresses.includes(own) && !(node.name === name && node.machineId === machineId));
  return [
    natAddress.test(own) &&
      error(
        'NodeAddress',
        `${own} is the address of a virtual machine behind its host's NAT, the same on all of them`,
        'Name the network in which the nodes meet: --node-cidr 192.168.56.0/24',
      ),
    same !== undefined &&
      same.name !== name &&
      error(
        'NodeAddressTaken',
        `node "${same.name}" has the address ${own} already`,
        `Give this machine another, or name its network with --node-cidr; if that node is gone: kubectl delete node ${same.name}`,
      ),
  ];
};

const nameIsFree: Check = ({ nodeName: name, machineId, nodes }) => {
  const same = nodes.find((node) => node.name === name);
  return [
    same?.isReady === true &&
      same.machineId !== machineId &&
      error(
        'NodeNameTaken',
        `another machine (${same.addresses[0] ?? 'without address'}) is the node "${name}", and it is Ready`,
        `Give this one another name: --node-name NAME; if that machine is gone: kubectl delete node ${name}`,
      ),
  ];
};

const mib = 1024 * 1024;

const memory: Check = ({ role, memoryBytes }) => {
  const wanted = role === 'control-plane' ? 700 : 400;
  return [
    memoryBytes < wanted * mib &&
      warning(
        'Mem',
        `${Math.floor(memoryBytes / mib)} MiB of memory are few: ${wanted} are needed without any pod`,
        'Give the machine more',
      ),
  ];
};

const swap: Check = ({ swapDevices }) => [
  swapDevices.length > 0 &&
    warning(
      'Swap',
      `swap is on (${swapDevices.join(', ')}): limits of memory do not hold there`,
      'swapoff -a, and out of /etc/fstab with it',
    ),
];

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

const neededControllers = ['cpu', 'memory', 'pids'];

const cgroups: Check = ({ cgroups: found }) => {
  if (!found) return [error('SystemVerification', 'no cgroups are mounted at /sys/fs/cgroup', 'mount -t cgroup2 cgroup2 /sys/fs/cgroup')];
  const missing = neededControllers.filter((name) => !found.controllers.includes(name));
  return [
    missing.length > 0 &&
      error(
        'SystemVerification',
        `cgroups (version ${found.version}) lack ${missing.join(', ')}`,
        missing.includes('memory')
          ? 'Boot with cgroup_enable=memory on the kernel command line'
          : 'See /proc/cgroups, and the kernel command line for cgroup_disable',
      ),
  ];
};

interface Port {
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
  readonly of: 'server' | 'agent';
  readonly what: string;
}

export function portsOf({ role, apiPort }: Pick<Facts, 'role' | 'apiPort'>): Port[] {
  const node: Port[] = [
    { protocol: 'tcp', port: 10_250, of: 'agent', what: 'the kubelet' },
    { protocol: 'tcp', port: 10_256, of: 'agent', what: "the service proxy's health" },
    { protocol: 'tcp', port: 10_249, of: 'agent', what: "the service proxy's metrics" },
    { protocol: 'udp', port: 53, of: 'agent', what: 'DNS' },
    { protocol: 'tcp', port: 53, of: 'agent', what: 'DNS' },
  ];
  return role === 'control-plane' ? [{ protocol: 'tcp', port: apiPort, of: 'server', what: 'the API server' }, ...node] : node;
}

/** Whether who listens there keeps another from the address. */
function overlaps(listener: Listener, { protocol, port }: Port, own: string | undefined): boolean {
  return (
    listener.protocol === protocol && listener.port === port && (listener.address === own || /^(0\.0\.0\.0|::)$/.test(listener.address))
  );
}

const ports: Check = (facts) =>
  portsOf(facts)
    .filter(({ of }) => !facts.running.includes(of))
    .map(
      (port) =>
        facts.listening.some((listener) => overlaps(listener, port, facts.address)) &&
        error(
          `Port-${port.port}`,
          `another program listens on ${port.protocol} port ${port.port}, which ${port.what} needs`,
          `See who: ss -lnp 'sport = :${port.port}'; end it, or take away what was here before: fairlead reset`,
        ),
    );

const packages: Readonly<Record<string, { readonly debian: string; readonly modes?: readonly string[] }>> = {
  containerd: { debian: 'containerd' },
  runc: { debian: 'runc' },
  'iptables-restore': { debian: 'iptables', modes: ['iptables', 'ipvs'] },
};

const programs: Check = ({ programs: found, proxyMode, runtime }) =>
  Object.entries(packages).map(
    ([name, { debian, modes }]) =>
      !found.includes(name) &&
      (modes?.includes(proxyMode) ?? !runtime.answers) &&
      error(`FileExisting-${name}`, `"${name}" is not installed`, `apt-get install --no-install-recommends ${debian}`),
  );

const runtimeAnswers: Check = ({ runtime, programs: found }) => [
  runtime.criDisabled &&
    error(
      'CRI',
      'the CRI plugin of containerd is disabled, as the package "containerd.io" leaves it',
      'Take "cri" out of disabled_plugins in /etc/containerd/config.toml, then: systemctl restart containerd',
    ),
  runtime.cgroupDriver === 'systemd' &&
    error(
      'CgroupDriver',
      'the container runtime uses the cgroup driver systemd, and the kubelet cgroupfs: no pod would start',
      'Set SystemdCgroup = false in /etc/containerd/config.toml, then: systemctl restart containerd',
    ),
  !runtime.answers &&
    found.includes('containerd') &&
    error(
      'CRI',
      `no container runtime answers at ${runtime.socket}`,
      'systemctl enable --now containerd; journalctl -u containerd tells why not',
    ),
];

const others: Check = ({ others: found }) => [
  found.length > 0 &&
    error(
      'AnotherKubernetes',
      `another Kubernetes is on this machine: ${found.join(', ')}`,
      'Take it away with its own tool: kubeadm reset, k3s-uninstall.sh, k0s reset, snap remove microk8s',
    ),
];

const firewalls: Check = ({ firewalls: found, apiPort }) =>
  found.map((name) =>
    warning(
      'Firewalld',
      `${name} is active, and may drop what nodes say to each other`,
      `Let through tcp ${apiPort}, 10250 and 10256, udp 8472, and the ranges of pods and Services`,
    ),
  );

const clock: Check = ({ skewMs = 0 }) => {
  const seconds = Math.round(Math.abs(skewMs) / 1000);
  if (seconds < 5) return [];
  const cause = `the clock of this machine is ${seconds} s ${skewMs > 0 ? 'ahead of' : 'behind'} that of the control plane`;
  const cure = 'Set it by NTP: timedatectl set-ntp true, or chronyc makestep';
  return [
    seconds < 300 ? warning('ClockSkew', cause, cure) : error('ClockSkew', `${cause}: certificates do not hold yet, or no longer`, cure),
  ];
};

/** VXLAN takes 50 bytes of it, and IPv6 needs 1280. */
const leastMtu = 1330;

const mtu: Check = ({ mtu: found, address: own }) => {
  if (found === undefined || found >= 1500) return [];
  const cause = `the link of ${own} has an MTU of ${found}`;
  return [
    found < leastMtu
      ? error(
          'MTU',
          `${cause}: with the 50 bytes of VXLAN off, pods get less than the 1280 that IPv6 needs`,
          `Raise it: ip link set LINK mtu 1500`,
        )
      : warning('MTU', `${cause}, pods get ${found - 50}: nodes with a larger one send what does not fit`, 'Give all nodes the same MTU'),
  ];
};

const checks: readonly Check[] = [
  isPrivileged,
  nodeName,
  address,
  nameIsFree,
  memory,
  swap,
  kernel,
  bridgeFilter,
  forwarding,
  cgroups,
  ports,
  programs,
  runtimeAnswers,
  others,
  firewalls,
  clock,
  mtu,
];

export function check(facts: Facts): Finding[] {
  return checks.flatMap((one) => one(facts).filter((finding): finding is Finding => typeof finding === 'object'));
}

/** Those that stand in the way when `ignored` (ids in any case, or `all`) do not: the others are warnings. */
export function withIgnored(findings: readonly Finding[], ignored: readonly string[]): Finding[] {
  const ids = new Set(ignored.map((id) => id.toLowerCase()));
  const isIgnored = (id: string): boolean => ids.has('all') || ids.has(id.toLowerCase());
  return findings.map((finding) => (isIgnored(finding.id) ? { ...finding, severity: 'warning' } : finding));
}
