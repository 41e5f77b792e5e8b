import { joinHostPort } from '../../ip/ip.ts';
import { withoutAgentParts, withoutServerParts } from '../lab-options.ts';
import type { LabPlan, NodePlan } from '../plan.ts';
import { relayPort, relayUser } from '../relay/login.ts';
import { storeOf } from '../store/stores.ts';
import { onNode, program } from './installation.ts';

function listOf({ families }: LabPlan, key: 'underlay' | 'pods' | 'services'): string {
  return families.map((one) => one[key].text).join();
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

function line(name: string, words: readonly string[]): string {
  return `${[name, ...words].map(quoted).join(' ')}\n`;
}

function fairlead(command: string, flags: Readonly<Record<string, string>>): string[] {
  const args = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value]);
  return ['env', 'NODE_COMPILE_CACHE=/var/cache/fairlead', onNode(program), command, ...args];
}

function parts(leftOut: readonly string[]): Record<string, string> {
  return leftOut.length > 0 ? { parts: ['*', ...leftOut.map((part) => `-${part}`)].join(',') } : {};
}

/** The command that runs as `fairlead agent` on a node. */
export function agentCommand(plan: LabPlan, node: NodePlan): string[] {
  const { options } = plan;
  return fairlead('agent', {
    'node-name': node.name,
    'node-ip': node.addresses.join(),
    'kubeconfig-dir': '/etc/fairlead',
    'tls-dir': '/etc/fairlead',
    'runtime-endpoint': 'unix:///run/containerd/containerd.sock',
    'root-dir': '/var/lib/kubelet',
    'resolv-conf': '/etc/fairlead/resolv.conf',
    'cluster-dns': plan.dnsAddress,
    'cluster-domain': options.clusterDomain,
    'cluster-cidr': listOf(plan, 'pods'),
    'service-cidr': listOf(plan, 'services'),
    ...(options.proxyMode === undefined ? {} : { 'proxy-mode': options.proxyMode }),
    ...parts(withoutAgentParts(node)),
    ...(node.role === 'control-plane' ? { 'register-with-taints': 'node-role.kubernetes.io/control-plane=:NoSchedule' } : {}),
  });
}

/** Shorter than upstream's, so that another control plane acts within 15 seconds of a death; a loaded machine still renews in time. */
const electionTimes = {
  'leader-elect-lease-duration': '8s',
  'leader-elect-renew-deadline': '6s',
  'leader-elect-retry-period': '1s',
};

/** The command that runs on a control plane as `fairlead server`, or in its place. */
export function serverCommand(plan: LabPlan, node: NodePlan): string[] {
  const { options } = plan;
  const store = storeOf(plan).url(plan, node);
  if (options.serverCommand !== undefined) return ['sh', '-c', options.serverCommand];
  return fairlead('server', {
    'data-dir': '/var/lib/fairlead/server',
    ...(store === undefined ? {} : { store }),
    ...(plan.controlPlanes.length > 1 ? electionTimes : {}),
    'pki-dir': '/etc/kubernetes/pki',
    'advertise-address': node.address,
    'secure-port': '6443',
    'cluster-cidr': listOf(plan, 'pods'),
    'service-cluster-ip-range': listOf(plan, 'services'),
    'service-node-port-range': options.nodePortRange,
    'cluster-dns': plan.dnsAddress,
    'address-pools': plan.families.map(({ balancerRange }) => balancerRange).join(),
    // As long as the certificates of the lab.
    'service-account-max-token-expiration': '8760h',
    ...parts(withoutServerParts(plan.controlPlane)),
  });
}

/**
 * What a node's init keeps running: one line each, a name and a shell command. `credential` lets the node's container runtime use the
 * relay; without one, the lab has none.
 */
export function nodeServices(plan: LabPlan, node: NodePlan, credential?: string): string {
  // Image pulls are the only traffic to the world that a node makes by itself, so only containerd gets the proxy.
  const relay = `http://${relayUser}:${credential}@${joinHostPort(plan.relayAddress, relayPort)}`;
  const proxy = credential === undefined ? [] : [`HTTPS_PROXY=${relay}`, `HTTP_PROXY=${relay}`];
  const direct = `NO_PROXY=127.0.0.0/8,${(['underlay', 'pods', 'services'] as const).map((key) => listOf(plan, key)).join()}`;
  const containerd = line('containerd', ['env', ...proxy, direct, 'containerd', '--config', '/etc/fairlead/containerd.toml']);
  if (plan.options.bare) return containerd;
  const isServer = node.role === 'control-plane';
  const store = isServer ? Object.entries(storeOf(plan).services(plan, node)).map(([name, command]) => line(name, command)) : [];
  const server = isServer ? line('server', serverCommand(plan, node)) : '';
  return `${store.join('')}${server}${containerd}${line('agent', agentCommand(plan, node))}`;
}
