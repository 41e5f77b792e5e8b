/**
 * Connection tracking pins a UDP flow to its endpoint, or to no endpoint at all, for as long as packets come. So flows
 * that were promised to an endpoint which no longer serves are deleted; the next packet is balanced anew. TCP ends by itself, but for what began
 * while rules were missing: that is pinned to no endpoint as long as the client tries.
 */
import { Conntrack } from '../linux/netlink/conntrack.ts';
import { type FlowTuple, IPPROTO } from '../linux/netlink/tracked-flow.ts';
import type { TableFamily } from '../linux/nftables/table.ts';
import { isLoopback } from './node-state.ts';
import type { NodeContext } from './plan/node-context.ts';
import { type Reserved, servesNodePorts } from './plan/reserved.ts';
import { frontendName, type ServicePlan } from './plan/service-plan.ts';

/** A tracked connection, as far as it matters here. */
export interface Flow {
  /** Where the client sent to. */
  readonly to: string;
  readonly port: number;
  /** Who answers. */
  readonly answeredBy: string;
  readonly answeredFromPort: number;
}

/** Deletes tracked connections that are stale; gives their number. */
export interface Flows {
  /** Of UDP. */
  deleteStale(family: TableFamily, isStale: (flow: Flow) => boolean): Promise<number>;
  /** Of TCP, where nobody has answered yet and nothing was translated. */
  deleteUnanswered(family: TableFamily, isStale: (flow: Flow) => boolean): Promise<number>;
  close(): void;
}

/** Of the kernel, in the network namespace in which it was made. */
export class KernelFlows implements Flows {
  readonly #conntrack = new Conntrack();

  deleteStale(family: TableFamily, isStale: (flow: Flow) => boolean): Promise<number> {
    return this.#conntrack.deleteWhere(family === 'ip' ? 4 : 6, IPPROTO.udp, ({ orig, reply }) => isStale(flowOf(orig, reply)));
  }

  async deleteUnanswered(family: TableFamily, isStale: (flow: Flow) => boolean): Promise<number> {
    const flows = await this.#conntrack.flowsOf(family === 'ip' ? 4 : 6, 'unanswered');
    return await this.#conntrack.delete(
      flows.filter(
        ({ protocol, orig, reply, isAnswered }) =>
          protocol === IPPROTO.tcp && !isAnswered && orig.dst === reply.src && isStale(flowOf(orig, reply)),
      ),
    );
  }

  close(): void {
    this.#conntrack.close();
  }
}

function flowOf(orig: FlowTuple, reply: FlowTuple): Flow {
  return { to: orig.dst, port: orig.dstPort, answeredBy: reply.src, answeredFromPort: reply.srcPort };
}

function usesUdp(plan: ServicePlan | undefined): plan is ServicePlan {
  return plan?.ports.some((port) => port.protocol === 'udp') === true;
}

/** What Services have on this node in one family. */
interface Planned {
  readonly node: NodeContext;
  readonly reserved: Pick<Reserved, 'hostIps'>;
  readonly plans: ReadonlyMap<string, ServicePlan>;
}

/** Gathers what changed, until flows were looked at. */
export class FlowCleanUp {
  readonly #flows: Flows;
  readonly #due = new Set<TableFamily>();
  readonly #wereMissing = new Set<TableFamily>();
  /** Plans that are not true any more: their frontends may be nobody's now. */
  readonly #former = new Map<TableFamily, ServicePlan[]>();

  constructor(flows: Flows) {
    this.#flows = flows;
  }

  /** Takes note of a change of a Service. */
  changed(family: TableFamily, before: ServicePlan | undefined, after: ServicePlan | undefined): void {
    if (usesUdp(before) || usesUdp(after)) this.#due.add(family);
    if (usesUdp(before)) this.#former.set(family, [...(this.#former.get(family) ?? []), before]);
  }

  /** Takes note that rules were not there until now. */
  rulesWereMissing(family: TableFamily): void {
    this.#wereMissing.add(family);
  }

  /** Deletes stale flows of a family and gives their number; undefined when there can be none. After an error the next run has the same to do. */
  async run(family: TableFamily, planned: Planned): Promise<number | undefined> {
    const wereMissing = this.#wereMissing.has(family);
    if (!this.#due.has(family) && !wereMissing) return undefined;
    let count = await this.#flows.deleteStale(family, staleFlows(planned, this.#former.get(family) ?? []));
    if (wereMissing) count += await this.#flows.deleteUnanswered(family, lostFlows(planned));
    this.#former.delete(family);
    this.#due.delete(family);
    this.#wereMissing.delete(family);
    return count;
  }
}

function frontendsOf(plans: Iterable<ServicePlan>, protocol: 'tcp' | 'udp'): Map<string, ReadonlySet<string>> {
  const frontends = new Map<string, ReadonlySet<string>>();
  for (const plan of plans)
    for (const port of plan.ports)
      if (port.protocol === protocol) for (const f of port.frontends) frontends.set(frontendName(f, port), port.serving);
  return frontends;
}

/**
 * Tells stale flows: to a frontend of a Service but answered by somebody who does not serve, and those that were sent on by
 * a frontend that nobody has any more.
 */
function staleFlows({ plans, node, reserved }: Planned, former: Iterable<ServicePlan>): (flow: Flow) => boolean {
  const frontends = frontendsOf(plans.values(), 'udp');
  const gone = frontendsOf(former, 'udp');
  for (const frontend of frontends.keys()) gone.delete(frontend);
  return ({ to, port, answeredBy, answeredFromPort }) => {
    const translated = answeredBy !== to;
    const here = isOfNodePorts(to, node, reserved);
    const serving = frontends.get(`${to} . udp . ${port}`) ?? (here ? frontends.get(`udp . ${port}`) : undefined);
    if (serving) return !serving.has(`${answeredBy} . ${answeredFromPort}`);
    return translated && (gone.has(`${to} . udp . ${port}`) || (here && gone.has(`udp . ${port}`)));
  };
}

/** Tells flows to a frontend that rules would have sent on. */
function lostFlows({ plans, node, reserved }: Planned): (flow: Flow) => boolean {
  const frontends = frontendsOf(plans.values(), 'tcp');
  return ({ to, port }) => frontends.has(`${to} . tcp . ${port}`) || (isOfNodePorts(to, node, reserved) && frontends.has(`tcp . ${port}`));
}

/** Where all addresses serve node ports, loopback does in some modes; in the others a flow of the node with itself begins anew. */
function isOfNodePorts(ip: string, node: NodeContext, reserved: Planned['reserved']): boolean {
  return servesNodePorts(ip, node, reserved.hostIps) || (node.nodePortIps === 'all' && isLoopback(ip));
}
