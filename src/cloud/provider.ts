/**
 * What a cloud can do for a cluster: upstream's contract (`cloud.go` of k8s.io/cloud-provider) in the part that its controllers use. A provider has
 * what it can; a controller without its half does not run.
 */
import type { LoadBalancerStatus, Node, NodeAddress, Service } from '../api/schema/types.ts';
import type { Client } from '../client/client.ts';
import type { InformerSet } from '../client/informers.ts';
import type { Clock } from '../clock/clock.ts';
import type { GaugeSource } from '../observability/gauge.ts';
import type { Log } from '../observability/log.ts';

export interface ProviderContext {
  /** Sends no write any more once another process may lead. */
  readonly client: Client;
  readonly informers: InformerSet;
  readonly clock: Clock;
  readonly log: Log;
  /** Nothing but it tells a provider that another process leads: what one does by other ways than the client must end with it. */
  readonly signal: AbortSignal;
  /** `--load-balancer-class`: the Services of this class are the provider's; without, those of none. */
  readonly loadBalancerClass?: string | undefined;
  /** What it counts goes in here, by name. */
  readonly gauges?: Map<string, GaugeSource>;
}

/** A load balancer as a Service is to show it. */
export interface Balanced {
  readonly status: LoadBalancerStatus;
  readonly annotations?: Readonly<Record<string, string>>;
  /** What of it is news, for the Service's events. */
  readonly event?: { readonly reason: string; readonly message: string };
}

export interface LoadBalancers {
  /** The annotations that `ensure` may give; they go with the load balancer. */
  readonly annotations: readonly string[];
  /** Resolves when the provider knows what there is already. */
  readonly ready: Promise<void>;
  /** Whether it has anything to give. A cluster without leaves Services of type LoadBalancer to whoever else may serve them. */
  readonly isConfigured: boolean;
  /** Calls the listener with Services that may be served now, or otherwise than before; undefined stands for all. */
  onChange(listener: (service: string | undefined) => void): void;
  /** Makes it as the Service wants it. Idempotent. Throws ProviderRefusal for what no repetition cures. */
  ensure(service: Service, nodes: readonly Node[]): Promise<Balanced>;
  /** The nodes behind it are others now. Absent when that is nothing to it. */
  updateNodes?(service: Service, nodes: readonly Node[]): Promise<void>;
  /** The Service wants none any more. Idempotent. */
  ensureDeleted(service: Service): Promise<void>;
}

/** What a provider knows of the machine of a Node (upstream's InstanceMetadata, with its zone). */
export interface InstanceMetadata {
  /** `metal://worker-1`. */
  readonly providerID: string;
  readonly instanceType?: string;
  readonly zone?: string;
  readonly region?: string;
  /** Undefined: those that the kubelet tells are right. */
  readonly addresses?: readonly NodeAddress[];
}

export interface Instances {
  /** A Node whose machine is gone is deleted. */
  exists(node: Node): Promise<boolean>;
  isShutDown(node: Node): Promise<boolean>;
  metadata(node: Node): Promise<InstanceMetadata>;
}

/** A route of the cloud's own network to the pods of a node. */
export interface Route {
  /** By which the cloud knows it; empty for one that is to be made. */
  readonly name: string;
  readonly node: string;
  readonly destination: string;
  /** It leads to a machine that is gone. */
  readonly isBlackhole?: boolean;
}

export interface Routes {
  list(cluster: string): Promise<Route[]>;
  create(cluster: string, route: Route): Promise<void>;
  delete(cluster: string, route: Route): Promise<void>;
}

export interface Provider {
  readonly name: string;
  readonly loadBalancers?: LoadBalancers;
  readonly instances?: Instances;
  readonly routes?: Routes;
}

/** What the provider cannot do as things are; `onChange` tells when to ask again. */
export class ProviderRefusal extends Error {
  /** Of the event. */
  readonly reason: string;

  constructor(reason: string, message: string) {
    super(message);
    this.name = 'ProviderRefusal';
    this.reason = reason;
  }
}

/** What controllers of this folder get. */
export interface CloudContext extends ProviderContext {
  readonly provider: Provider;
  /** `--use-service-account-credentials`: the client of a ServiceAccount of kube-system; without, each controller uses `client`. */
  readonly clientOf?: (account: string) => Client;
  readonly clusterName: string;
  /** Ranges of the pods: routes outside of them are not the cluster's. */
  readonly clusterCidrs: readonly string[];
  readonly routePeriodMs: number;
  /** Between two looks at whether the machine of a Node that is not Ready is still there. */
  readonly nodeMonitorPeriodMs: number;
  /** Between two looks at the addresses of a Node. */
  readonly nodeStatusPeriodMs: number;
}

export function isRefusal(err: unknown): err is ProviderRefusal {
  return err instanceof ProviderRefusal;
}
