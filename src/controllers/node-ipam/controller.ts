/** Gives every node a podCIDR. */
import { nodes } from '../../api/resource-types.ts';
import type { Node } from '../../api/schema/types.ts';
import { ignoreNotFound } from '../../client/api-error.ts';
import type { Controller } from '../../client/controller.ts';
import { KeyedController } from '../context.ts';
import { freeSubnet, parseClusterCidr } from './desired.ts';

export class NodeIpamController extends KeyedController {
  readonly name = 'node-ipam-controller';
  readonly workers = 1;
  protected override readonly component = 'cidrAllocator';
  readonly #nodes = this.informers.of(nodes);
  readonly #prefix = this.context.nodeCidrMaskSize ?? 24;
  readonly #range = parseClusterCidr(this.context.clusterCidr ?? '', this.#prefix);
  /** By node. Ours, ahead of the informer: two nodes that come at once must not get the same range. */
  readonly #given = new Map<string, string>();
  /** Where the search goes on. */
  #next = 0;

  setup(controller: Controller): void {
    const wanting = ({ metadata: { name }, spec }: Node): string[] => {
      if (!spec?.podCIDR) return [name];
      this.#given.set(name, spec.podCIDR);
      return [];
    };
    controller.watches(this.#nodes, {
      add: wanting,
      update: wanting,
      delete: ({ metadata }) => {
        this.#given.delete(metadata.name);
        // Its range is free for one that found none.
        return this.#nodes.list().flatMap(wanting);
      },
    });
  }

  async reconcile(name: string): Promise<undefined> {
    const node = this.#nodes.get(name);
    if (!node || node.spec?.podCIDR) return;
    const podCIDR = this.#given.get(name) ?? this.#allocate();
    if (podCIDR === undefined) {
      const why = `every /${this.#prefix} of ${this.#range.text} is taken`;
      this.recorder.event(node, 'Warning', 'CIDRNotAvailable', `Node ${name} status is now: CIDRNotAvailable (${why})`);
      return;
    }
    // It stays given when this fails: the answer may be lost, but not the write.
    this.#given.set(name, podCIDR);
    await this.client.patch(nodes, name, { spec: { podCIDR, podCIDRs: [podCIDR] } }, { kind: 'strategic' }).catch(ignoreNotFound);
  }

  #allocate(): string | undefined {
    const free = freeSubnet(this.#range, this.#prefix, this.#given, this.#next);
    this.#next = free?.next ?? this.#next;
    return free?.text;
  }
}
