/** What `fairlead top services` runs: asks the proxy of this node. */
import { outputFormat } from '../cli/output.ts';
import { KnownError } from '../errors/known-error.ts';
import { endpointsPath } from '../proxy/service-metrics.ts';
import { printEndpointTraffic, printServiceTraffic, readServiceTraffic } from './service-traffic.ts';

const patienceMs = 10_000;

interface Asked {
  readonly namespace: string | undefined;
  readonly endpoints?: boolean | undefined;
  readonly 'proxy-metrics-address': string;
  readonly output: string;
}

async function page(address: string, path: string): Promise<string> {
  try {
    return await (await fetch(`http://${address}${path}`, { signal: AbortSignal.timeout(patienceMs) })).text();
  } catch (err) {
    throw new KnownError('PROXY_UNREACHABLE', `Cannot ask the service proxy at "${address}": it does not answer`, {
      hint: 'Run it on a node, or say where the proxy serves /metrics: --proxy-metrics-address HOST:PORT',
      cause: err,
    });
  }
}

const whyNoBytes =
  'No bytes were counted since the service proxy started; where the kernel cannot count them, the log of the proxy says so';
const whyNothing = 'No Service was used through this node yet, or the service proxy runs with --service-counters=false';

export async function topServices({ namespace, endpoints, 'proxy-metrics-address': address, output }: Asked): Promise<number> {
  const rows = readServiceTraffic(await page(address, endpoints ? endpointsPath : '/metrics'));
  const shown = namespace === undefined ? rows : rows.filter((row) => row.namespace === namespace);
  process.stdout.write((endpoints ? printEndpointTraffic : printServiceTraffic)(shown, outputFormat(output)));
  // An empty table would say that nobody uses anything.
  if (rows.length === 0) process.stderr.write(`${whyNothing}\n`);
  else if (rows.every(({ received, sent }) => received === undefined && sent === undefined)) process.stderr.write(`${whyNoBytes}\n`);
  return 0;
}
