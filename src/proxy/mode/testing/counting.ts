/** What a mode counts of connections that clients really make, in network namespaces of a kernel. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import type { EndpointSlice, Service } from '../../../api/schema/types.ts';
import { eventually } from '../../../clock/testing/eventually.ts';
import { Namespaces } from '../../../linux/testing/namespaces.ts';
import type { NodeContext } from '../../plan/node-context.ts';
import { Planner } from '../../plan/planner.ts';
import { sampleNode } from '../../testing/sample-node.ts';
import type { Mode, ModeRules, ServiceCount } from '../mode.ts';

const ip = '192.168.120.11';
const context: NodeContext = { ...sampleNode, countsConnections: true };

function service(name: string, clusterIP: string): Service {
  const ports = [{ name: 'http', port: 80, nodePort: 30_000 + Number(clusterIP.split('.')[3]) }];
  return { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: 'n' }, spec: { type: 'NodePort', clusterIP, ports } };
}

const endpoint: EndpointSlice = {
  apiVersion: 'v1',
  kind: 'EndpointSlice',
  metadata: { name: 's' },
  addressType: 'IPv4',
  ports: [{ name: 'http', port: 8080 }],
  endpoints: [{ addresses: [ip], nodeName: 'node1' }],
};

/** Says back what it hears. */
const server = "require('net').createServer((c) => c.pipe(c)).listen(8080, () => console.log('listening'))";

/** One connection after the other; each sends a thousand bytes and reads until the end, or is refused. */
const client = `(async () => {
  for (const [host, port] of JSON.parse(process.argv[1]))
    await new Promise((done) => require('net').connect(port, host).on('error', () => {}).on('close', done).resume().end('x'.repeat(1000)));
})()`;

interface Kernel extends AsyncDisposable {
  readonly mode: Mode;
}

async function countOf(rules: ModeRules, key: string): Promise<ServiceCount | undefined> {
  return ((await rules.counts?.('endpoints')) ?? []).find(({ service }) => service === `n/${key}`);
}

/** `told` says what else than connections the mode counts. */
export function testCounting(
  name: string,
  open: (namespace: string) => Promise<Kernel>,
  told: { readonly bytes?: true; readonly refusals?: true; readonly endpoints?: true },
  skip: string | false,
): void {
  test(`mode ${name}, counts connections of each Service`, { skip }, async () => {
    await using net = new Namespaces();
    await net.underlay('lan', { node: ip });
    await net.ip('lan', `route add 10.96.0.0/16 via ${ip}`);
    // As on every node: what no rule translates comes by the rules that refuse on its way on.
    await net.run('node', 'busybox', ['sysctl', '-w', 'net.ipv4.ip_forward=1']);
    const serving = net.start('node', process.execPath, ['-e', server], ['ignore', 'pipe', 'inherit']);
    await once(serving.stdout as NonNullable<typeof serving.stdout>, 'data');
    await using kernel = await open(net.path('node'));
    const { mode } = kernel;
    await mode.probe();
    const rules = await mode.open(context);
    const planner = new Planner(context, mode.algorithms);
    planner.put('n/web', service('web', '10.96.0.1'), [endpoint]);
    planner.put('n/idle', service('idle', '10.96.0.2'), [endpoint]);
    planner.put('n/none', service('none', '10.96.0.3'), []);
    for (const [key, { after }] of planner.take()) rules.put(key, after);
    await rules.sync();
    const connect = async (...to: readonly (readonly [string, number])[]): Promise<void> => {
      const { code, stderr } = await net.run('lan', process.execPath, ['-e', client, JSON.stringify(to)]);
      assert.equal(code, 0, stderr);
    };
    const count = (key: string): Promise<ServiceCount | undefined> => countOf(rules, key);
    await connect(['10.96.0.1', 80], ['10.96.0.1', 80], [ip, 30_001], ['10.96.0.3', 80]);
    // The kernel sums up what IPVS counted every two seconds.
    await eventually('three connections are counted', async () => (await count('web'))?.connections === 3);
    const web = await count('web');
    assert.deepEqual([web?.port, web?.protocol], ['http', 'tcp']);
    assert.ok(!(await count('idle'))?.connections);
    assert.ok(!(await count('none'))?.connections);
    if (told.endpoints) {
      const atEndpoints = async () => (await count('web'))?.endpoints?.map(({ endpoint, connections }) => `${endpoint} ${connections}`);
      await eventually('the endpoint has all three', async () => (await atEndpoints())?.join() === `${ip}:8080 3`);
    }
    if (told.refusals) assert.equal((await count('none'))?.refused, 1);
    if (told.bytes) assert.ok((web?.received ?? 0) > 3000 && (web?.sent ?? 0) > 3000, JSON.stringify(web));
    // The Service has other endpoints now: what was counted stays.
    planner.put('n/web', service('web', '10.96.0.1'), [{ ...endpoint, endpoints: [...(endpoint.endpoints ?? []), { addresses: [ip] }] }]);
    planner.put('n/idle', undefined, []);
    for (const [key, { after }] of planner.take()) rules.put(key, after);
    await rules.sync();
    await connect(['10.96.0.1', 80]);
    await eventually('one more is counted', async () => (await count('web'))?.connections === 4);
    assert.equal(await count('idle'), undefined);
  });
}
