import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Registry } from 'prom-client';
import type { ServiceCount } from '../proxy/mode/mode.ts';
import { registerServiceCounters } from '../proxy/service-counters.ts';
import { printEndpointTraffic, printServiceTraffic, readServiceTraffic } from './service-traffic.ts';

async function told(...counts: ServiceCount[]): Promise<string> {
  const registry = new Registry();
  registerServiceCounters(registry, async () => counts);
  return `# HELP process_open_fds x\nprocess_open_fds 12\n${await registry.metrics()}`;
}

const text = await told(
  { service: 'n/quiet', port: '', protocol: 'udp', connections: 2 },
  { service: 'n/web', port: 'http', protocol: 'tcp', connections: 30, received: 10_239, sent: 5_000_000 },
  { service: 'n/shut', port: 'p', protocol: 'tcp', connections: 0, refused: 1 },
  { service: 'n/closed', port: 'p', protocol: 'tcp', connections: 0, refused: 7 },
  { service: 'm/quiet', port: '', protocol: 'udp', connections: 2 },
);

test('a table of the Services that were used, the busiest first', () => {
  assert.equal(
    printServiceTraffic(readServiceTraffic(text), 'table'),
    `NAMESPACE   SERVICE   PORT       CONNECTIONS   RECEIVED   SENT     REFUSED
n           web       http/TCP   30            10239      4883Ki   0
m           quiet     UDP        2             -          -        0
n           quiet     UDP        2             -          -        0
n           closed    p/TCP      0             -          -        7
n           shut      p/TCP      0             -          -        1
`,
  );
});

test('as JSON what is not counted is absent', () => {
  assert.deepEqual(JSON.parse(printServiceTraffic(readServiceTraffic(text), 'json'))[1], {
    namespace: 'm',
    service: 'quiet',
    port: '',
    protocol: 'UDP',
    connections: 2,
  });
});

test('a table of endpoints, the busiest first', async () => {
  const endpoints = [
    { endpoint: '10.244.1.2:8080', connections: 1 },
    { endpoint: '[fd00:10:244::2]:8080', connections: 5, received: 7, sent: 9 },
  ];
  const registry = registerServiceCounters(new Registry(), async () => [
    { service: 'n/web', port: 'http', protocol: 'tcp', connections: 6, endpoints },
  ]);
  const rows = readServiceTraffic(await registry.metrics());
  assert.equal(
    printEndpointTraffic(rows, 'table'),
    `NAMESPACE   SERVICE   PORT       ENDPOINT                CONNECTIONS   RECEIVED   SENT
n           web       http/TCP   [fd00:10:244::2]:8080   5             7          9
n           web       http/TCP   10.244.1.2:8080         1             -          -
`,
  );
  assert.equal(printEndpointTraffic(rows, 'name'), 'endpoint/[fd00:10:244::2]:8080\nendpoint/10.244.1.2:8080\n');
});

test('sizes get the unit in which they are short', async () => {
  const sizes = [10_240, 10 * 1024 ** 2, 20 * 1024 ** 4, 1e6 * 1024 ** 4].map(async (sent) => {
    const rows = readServiceTraffic(await told({ service: 'n/a', port: '', protocol: 'tcp', connections: 1, sent }));
    return printServiceTraffic(rows, 'table').split(/ +/).at(-2);
  });
  assert.deepEqual(await Promise.all(sizes), ['10Ki', '10Mi', '20Ti', '1000000Ti']);
});
