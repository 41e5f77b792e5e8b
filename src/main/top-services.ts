/** What `fairlead top services` runs: asks the proxy of this node. */
import { outputFormat } from '../cli/output.ts';
import { KnownError } from '../errors/known-error.ts';
import { printServiceTraffic, readServiceTraffic } from './service-traffic.ts';

const patienceMs = 10_000;

interface Asked {
  readonly namespace: string | undefined;
  readonly 'proxy-metrics-address': string;
  readonly output: string;
}

async function metricsOf(address: string): Promise<string> {
  try {
    return await (await fetch(`http://${address}/metrics`, { signal: AbortSignal.timeout(patienceMs) })).text();
  } catch (err) {
    throw new KnownError('PROXY_UNREACHABLE', `Cannot ask the service proxy at "${address}": it does not answer`, {
      hint: 'Run it on a node, or say where the proxy serves /metrics: --proxy-metrics-address HOST:PORT',
      cause: err,
    });
  }
}

export async function topServices({ namespace, 'proxy-metrics-address': address, output }: Asked): Promise<number> {
  const rows = readServiceTraffic(await metricsOf(address));
  const shown = namespace === undefined ? rows : rows.filter((row) => row.namespace === namespace);
  process.stdout.write(printServiceTraffic(shown, outputFormat(output)));
  return 0;
}
