/** `fairlead proxy` as a process: what it finds out about its node by itself. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { endpointSlices, nodes, serviceCidrs, services } from '../../src/api/resource-types.ts';
import { FakeApiServer } from '../../src/client/testing/fake-api-server.ts';
import { start } from '../../src/linux/exec.ts';
import { inNetns } from '../../src/linux/netns.ts';
import { KernelNftables } from '../../src/linux/nftables/kernel-nftables.ts';
import type { TableFamily } from '../../src/linux/nftables/table.ts';
import { cannotMakeNamespaces, Namespaces } from '../../src/linux/testing/namespaces.ts';

const port = 8001;

test('serves both families on a node without a default route, by what its Node says', { skip: cannotMakeNamespaces }, async () => {
  await using net = new Namespaces();
  await net.add('node');
  // Without a host, since looking one up takes until this thread is out of the namespace again.
  const api = new FakeApiServer([nodes, services, endpointSlices, serviceCidrs], (server) =>
    inNetns(net.path('node'), () => server.listen(port)),
  );
  const nft = inNetns(net.path('node'), () => new KernelNftables());
  const dir = await mkdtemp(join(tmpdir(), 'fairlead-proxy-'));
  let said = '';
  let program: ReturnType<typeof start> | undefined;
  try {
    const addresses = ['192.0.2.1', 'fd00::1'].map((address) => ({ type: 'InternalIP', address }));
    api.replace(nodes, [{ metadata: { name: 'node1' }, status: { addresses } }]);
    api.replace(serviceCidrs, [{ metadata: { name: 'kubernetes' }, spec: { cidrs: ['10.96.0.0/16', 'fd00:10:96::/112'] } }]);
    const clusterIPs = ['10.96.0.10', 'fd00:10:96::10'];
    const spec = {
      type: 'NodePort',
      clusterIP: clusterIPs[0],
      clusterIPs,
      ports: [{ name: 'http', port: 80, nodePort: 30080, protocol: 'TCP' }],
    };
    api.replace(services, [{ metadata: { name: 'web', namespace: 'default' }, spec }]);
    api.replace(endpointSlices, []);
    const kubeconfig = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'c', cluster: { server: `http://127.0.0.1:${port}` } }],
      contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
      users: [{ name: 'u', user: {} }],
      'current-context': 'c',
    };
    await writeFile(join(dir, 'kubeconfig'), JSON.stringify(kubeconfig));
    const flags = ['--kubeconfig', join(dir, 'kubeconfig'), '--hostname-override', 'node1', '--healthz-bind-address', '127.0.0.1:0'];
    const command = [process.execPath, 'src/main/fairlead.ts', 'proxy', ...flags, '--metrics-bind-address', ''];
    program = start('ip', ['netns', 'exec', net.path('node').slice('/run/netns/'.length), ...command], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [program.stdout, program.stderr]) stream?.on('data', (part) => (said = (said + String(part)).slice(-4000)));
    const has = async (family: TableFamily, set: string, key: string): Promise<boolean> =>
      (await nft.read(family, 'kube-proxy'))?.sets.get(set)?.elements.has(key) === true;
    for (const [family, nodeIp, clusterIp] of [
      ['ip', '192.0.2.1', '10.96.0.10'],
      ['ip6', 'fd00::1', 'fd00:10:96::10'],
    ] as const) {
      const deadline = Date.now() + 60_000;
      while (!((await has(family, 'nodeport-ips', nodeIp)) && (await has(family, 'cluster-ips', clusterIp)))) {
        assert.ok(Date.now() < deadline && program.exitCode === null, said);
        await sleep(20);
      }
    }
  } finally {
    if (program && program.exitCode === null) {
      const closed = new Promise((resolve) => program?.once('close', resolve));
      program.kill('SIGTERM');
      await closed;
    }
    await api.close();
    nft.close();
    await rm(dir, { recursive: true });
  }
});
