/** Gives every node a podCIDR. */
import { nodes } from '../../api/resource-types.ts';
import type { Node } from '../../api/schema/types.ts';
import { isNotFound } from '../../client/api-error.ts';
import { EventRecorder } from '../../client/event-recorder.ts';
import { runController } from '../../client/run-controller.ts';
import { WorkQueue } from '../../client/work-queue.ts';
import type { ControllerContext } from '../context.ts';
import { freeSubnet, parseClusterCidr } from './desired.ts';

export async function runNodeIpam(context: ControllerContext): Promise<void> {
  const { client, informers, clock, log, signal, clusterCidr } = context;
  if (clusterCidr === undefined) return;
  const prefix = context.nodeCidrMaskSize ?? 24;
  const range = parseClusterCidr(clusterCidr, prefix);
  const recorder = new EventRecorder({ client, component: 'cidrAllocator', clock, log });
  const queue = new WorkQueue({ clock });
  const informer = informers.of(nodes);
  // Ours, ahead of the informer: two nodes that come at once must not get the same range.
  const given = new Map<string, string>();
  let next = 0;
  const onNode = (node: Node): void => {
    if (node.spec?.podCIDR) given.set(node.metadata.name, node.spec.podCIDR);
    else queue.add(node.metadata.name);
  };
  informer.on({
    add: onNode,
    update: onNode,
    delete: (n) => {
      given.delete(n.metadata.name);
      // Its range is free for one that found none.
      for (const other of informer.list()) if (!other.spec?.podCIDR) queue.add(other.metadata.name);
    },
  });
  await informer.synced;
  await runController({ name: 'node-ipam-controller', queue, reconcile, log, signal, workers: 1 });

  async function reconcile(name: string): Promise<void> {
    const node = informer.get(name);
    if (!node || node.spec?.podCIDR) return;
    const free = given.has(name) ? undefined : freeSubnet(range, prefix, given, next);
    next = free?.next ?? next;
    const podCIDR = given.get(name) ?? free?.text;
    if (podCIDR === undefined) {
      recorder.event(
        node,
        'Warning',
        'CIDRNotAvailable',
        `Node ${name} status is now: CIDRNotAvailable (every /${prefix} of ${range.text} is taken)`,
      );
      return;
    }
    given.set(name, podCIDR);
    // It stays given when this fails: the answer may be lost, but not the write.
    await client.patch(nodes, name, { spec: { podCIDR, podCIDRs: [podCIDR] } }, { kind: 'strategic' }).catch((err: unknown) => {
      if (!isNotFound(err)) throw err;
    });
  }
}
