/** The names under which /metrics tells what was counted for ports of Services, and `endpointsPath` for their endpoints. */

export type Amount = 'connections' | 'received' | 'sent' | 'refused';

export interface MetricName {
  readonly name: string;
  readonly help: string;
}

export const serviceMetrics: Readonly<Record<Amount, MetricName>> = {
  connections: { name: 'fairlead_service_connections_total', help: 'New connections, and flows of datagrams, to a port of a Service' },
  received: { name: 'fairlead_service_receive_bytes_total', help: 'Bytes from clients of a port of a Service' },
  sent: { name: 'fairlead_service_transmit_bytes_total', help: 'Bytes to clients of a port of a Service' },
  refused: { name: 'fairlead_service_refused_total', help: 'Attempts at a port of a Service that were refused or dropped' },
};

export const endpointMetrics: Readonly<Record<Exclude<Amount, 'refused'>, MetricName>> = {
  connections: {
    name: 'fairlead_service_endpoint_connections_total',
    help: 'New connections, and flows of datagrams, to a port of a Service that an endpoint got',
  },
  received: { name: 'fairlead_service_endpoint_receive_bytes_total', help: 'Bytes to an endpoint from clients of a port of a Service' },
  sent: { name: 'fairlead_service_endpoint_transmit_bytes_total', help: 'Bytes from an endpoint to clients of a port of a Service' },
};

/** Apart from /metrics: a node may reach a hundred thousand endpoints, and whoever gathers metrics pays for each series. */
export const endpointsPath = '/metrics/endpoints';

export const amounts = Object.keys(serviceMetrics) as readonly Amount[];
