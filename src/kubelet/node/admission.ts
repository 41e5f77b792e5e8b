/** Whether this node can take a pod that was given to it, in case the scheduler did not look or looked too early. The decisions are pure. */
import { hostPortsCollide, hostPortsOf } from '../../api/placement/host-ports.ts';
import { milli, value } from '../../api/quantity/quantity.ts';
import { nodes } from '../../api/resource-types.ts';
import type { Node, Pod, PodSpec } from '../../api/schema/types.ts';
import type { Client } from '../../client/client.ts';
import type { ResizeProblem } from '../pod/resize.ts';
import { sumOf } from '../pod/resources.ts';
import { specOf } from '../pod/spec.ts';
import type { WaitReason } from '../pod/status.ts';

export interface NodeOffer {
  readonly allocatable: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
}

export interface AdmissionOptions {
  readonly client: Client;
  readonly nodeName: string;
  readonly allocatable: NodeOffer['allocatable'];
  /** The Node as the watch knows it. */
  readonly node: () => Node | undefined;
}

/** Admits pods to this node. */
export class Admission {
  readonly #options: AdmissionOptions;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** Why the node cannot take the pod beside the others, or undefined. */
  async admit(pod: Pod, others: () => readonly Pod[]): Promise<WaitReason | undefined> {
    const refusal = admitPod(pod, others(), this.#offer(this.#options.node()));
    if (refusal?.reason !== 'NodeAffinity') return refusal;
    // The label that the pod was placed by may be newer than what the watch has brought.
    return admitPod(pod, others(), this.#offer(await this.#options.client.get(nodes, this.#options.nodeName)));
  }

  /** Why a running pod cannot have what it asks for now, or undefined. */
  resizeProblem(pod: Pod, others: readonly Pod[]): ResizeProblem | undefined {
    return resizeProblem(pod, others, this.#offer(undefined));
  }

  #offer(node: Node | undefined): NodeOffer {
    return { allocatable: this.#options.allocatable, labels: node?.metadata.labels ?? {} };
  }
}

/** Of the pod's own namespaces, and without effect on others; all others are for the owner of the node to allow (sysctl/safe_sysctls.go). */
const safeSysctls = new Set([
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.ping_group_range',
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.ip_local_reserved_ports',
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
  'net.ipv4.tcp_rmem',
  'net.ipv4.tcp_wmem',
]);

function sysctlProblem({ securityContext, hostNetwork, hostIPC }: PodSpec): string | undefined {
  for (const { name = '' } of securityContext?.sysctls ?? []) {
    // `net/ipv4/conf/eth0.1/forwarding` is the other way to write one; the first separator tells which it is.
    const dotted = /^[^./]*\//.test(name) ? name.replace(/[./]/g, (c) => (c === '/' ? '.' : '/')) : name;
    if (!safeSysctls.has(dotted)) return `forbidden sysctl: "${dotted}" not allowlisted`;
    const shared = dotted.startsWith('net.') ? hostNetwork && 'Net' : hostIPC && 'IPC';
    if (shared) return `forbidden sysctl: "${dotted}" not allowed with host ${shared} enabled`;
  }
  return undefined;
}

/** Why the pod cannot run here beside the others; undefined when it can. The reasons are upstream's (lifecycle/predicate.go). */
export function admitPod(pod: Pod, others: readonly Pod[], node: NodeOffer): WaitReason | undefined {
  for (const [key, wanted] of Object.entries(specOf(pod).nodeSelector ?? {})) {
    if (node.labels[key] !== wanted)
      return {
        reason: 'NodeAffinity',
        message: "Pod was rejected: Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
      };
  }
  const sysctl = sysctlProblem(specOf(pod));
  if (sysctl) return { reason: 'SysctlForbidden', message: sysctl };
  const maxPods = Number(value(node.allocatable.pods ?? '110'));
  if (others.length + 1 > maxPods)
    return {
      reason: 'OutOfpods',
      message: `Pod was rejected: Node didn't have enough resource: pods, requested: 1, used: ${others.length}, capacity: ${maxPods}`,
    };
  const missing = missingResource(pod, others, node);
  if (missing) return { reason: `OutOf${missing.name}`, message: `Pod was rejected: Node didn't have enough resource: ${missing.text}` };
  const wanted = hostPortsOf(pod);
  if (wanted.length > 0 && others.flatMap(hostPortsOf).some((taken) => wanted.some((port) => hostPortsCollide(port, taken))))
    return {
      reason: 'NodePorts',
      message: "Pod was rejected: Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports",
    };
  return undefined;
}

/** Why a running pod cannot get what it asks for now; undefined when it can (allocation/allocation_manager.go). */
export function resizeProblem(pod: Pod, others: readonly Pod[], node: NodeOffer): ResizeProblem | undefined {
  const alone = missingResource(pod, [], node);
  if (alone) return { type: 'PodResizePending', reason: 'Infeasible', message: `Node didn't have enough capacity: ${alone.text}` };
  const beside = missingResource(pod, others, node);
  if (beside) return { type: 'PodResizePending', reason: 'Deferred', message: `Node didn't have enough resource: ${beside.text}` };
  return undefined;
}

function missingResource(pod: Pod, others: readonly Pod[], node: NodeOffer): { readonly name: string; readonly text: string } | undefined {
  for (const [name, measure] of [
    ['cpu', milli],
    ['memory', value],
  ] as const) {
    const request = (p: Pod): number =>
      Number(measure(specOf(p).overhead?.[name] ?? '0')) + sumOf(p, (c) => Number(measure(c.resources?.requests?.[name] ?? '0')));
    const requested = request(pod);
    const used = others.reduce((sum, other) => sum + request(other), 0);
    const capacity = Number(measure(node.allocatable[name] ?? '0'));
    if (requested > 0 && used + requested > capacity)
      return { name, text: `${name}, requested: ${requested}, used: ${used}, capacity: ${capacity}` };
  }
  return undefined;
}
