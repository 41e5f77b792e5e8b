/** A controller of the cluster under test. */
import { ControllerBed } from '../../client/testing/controller-bed.ts';
import { silentLog } from '../../observability/log.ts';
import type { ControllerContext } from '../context.ts';

export class TestBed extends ControllerBed {
  readonly context: ControllerContext = {
    client: this.client,
    informers: this.informers,
    clock: this.clock,
    log: silentLog,
    signal: this.signal,
    rootCa: 'the root',
    podRanges: [{ clusterCidr: '10.244.0.0/16', maskSize: 24 }],
    signing: { mostMs: 0, authorities: {} },
  };
}
