/** Notices nodes that are not heard of, says so in their conditions and their pods', and taints nodes in trouble. */
import { leases, nodes, pods } from '../../api/resource-types.ts';
import type { Lease, Node, Pod } from '../../api/schema/types.ts';
import { ignoreNotFound, isConflict } from '../../client/api-error.ts';
import type { Controller, Result } from '../../client/controller.ts';
import { timestamp } from '../../clock/timestamp.ts';
import { KeyedController } from '../context.ts';
import { canonical } from '../ownership/template-hash.ts';
import { graceMs, unheardConditions, wantedTaints } from './desired.ts';
import { NodeHealth } from './node-health.ts';

/** So often the pods of a silent node are looked at: more may have come. */
const silentCheckMs = 5_000;

export class NodeLifecycleController extends KeyedController {
  readonly name = 'node-lifecycle-controller';
  protected override readonly component = 'node-controller';
  readonly #nodes = this.informers.of(nodes);
  readonly #leases = this.informers.of(leases, { namespace: 'kube-node-lease' });
  readonly #pods = this.informers.of(pods).addIndex('node', (pod) => [pod.spec?.nodeName ?? '']);
  readonly #health = new NodeHealth(this.clock);

  setup(controller: Controller): void {
    const renewed = ({ metadata }: Lease): void => this.#health.renewed(metadata.name, metadata.resourceVersion ?? '');
    this.#leases.on({ add: renewed, update: renewed });
    this.#nodes.on({ delete: ({ metadata }) => this.#health.forget(metadata.name) });
    controller
      .watches(this.#nodes, { add: (node) => this.#registered(node), update: (node, previous) => this.#changed(node, previous) })
      .waitsFor(this.#leases, this.#pods);
  }

  #registered(node: Node): string[] {
    const { name } = node.metadata;
    this.recorder.event(node, 'Normal', 'RegisteredNode', `Node ${name} event: Registered Node ${name} in Controller`);
    return this.#concernedBy(node);
  }

  #changed(node: Node, previous: Node): string[] {
    if (heartbeatOf(node) !== heartbeatOf(previous)) this.#health.reported(node.metadata.name);
    return relevant(node) === relevant(previous) ? [] : this.#concernedBy(node);
  }

  /** When the last ready node is lost or the first is back, all are: only then do they lose or get their NoExecute taints. */
  #concernedBy(node: Node): string[] {
    const concerned = this.#health.observe(node) ? [node, ...this.#nodes.list()] : [node];
    return concerned.map(({ metadata }) => metadata.name);
  }

  async reconcile(name: string): Promise<Result | undefined> {
    const node = this.#nodes.get(name);
    if (!node) return;
    const silentIn = this.#health.silentIn(name);
    const isSilent = silentIn < 0;
    await this.#taint(isSilent ? await this.#declareSilent(node) : node);
    return { requeueAfter: isSilent ? silentCheckMs : silentIn + 1 };
  }

  async #declareSilent(node: Node): Promise<Node> {
    const { name } = node.metadata;
    const conditions = unheardConditions(node, timestamp(this.clock.now()));
    if (conditions) {
      this.context.log.warn(`Node "${name}" was not heard of for ${graceMs / 1000} s`, { node: name });
      this.recorder.event(node, 'Normal', 'NodeNotReady', `Node ${name} status is now: NodeNotReady`);
    }
    const patch = { status: { conditions } };
    const told = conditions ? await this.client.patch(nodes, name, patch, { subresource: 'status', kind: 'strategic' }) : node;
    for (const pod of this.#pods.byIndex('node', name)) await this.#markNotReady(pod);
    return told;
  }

  /** Endpoints follow readiness: a pod on a silent node must not get traffic. */
  async #markNotReady({ metadata: { name, namespace = '' }, status }: Pod): Promise<void> {
    const ready = status?.conditions?.find((c) => c.type === 'Ready');
    if (ready?.status !== 'True') return;
    const condition = { ...ready, status: 'False', reason: 'NodeNotReady', lastTransitionTime: timestamp(this.clock.now()) };
    const options = { namespace, subresource: 'status', kind: 'strategic' } as const;
    await this.client.patch(pods, name, { status: { conditions: [condition] } }, options).catch((err: unknown) => {
      if (!isConflict(err)) return ignoreNotFound(err);
    });
  }

  async #taint(node: Node): Promise<void> {
    const { name, resourceVersion } = node.metadata;
    const taints = wantedTaints(node, timestamp(this.clock.now()), this.#health.isAnyWell);
    if (canonical(taints) === canonical(node.spec?.taints ?? [])) return;
    const patch = { metadata: { resourceVersion }, spec: { taints: taints.length > 0 ? taints : null } };
    await this.client.patch(nodes, name, patch).catch(ignoreNotFound);
  }
}

function heartbeatOf(node: Node): string | undefined {
  return node.status?.conditions?.find((c) => c.type === 'Ready')?.lastHeartbeatTime;
}

/** What of a node decides over taints; its heartbeat does not. */
function relevant({ spec, status }: Node): string {
  return JSON.stringify([spec, (status?.conditions ?? []).map((c) => [c.type, c.status])]);
}
