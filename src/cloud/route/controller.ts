/** Routes of the cloud's own network to the pods of each node: upstream's route controller. */
import { nodes } from '../../api/resource-types.ts';
import type { Node } from '../../api/schema/types.ts';
import { ignoreNotFound } from '../../client/api-error.ts';
import type { Controller, Reconciler, Result } from '../../client/controller.ts';
import { EventRecorder } from '../../client/event-recorder.ts';
import type { Informer } from '../../client/informer.ts';
import { timestamp } from '../../clock/timestamp.ts';
import { messageOf } from '../../errors/known-error.ts';
import type { CloudContext, Route, Routes } from '../provider.ts';
import { networkCondition, planRoutes, podCidrs } from './desired.ts';

/** All routes are looked at together, as the cloud lists them together. */
const all = 'routes';

export class RouteController implements Reconciler {
  readonly name = 'node-route-controller';
  readonly workers = 1;
  readonly #context: CloudContext;
  readonly #routes: Routes;
  readonly #nodes: Informer<Node>;
  readonly #recorder: EventRecorder;

  constructor(context: CloudContext, routes: Routes) {
    this.#context = context;
    this.#routes = routes;
    this.#nodes = context.informers.of(nodes);
    this.#recorder = new EventRecorder({ ...context, component: 'route_controller' });
  }

  setup(controller: Controller): void {
    const rangesOf = (node: Node): string => podCidrs(node).join();
    controller.watches(this.#nodes, {
      add: () => [all],
      update: (node, previous) => (rangesOf(node) === rangesOf(previous) ? [] : [all]),
      delete: () => [all],
    });
  }

  async reconcile(): Promise<Result> {
    const { clusterName, clusterCidrs, routePeriodMs } = this.#context;
    const list = this.#nodes.list();
    const { create, remove } = planRoutes(list, await this.#routes.list(clusterName), clusterCidrs);
    // First what is wrong: a cloud may refuse a second route to one range.
    for (const route of remove) await this.#routes.delete(clusterName, route);
    const failed = new Set<string>();
    for (const route of create) if (!(await this.#create(route))) failed.add(route.node);
    for (const node of list) if (podCidrs(node).length > 0) await this.#tell(node, !failed.has(node.metadata.name));
    return { requeueAfter: routePeriodMs };
  }

  async #create(route: Route): Promise<boolean> {
    try {
      await this.#routes.create(this.#context.clusterName, route);
      return true;
    } catch (err) {
      const message = `Could not create route for node ${route.node} ${route.destination}: ${messageOf(err)}`;
      this.#context.log.warn(message, { err });
      const node = this.#nodes.get(route.node);
      if (node) this.#recorder.event(node, 'Warning', 'FailedToCreateRoute', message);
      return false;
    }
  }

  async #tell(node: Node, hasRoutes: boolean): Promise<void> {
    const condition = networkCondition(node, hasRoutes, timestamp(this.#context.clock.now()));
    if (!condition) return;
    const patch = { status: { conditions: [condition] } };
    const options = { subresource: 'status', kind: 'strategic' } as const;
    await this.#context.client.patch(nodes, node.metadata.name, patch, options).catch(ignoreNotFound);
  }
}
