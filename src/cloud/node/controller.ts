/**
 * Upstream's two controllers of nodes in a cloud: one initialises the Node of a machine that the cloud knows, the other deletes it when the machine is
 * gone and taints it while it is switched off.
 */
import { nodes } from '../../api/resource-types.ts';
import type { Node } from '../../api/schema/types.ts';
import { ignoreNotFound } from '../../client/api-error.ts';
import type { Controller, Reconciler, Result } from '../../client/controller.ts';
import { EventRecorder } from '../../client/event-recorder.ts';
import type { Informer } from '../../client/informer.ts';
import type { CloudContext, Instances } from '../provider.ts';
import { changedAddresses, initialPatch, isReady, isUninitialized, shutdownTaints } from './desired.ts';

export class CloudNodeController implements Reconciler {
  readonly name = 'cloud-node-controller';
  readonly #context: CloudContext;
  readonly #instances: Instances;
  readonly #nodes: Informer<Node>;
  readonly #recorder: EventRecorder;

  constructor(context: CloudContext, instances: Instances) {
    this.#context = context;
    this.#instances = instances;
    this.#nodes = context.informers.of(nodes);
    this.#recorder = new EventRecorder({ ...context, component: this.name });
  }

  setup(controller: Controller): void {
    const own = (node: Node): string[] => [node.metadata.name];
    controller.watches(this.#nodes, {
      add: own,
      update: (node, previous) => (isUninitialized(node) && !isUninitialized(previous) ? own(node) : []),
    });
  }

  async reconcile(name: string): Promise<Result | undefined> {
    const node = this.#nodes.get(name);
    if (!node) return;
    const known = await this.#instances.metadata(node);
    const addresses = known.addresses && changedAddresses(node, known.addresses);
    // Whole: a strategic merge would keep what the machine has no more.
    if (addresses)
      await this.#context.client.patch(nodes, name, { status: { addresses } }, { subresource: 'status' }).catch(ignoreNotFound);
    if (isUninitialized(node)) await this.#initialise(node);
    return known.addresses && { requeueAfter: this.#context.nodeStatusPeriodMs };
  }

  async #initialise(node: Node): Promise<void> {
    const fresh = await this.#context.client.get(nodes, node.metadata.name);
    if (!isUninitialized(fresh)) return;
    await this.#context.client.patch(nodes, node.metadata.name, initialPatch(fresh, await this.#instances.metadata(fresh)));
    this.#recorder.event(node, 'Normal', 'Synced', 'Node synced successfully');
  }
}

export class CloudNodeLifecycleController implements Reconciler {
  readonly name = 'cloud-node-lifecycle-controller';
  readonly #context: CloudContext;
  readonly #instances: Instances;
  readonly #nodes: Informer<Node>;
  readonly #recorder: EventRecorder;

  constructor(context: CloudContext, instances: Instances) {
    this.#context = context;
    this.#instances = instances;
    this.#nodes = context.informers.of(nodes);
    this.#recorder = new EventRecorder({ ...context, component: this.name });
  }

  /** A Node that is Ready has a machine that lives, and the cloud is not asked. */
  setup(controller: Controller): void {
    controller.watches(this.#nodes, {
      add: ({ metadata }) => [metadata.name],
      update: (node, previous) => (isReady(node) === isReady(previous) ? [] : [node.metadata.name]),
    });
  }

  async reconcile(name: string): Promise<Result | undefined> {
    const node = this.#nodes.get(name);
    if (!node) return;
    const ready = isReady(node);
    if (!ready && !(await this.#instances.exists(node))) {
      this.#recorder.event(node, 'Normal', 'DeletingNode', `Deleting node ${name} because it does not exist in the cloud provider`);
      const { uid } = node.metadata;
      await this.#context.client.delete(nodes, name, uid === undefined ? {} : { preconditions: { uid } }).catch(ignoreNotFound);
      return;
    }
    const taints = shutdownTaints(node, !ready && (await this.#instances.isShutDown(node)));
    const { resourceVersion } = node.metadata;
    if (taints !== undefined)
      await this.#context.client.patch(nodes, name, { metadata: { resourceVersion }, spec: { taints } }).catch(ignoreNotFound);
    return ready ? undefined : { requeueAfter: this.#context.nodeMonitorPeriodMs };
  }
}
