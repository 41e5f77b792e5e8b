/** What a machine must have: rights, memory, cgroups, programs, and no other Kubernetes. Pure. */
import type { OtherNetwork } from './facts.ts';
import { type Check, error, type Finding, warning } from './finding.ts';

const isPrivileged: Check = ({ isRoot }) => [!isRoot && error('IsPrivilegedUser', 'root is needed', 'Run it with sudo')];

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

/** The runtime takes one of them, the first. */
const otherNetworks: Check = ({ runtime: { otherNetworks: found } }) => {
  const [first] = found;
  if (first === undefined) return [];
  if (first.leadsToOurs !== false) return [throughOthers(first)];
  const paths = found.filter(({ leadsToOurs }) => leadsToOurs === false).map(({ path }) => path);
  return [
    error(
      'CNIConfig',
      `the container runtime would give pods another network than Fairlead's: it takes ${paths.join(', ')} first`,
      `Take away what another network has left there: rm ${paths.join(' ')}`,
    ),
  ];
};

/** Multus, or a chain such as Cilium's, may mean it so. */
function throughOthers({ path, members, leadsToOurs }: OtherNetwork): Finding {
  const others = members.filter((name) => name !== 'fairlead').join(', ');
  return warning(
    'CNIConfig',
    leadsToOurs
      ? `pods get their network by ${path}: "fairlead" in it is Fairlead's, and ${others || 'nothing'} acts on pods beside it`
      : `pods get their network by ${path}, and whether Fairlead's, "${others}" does not say there`,
    `Where that is not meant: rm ${path}${leadsToOurs ? '' : '; where it is, its default network must be "fairlead"'}`,
  );
}

const others: Check = ({ others: found }) => [
  found.length > 0 &&
    error(
      'AnotherKubernetes',
      `another Kubernetes is on this machine: ${found.join(', ')}`,
      'Take it away with its own tool: kubeadm reset, k3s-uninstall.sh, k0s reset, snap remove microk8s',
    ),
];

const otherCluster: Check = ({ otherCluster: server }) => [
  server !== undefined &&
    error(
      'FileAvailable--etc-kubernetes-kubelet.conf',
      `this machine is a node of the cluster at ${server}`,
      'Take away what is here, then make the cluster: fairlead reset',
    ),
];

export const machineChecks: readonly Check[] = [
  isPrivileged,
  memory,
  swap,
  cgroups,
  programs,
  runtimeAnswers,
  otherNetworks,
  others,
  otherCluster,
];
