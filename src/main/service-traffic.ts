/** What a proxy's /metrics tells of Services, for people. Pure. */
import { type Column, type OutputFormat, renderOutput } from '../cli/output.ts';
import { type Amount, endpointMetrics, serviceMetrics } from '../proxy/service-metrics.ts';

export interface ServiceTraffic extends Partial<Record<Amount, number>> {
  readonly namespace: string;
  readonly service: string;
  readonly port: string;
  readonly protocol: string;
  /** `10.244.1.2:8080`; absent in a line for the whole port. */
  readonly endpoint?: string;
}

const amountOf = new Map(
  [serviceMetrics, endpointMetrics].flatMap((metrics) =>
    Object.entries(metrics).map(([amount, { name }]) => [name, amount as Amount] as const),
  ),
);

const sample = /^(\w+)\{([^}]*)\} (\S+)$/;
const label = /(\w+)="([^"]*)"/g;

/** Busiest first. */
export function readServiceTraffic(metrics: string): ServiceTraffic[] {
  const rows = new Map<string, ServiceTraffic>();
  for (const line of metrics.split('\n')) {
    const [, name, labels = '', value] = sample.exec(line) ?? [];
    const amount = amountOf.get(name ?? '');
    if (amount === undefined) continue;
    const {
      namespace = '',
      service = '',
      port = '',
      protocol = '',
      endpoint,
    } = Object.fromEntries([...labels.matchAll(label)].map(([, k, v]) => [k, v]));
    rows.set(labels, {
      namespace,
      service,
      port,
      protocol,
      ...(endpoint ? { endpoint } : {}),
      ...rows.get(labels),
      [amount]: Number(value),
    });
  }
  const nameOf = (row: ServiceTraffic): string => `${row.namespace}/${row.service} ${row.port} ${row.protocol} ${row.endpoint ?? ''}`;
  return [...rows.values()].sort(
    (a, b) => (b.connections ?? 0) - (a.connections ?? 0) || (b.refused ?? 0) - (a.refused ?? 0) || (nameOf(a) < nameOf(b) ? -1 : 1),
  );
}

/** `12Mi`, as kubectl top writes it. */
function size(bytes: number | undefined): string {
  if (bytes === undefined) return '-';
  const units = ['', 'Ki', 'Mi', 'Gi', 'Ti'];
  let value = bytes;
  let unit = 0;
  for (; value >= 10_240 && unit < units.length - 1; unit++) value /= 1024;
  return `${Math.round(value)}${units[unit]}`;
}

const whose: readonly Column<ServiceTraffic>[] = [
  { title: 'NAMESPACE', cell: ({ namespace }) => namespace },
  { title: 'SERVICE', cell: ({ service }) => service },
  { title: 'PORT', cell: ({ port, protocol }) => (port === '' ? protocol : `${port}/${protocol}`) },
];

const howMuch: readonly Column<ServiceTraffic>[] = [
  { title: 'CONNECTIONS', cell: ({ connections = 0 }) => String(connections) },
  { title: 'RECEIVED', cell: ({ received }) => size(received) },
  { title: 'SENT', cell: ({ sent }) => size(sent) },
];

const columns: readonly Column<ServiceTraffic>[] = [...whose, ...howMuch, { title: 'REFUSED', cell: ({ refused = 0 }) => String(refused) }];
const endpointColumns: readonly Column<ServiceTraffic>[] = [
  ...whose,
  { title: 'ENDPOINT', cell: ({ endpoint = '' }) => endpoint },
  ...howMuch,
];

export function printServiceTraffic(rows: readonly ServiceTraffic[], format: OutputFormat): string {
  return renderOutput(format, rows, rows, columns, ({ namespace, service }) => `service/${service}.${namespace}`);
}

export function printEndpointTraffic(rows: readonly ServiceTraffic[], format: OutputFormat): string {
  return renderOutput(format, rows, rows, endpointColumns, ({ endpoint }) => `endpoint/${endpoint}`);
}
