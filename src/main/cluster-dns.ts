/**
 * The Service in front of the nodes' DNS servers. It has no selector: the servers write its EndpointSlices themselves.
 * Applying CoreDNS's own manifest gives it a selector, and they step back.
 */
import { services } from '../api/resource-types.ts';
import type { Service } from '../api/schema/types.ts';
import { isAlreadyExists } from '../client/api-error.ts';
import type { Client } from '../client/client.ts';
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

/** Makes the Service once; one that is there, whoever made it, stays as it is. */
export async function keepClusterDns(options: ClusterDnsOptions): Promise<void> {
  const { client, address, clock, log, signal } = options;
  if (!address) return;
  for (let delay = 100; !signal.aborted; delay = Math.min(delay * 2, 5_000)) {
    try {
      await client.create(services, clusterDnsService(address), { signal });
      return;
    } catch (err) {
      if (isAlreadyExists(err) || signal.aborted) return;
      log.warn(`Cannot make Service "kube-system/kube-dns" yet: ${messageOf(err)}`);
      await clock.sleep(delay, signal).catch(() => {});
    }
  }
}
