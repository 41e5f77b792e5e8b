/** The names under which /metrics tells what was counted for ports of Services. */

export type Amount = 'connections' | 'received' | 'sent' | 'refused';

export const serviceMetrics: Readonly<Record<Amount, { readonly name: string; readonly help: string }>> = {
  connections: { name: 'fairlead_service_connections_total', help: 'New connections, and flows of datagrams, to a port of a Service' },
  received: { name: 'fairlead_service_receive_bytes_total', help: 'Bytes from clients of a port of a Service' },
  sent: { name: 'fairlead_service_transmit_bytes_total', help: 'Bytes to clients of a port of a Service' },
  refused: { name: 'fairlead_service_refused_total', help: 'Attempts at a port of a Service that were refused or dropped' },
};

export const amounts = Object.keys(serviceMetrics) as readonly Amount[];
