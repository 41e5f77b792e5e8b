/** A controller under test: the cluster is given as values, and each pass is called by hand. */
import { messageOf } from '../../errors/known-error.ts';
import { silentLog } from '../../observability/log.ts';
import { Controller, type Reconciler } from '../controller.ts';
import { FakeCluster, turn } from './fake-cluster.ts';

/** What one pass did. */
export interface Pass {
  /** `create pods default/web-1`, in order. */
  readonly writes: readonly string[];
  /** `Normal SuccessfulCreate Created pod: web-1`. */
  readonly events: readonly string[];
  readonly requeueAfter?: number;
  /** What reconcile threw: the controller puts the key back. */
  readonly error?: string;
}

export class ControllerBed extends FakeCluster {
  /** One pass. Copies stay as they are until `deliver`. */
  async pass(reconciler: Reconciler, key: string): Promise<Pass> {
    const outcome = await reconciler.reconcile(key).catch((err: unknown) => ({ error: messageOf(err) }));
    // Events are sent in the background.
    await turn();
    const { requeueAfter, error } = { requeueAfter: undefined, error: undefined, ...outcome };
    return {
      writes: this.client.took(),
      events: this.client.events.splice(0),
      ...(requeueAfter === undefined ? {} : { requeueAfter }),
      ...(error === undefined ? {} : { error }),
    };
  }

  /** The keys that news brings, each time it is delivered. */
  listen(reconciler: Reconciler): { deliver(): Promise<string[]> } {
    const keys: string[] = [];
    const recording: Reconciler = {
      name: reconciler.name,
      setup: (controller) => reconciler.setup(controller),
      async reconcile(key) {
        keys.push(key);
        return {};
      },
    };
    void new Controller({ reconciler: recording, clock: this.clock, log: silentLog }).run(this.signal);
    return {
      deliver: async () => {
        await this.deliver();
        // News may be gathered for a moment.
        await this.clock.advance(100);
        return keys.splice(0).toSorted();
      },
    };
  }
}
