/**
 * Where a Service wrote an address that serves node ports, too, such as a floating one of its load balancer: both would have one virtual server there, and
 * it is who wrote the address that has it. Plain memory.
 */
import { serverName } from '../../../linux/ipvs/ipvs.ts';
import { frontendName, type ServicePlan } from '../../plan/service-plan.ts';
import { type IpvsNode, nodePortIpsOf } from './ipvs-node.ts';

type Plans = ReadonlyMap<string, ServicePlan | undefined>;

export class WrittenPlaces {
  readonly #ips: ReadonlySet<string>;
  /** Of Services with a node port, and of those with such an address. */
  readonly #plans = new Map<string, ServicePlan>();
  #names: ReadonlySet<string> = new Set();

  constructor(node: IpvsNode) {
    this.#ips = new Set(nodePortIpsOf(node));
  }

  /** Whether no node port may have the virtual server of this name. */
  has(name: string): boolean {
    return this.#names.has(name);
  }

  /** Takes what Services have now. Gives the same with those whose node ports are at other addresses now. */
  update(changes: Plans): Plans {
    const ports = new Set<string>();
    for (const [key, plan] of changes) {
      for (const one of [this.#plans.get(key), plan]) for (const port of this.#placesOf(one).values()) ports.add(port);
      if (plan && (nodePortsOf(plan).length > 0 || this.#placesOf(plan).size > 0)) this.#plans.set(key, plan);
      else this.#plans.delete(key);
    }
    if (ports.size === 0) return changes;
    this.#names = new Set([...this.#plans.values()].flatMap((plan) => [...this.#placesOf(plan).keys()]));
    const others = [...this.#plans].filter(([key, plan]) => !changes.has(key) && nodePortsOf(plan).some((port) => ports.has(port)));
    return new Map([...changes, ...others]);
  }

  /** Virtual servers at addresses that serve node ports, each with the name of the node port that would be there. */
  #placesOf(plan: ServicePlan | undefined): Map<string, string> {
    const places = new Map<string, string>();
    for (const { protocol, frontends } of plan?.ports ?? [])
      for (const { ip, port } of frontends)
        if (ip !== undefined && this.#ips.has(ip))
          places.set(serverName({ kind: 'address', ip, port, protocol }), frontendName({ port }, { protocol }));
    return places;
  }
}

function nodePortsOf({ ports }: ServicePlan): string[] {
  return ports.flatMap((port) => port.frontends.filter(({ ip }) => ip === undefined).map((frontend) => frontendName(frontend, port)));
}
