/** Services of one node that a mode serves, each by the address that it is reached at. */
import type { Endpoint, EndpointSlice, Service } from '../../../src/api/schema/types.ts';
import type { Mode, ModeRules } from '../../../src/proxy/mode/mode.ts';
import { algorithmAnnotation } from '../../../src/proxy/plan/algorithm.ts';
import { Planner } from '../../../src/proxy/plan/planner.ts';
import { sampleNode } from '../../../src/proxy/testing/sample-node.ts';

/** What a test asks of a Service that is not usual. */
export interface Wanted {
  readonly algorithm?: string;
  readonly protocol?: 'TCP' | 'UDP';
  readonly targetPort?: number;
  readonly affinity?: boolean;
  /** Endpoints that end, and serve until then. */
  readonly draining?: readonly string[];
}

function endpointOf(ip: string, isDraining: boolean): Endpoint {
  const nodeName = ip.startsWith('10.244.1.') ? 'node1' : 'node2';
  const conditions = isDraining ? { conditions: { ready: false, serving: true, terminating: true } } : {};
  return { addresses: [ip], nodeName, ...conditions };
}

export class ServedServices {
  readonly #planner: Planner;
  readonly #rules: ModeRules;

  /** What the mode opened for `sampleNode`. */
  constructor(mode: Mode, rules: ModeRules) {
    this.#planner = new Planner(sampleNode, mode.algorithms);
    this.#rules = rules;
  }

  put(clusterIP: string, ips: readonly string[], wanted: Wanted = {}): void {
    const { algorithm, protocol = 'TCP', targetPort = 8080, affinity, draining = [] } = wanted;
    const annotations = algorithm === undefined ? {} : { [algorithmAnnotation]: algorithm };
    const service: Service = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: clusterIP, namespace: 'n', annotations },
      spec: { type: 'ClusterIP', clusterIP, ports: [{ port: 80, protocol }], sessionAffinity: affinity ? 'ClientIP' : 'None' },
    };
    const slice: EndpointSlice = {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: 's' },
      addressType: 'IPv4',
      ports: [{ name: '', port: targetPort, protocol }],
      endpoints: [...ips.map((ip) => endpointOf(ip, false)), ...draining.map((ip) => endpointOf(ip, true))],
    };
    this.#planner.put(`n/${clusterIP}`, service, [slice]);
  }

  async sync(): Promise<void> {
    for (const [key, { after: plan }] of this.#planner.take()) this.#rules.put(key, plan);
    await this.#rules.sync();
  }

  async remove(clusterIP: string): Promise<void> {
    this.#planner.put(`n/${clusterIP}`, undefined, []);
    await this.sync();
  }

  async serve(clusterIP: string, ips: readonly string[], wanted: Wanted = {}): Promise<void> {
    this.put(clusterIP, ips, wanted);
    await this.sync();
  }
}
