import type { Facts } from '../facts.ts';

/** A machine on which nothing stands in the way. */
export const healthyFacts: Facts = {
  role: 'control-plane',
  isRoot: true,
  nodeName: 'one',
  address: '192.168.56.10',
  link: 'eth0',
  mtu: 1500,
  memoryBytes: 2 ** 31,
  swapDevices: [],
  kernel: { overlay: true, vxlan: true, nf_tables: true, ip_tables: true, ip_vs: true, br_netfilter: true },
  cgroups: { version: 2, controllers: ['cpu', 'memory', 'pids'] },
  sysctls: { 'net/ipv4/ip_forward': '0', 'net/ipv4/conf/all/rp_filter': '2', 'net/bridge/bridge-nf-call-iptables': '1' },
  listening: [],
  programs: ['containerd', 'runc', 'iptables-restore'],
  runtime: { socket: '/run/containerd/containerd.sock', answers: true, criDisabled: false, cgroupDriver: 'cgroupfs' },
  proxyMode: 'nftables',
  running: [],
  apiPort: 6443,
  others: [],
  firewalls: [],
  skewMs: undefined,
  machineId: 'own',
  ownAddresses: ['127.0.0.1', '192.168.56.10'],
  isMember: false,
  nodes: [],
};
