/**
 * The Service in front of the nodes' DNS servers. It has no selector: the servers write its EndpointSlices themselves.
 * Applying CoreDNS's own manifest gives it a selector, and they step back when its pods are ready; deleting that manifest deletes the
 * Service, and it is made anew.
 */
import { objectKey } from '../api/object-key.ts';
import { services } from '../api/resource-types.ts';
import type { Service } from '../api/schema/types.ts';
import { isAlreadyExists } from '../client/api-error.ts';
import type { Client } from '../client/client.ts';
import { Informer } from '../client/informer.ts';
import { BackOff } from '../clock/back-off.ts';
import type { Clock } from '../clock/clock.ts';
import { messageOf } from '../errors/known-error.ts';
import type { Log } from '../observability/log.ts';

export interface ClusterDnsOptions {
  readonly client: Client;
  /** Empty for none. */
  readonly address: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export function clusterDnsService(address: string): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: 'kube-dns',
      namespace: 'kube-system',
      labels: { 'k8s-app': 'kube-dns', 'kubernetes.io/cluster-service': 'true', 'kubernetes.io/name': 'CoreDNS' },
    },
    spec: {
      clusterIP: address,
      clusterIPs: [address],
      ports: [
        { name: 'dns', port: 53, protocol: 'UDP' },
        { name: 'dns-tcp', port: 53, protocol: 'TCP' },
        // As in CoreDNS's own manifest; refused where no server offers metrics.
        { name: 'metrics', port: 9153, protocol: 'TCP' },
      ],
    },
  };
}

/** Long enough for whoever replaces the Service by deleting it first. */
const graceMs = 1_000;
const delays = { durationMs: 100, capMs: 30_000 };

/** Makes the Service, and makes it again when it is deleted; one that is there, whoever made it, stays as it is. */
export async function keepClusterDns({ client, address, clock, log, signal }: ClusterDnsOptions): Promise<void> {
  if (!address) return;
  const wanted = clusterDnsService(address);
  const sleep = (ms: number): Promise<void> => clock.sleep(ms, signal).catch(() => {});
  let said = '';
  // True when there is one.
  const create = async (): Promise<boolean> => {
    try {
      await client.create(services, wanted, { signal });
      return true;
    } catch (err) {
      if (isAlreadyExists(err)) return true;
      const why = messageOf(err);
      if (why !== said && !signal.aborted) log.warn(`Cannot make Service "${objectKey(wanted)}" yet: ${why}`);
      said = why;
      return false;
    }
  };
  // Tries until there is one, or the signal aborts.
  const make = async (): Promise<void> => {
    const backOff = new BackOff(delays);
    while (!signal.aborted && !(await create())) await sleep(backOff.step());
  };
  await make();
  const { name, namespace = '' } = wanted.metadata;
  const informer = new Informer(client, services, { namespace, fieldSelector: `metadata.name=${name}`, clock, log });
  informer.on({ delete: () => void sleep(graceMs).then(make) });
  if (!signal.aborted) await informer.start(signal);
}
