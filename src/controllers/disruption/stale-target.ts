/** Takes the condition DisruptionTarget off pods that were to be disrupted and that nobody deleted. */
import { pods } from '../../api/resource-types.ts';
import type { Controller, Result } from '../../client/controller.ts';
import { timestamp } from '../../clock/timestamp.ts';
import { KeyedController } from '../context.ts';
import { staleIn } from './desired.ts';

export class StaleTargetController extends KeyedController {
  readonly name = 'disruption-controller';
  readonly #pods = this.informers.of(pods);

  setup(controller: Controller): void {
    controller.for(this.#pods, (pod) => staleIn(pod, this.clock.now()) !== undefined);
  }

  async reconcile(key: string): Promise<Result | undefined> {
    const pod = this.#pods.get(key);
    const now = this.clock.now();
    const wait = pod && staleIn(pod, now);
    if (!pod || wait === undefined) return;
    if (wait > 0) return { requeueAfter: wait };
    const { name, namespace = '', uid } = pod.metadata;
    const over = { type: 'DisruptionTarget', status: 'False', lastTransitionTime: timestamp(now), reason: null, message: null };
    const patch = { metadata: { uid }, status: { conditions: [over] } };
    await this.client.patch(pods, name, patch, { namespace, subresource: 'status', kind: 'strategic' });
  }
}
