/** Gives every node a podCIDR, or one of each family. */
import { nodes } from '../../api/resource-types.ts';
import type { Node } from '../../api/schema/types.ts';
import { ignoreNotFound } from '../../client/api-error.ts';
import type { Controller } from '../../client/controller.ts';
import { familyOf } from '../../ip/ip.ts';
import { KeyedController, type PodRange } from '../context.ts';
import { freeSubnet, parseClusterCidr } from './desired.ts';

export class NodeIpamController extends KeyedController {
  readonly name = 'node-ipam-controller';
  readonly workers = 1;
  protected override readonly component = 'cidrAllocator';
  readonly #nodes = this.informers.of(nodes);
  readonly #ranges = (this.context.podRanges ?? []).map((range) => new RangeOfNodes(range));

  setup(controller: Controller): void {
    const wanting = (node: Node): string[] => {
      const { name } = node.metadata;
      const has = cidrsOf(node);
      for (const range of this.#ranges) range.hold(name, has);
      return has.length === 0 ? [name] : [];
    };
    controller.watches(this.#nodes, {
      add: wanting,
      update: wanting,
      delete: ({ metadata }) => {
        for (const range of this.#ranges) range.release(metadata.name);
        // Its range is free for one that found none.
        return this.#nodes.list().flatMap(wanting);
      },
    });
  }

  async reconcile(name: string): Promise<undefined> {
    const node = this.#nodes.get(name);
    if (!node || cidrsOf(node).length > 0) return;
    const podCIDRs: string[] = [];
    for (const range of this.#ranges) {
      const cidr = range.give(name);
      if (cidr === undefined) {
        this.recorder.event(node, 'Warning', 'CIDRNotAvailable', `Node ${name} status is now: CIDRNotAvailable (${range.whyNone})`);
        return;
      }
      podCIDRs.push(cidr);
    }
    // They stay given when this fails: the answer may be lost, but not the write.
    await this.client.patch(nodes, name, { spec: { podCIDR: podCIDRs[0], podCIDRs } }, { kind: 'strategic' }).catch(ignoreNotFound);
  }
}

function cidrsOf({ spec }: Node): readonly string[] {
  return spec?.podCIDRs?.length ? spec.podCIDRs : spec?.podCIDR ? [spec.podCIDR] : [];
}

/** Which part of one range each node has. */
class RangeOfNodes {
  readonly #maskSize: number;
  readonly #range: ReturnType<typeof parseClusterCidr>;
  /** By node. Ours, ahead of the informer: two nodes that come at once must not get the same range. */
  readonly #given = new Map<string, string>();
  /** Where the search goes on. */
  #next = 0;

  constructor({ clusterCidr, maskSize }: PodRange) {
    this.#maskSize = maskSize;
    this.#range = parseClusterCidr(clusterCidr, maskSize);
  }

  get whyNone(): string {
    return `every /${this.#maskSize} of ${this.#range.text} is taken`;
  }

  hold(node: string, cidrs: readonly string[]): void {
    const own = cidrs.find((cidr) => familyOf(cidr) === this.#range.family);
    if (own !== undefined) this.#given.set(node, own);
  }

  release(node: string): void {
    this.#given.delete(node);
  }

  give(node: string): string | undefined {
    const cidr = this.#given.get(node) ?? this.#allocate();
    if (cidr !== undefined) this.#given.set(node, cidr);
    return cidr;
  }

  #allocate(): string | undefined {
    const free = freeSubnet(this.#range, this.#maskSize, this.#given, this.#next);
    this.#next = free?.next ?? this.#next;
    return free?.text;
  }
}
