/** Where a relay takes what comes to its address, and what a relay is to those who open it. */
import type { PortBalancer } from './balancer.ts';

export interface SocketAddress {
  readonly ip: string;
  readonly port: number;
}

export interface Route {
  readonly balancer: PortBalancer;
  /** Which of the port's endpoints a client may have; undefined when it may have none. */
  listFor(client: string): 'cluster' | 'local' | undefined;
  /** Whether an endpoint still answers, also while it ends: flows of datagrams to others are cut. */
  isServing(endpoint: string): boolean;
}

export interface Relay {
  reroute(route: Route): void;
  /** Takes nothing new; what is open goes on where it can. */
  close(): void;
  /** Ends what is open, too. */
  cut(): void;
}
