/** Controllers of a cloud under test. */
import type { Node, Service } from '../../api/schema/types.ts';
import { ControllerBed } from '../../client/testing/controller-bed.ts';
import { silentLog } from '../../observability/log.ts';
import type { CloudContext } from '../provider.ts';
import { type FakeProvider, fakeProvider } from './fake-provider.ts';

export class CloudBed extends ControllerBed {
  readonly provider: FakeProvider = fakeProvider();
  readonly context: CloudContext = {
    client: this.client,
    informers: this.informers,
    clock: this.clock,
    log: silentLog,
    signal: this.signal,
    provider: this.provider,
    clusterName: 'kubernetes',
    clusterCidrs: ['10.244.0.0/16'],
    routePeriodMs: 10_000,
    nodeMonitorPeriodMs: 5_000,
    nodeStatusPeriodMs: 300_000,
  };
}

/** A Service with a load balancer. */
export function balancedService(name: string, spec: Service['spec'] = {}, metadata: Partial<Service['metadata']> = {}): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default', ...metadata },
    spec: { type: 'LoadBalancer', ports: [{ port: 80, protocol: 'TCP' }], ...spec },
  };
}

export function cloudNode(name: string, more: Partial<Node> = {}): Node {
  return { apiVersion: 'v1', kind: 'Node', metadata: { name, ...more.metadata }, spec: more.spec ?? {}, status: more.status ?? {} };
}
