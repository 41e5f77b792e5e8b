/**
 * Connection tracking pins a UDP flow to its endpoint, or to no endpoint at all, for as long as packets come. So flows
 * that were promised to an endpoint which no longer serves are deleted; the next packet is balanced anew. TCP ends by itself.
 */
import { Conntrack } from '../linux/netlink/conntrack.ts';
import { IPPROTO } from '../linux/netlink/tracked-flow.ts';
import type { TableFamily } from '../linux/nftables/table.ts';
import type { NodeContext } from './plan/node-context.ts';
import { frontendName, type ServicePlan } from './plan/service-plan.ts';

/** One tracked connection, as far as it matters here. */
export interface UdpFlow {
  /** Where the client sent to. */
  readonly to: string;
  readonly port: number;
  /** Who answers. */
  readonly answeredBy: string;
  readonly answeredFromPort: number;
}

/** Deletes tracked UDP connections that are stale; gives their number. */
export interface UdpFlows {
  deleteStale(family: TableFamily, isStale: (flow: UdpFlow) => boolean): Promise<number>;
  close(): void;
}

/** Of the kernel, in the network namespace in which it was made. */
export class KernelUdpFlows implements UdpFlows {
  readonly #conntrack = new Conntrack();

  deleteStale(family: TableFamily, isStale: (flow: UdpFlow) => boolean): Promise<number> {
    return this.#conntrack.deleteWhere(family === 'ip' ? 4 : 6, IPPROTO.udp, ({ orig, reply }) =>
      isStale({ to: orig.dst, port: orig.dstPort, answeredBy: reply.src, answeredFromPort: reply.srcPort }),
    );
  }

  close(): void {
    this.#conntrack.close();
  }
}

function usesUdp(plan: ServicePlan | undefined): plan is ServicePlan {
  return plan?.ports.some((port) => port.protocol === 'udp') === true;
}

/** What Services have on this node in one family. */
interface Planned {
  readonly node: NodeContext;
  readonly plans: ReadonlyMap<string, ServicePlan>;
}

/** Gathers what changed for UDP, until its flows were looked at. */
export class UdpCleanUp {
  readonly #flows: UdpFlows;
  #due = false;
  /** Plans that are not true any more: their frontends may be nobody's now. */
  #former = new Map<TableFamily, ServicePlan[]>();

  constructor(flows: UdpFlows) {
    this.#flows = flows;
  }

  /** Takes note of a change of a Service. */
  changed(family: TableFamily, before: ServicePlan | undefined, after: ServicePlan | undefined): void {
    this.#due ||= usesUdp(before) || usesUdp(after);
    if (usesUdp(before)) this.#former.set(family, [...(this.#former.get(family) ?? []), before]);
  }

  /** Deletes stale flows, if there may be any; gives their number. After an error the next run has the same to do. */
  async run(planned: ReadonlyMap<TableFamily, Planned>): Promise<number> {
    if (!this.#due) return 0;
    let count = 0;
    for (const [family, now] of planned) count += await this.#flows.deleteStale(family, staleFlows(now, this.#former.get(family) ?? []));
    this.#former = new Map();
    this.#due = false;
    return count;
  }
}

function frontendsOf(plans: Iterable<ServicePlan>): Map<string, ReadonlySet<string>> {
  const frontends = new Map<string, ReadonlySet<string>>();
  for (const plan of plans)
    for (const port of plan.ports)
      if (port.protocol === 'udp') for (const f of port.frontends) frontends.set(frontendName(f, port), port.serving);
  return frontends;
}

/**
 * Tells stale flows: to a frontend of a Service but answered by somebody who does not serve, and those that were sent on by
 * a frontend that nobody has any more.
 */
function staleFlows({ plans, node }: Planned, former: Iterable<ServicePlan>): (flow: UdpFlow) => boolean {
  const frontends = frontendsOf(plans.values());
  const gone = frontendsOf(former);
  for (const frontend of frontends.keys()) gone.delete(frontend);
  return ({ to, port, answeredBy, answeredFromPort }) => {
    const translated = answeredBy !== to;
    // Which addresses are the node's is not known when all of them serve node ports; what passes through is not translated.
    const here = node.nodePortIps === 'all' ? translated || node.nodeIps.includes(to) : node.nodePortIps.includes(to);
    const serving = frontends.get(`${to} . udp . ${port}`) ?? (here ? frontends.get(`udp . ${port}`) : undefined);
    if (serving) return !serving.has(`${answeredBy} . ${answeredFromPort}`);
    return translated && (gone.has(`${to} . udp . ${port}`) || (here && gone.has(`udp . ${port}`)));
  };
}
