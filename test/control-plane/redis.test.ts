/** `fairlead server` over a Redis, which is killed and comes back while the server stays. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { configMaps, deployments, pods } from '../../src/api/resource-types.ts';
import { ensureClusterPki } from '../../src/bootstrap/pki.ts';
import { ApiError } from '../../src/client/api-error.ts';
import { Client } from '../../src/client/client.ts';
import { loadKubeconfig } from '../../src/client/kubeconfig.ts';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { TestRedis } from '../../src/storage/testing/redis.ts';
import { deployment } from './testing/manifests.ts';

const program = join(import.meta.dirname, '../../src/main/fairlead.ts');

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

/** A server with controllers, and a client of its administrator. */
async function startServer(t: TestContext, store: string): Promise<{ server: ChildProcess; client: Client; said(): string }> {
  const dir = await mkdtemp(join(tmpdir(), 'fairlead-redis-server-'));
  const port = await freePort();
  await ensureClusterPki({
    dir,
    cluster: 'kubernetes',
    server: `https://127.0.0.1:${port}`,
    addresses: ['127.0.0.1'],
    names: [],
    serviceAddress: '10.96.0.1',
    clusterDomain: 'cluster.local',
    now: Date.now(),
  });
  const flags = {
    store,
    'pki-dir': dir,
    'kubeconfig-dir': dir,
    'data-dir': dir,
    'bind-address': '127.0.0.1',
    'advertise-address': '127.0.0.1',
    'secure-port': String(port),
    parts: 'controller-manager',
  };
  const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]);
  const server = spawn(process.execPath, [program, 'server', ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  server.stderr?.on('data', (chunk) => {
    said += chunk;
  });
  const client = new Client(await loadKubeconfig(join(dir, 'super-admin.conf')));
  t.after(async () => {
    client.close();
    if (server.exitCode === null && server.signalCode === null) {
      const ended = once(server, 'exit');
      server.kill('SIGKILL');
      await ended;
    }
    await rm(dir, { recursive: true });
  });
  return { server, client, said: () => said };
}

function configMap(name: string): { metadata: { name: string; namespace: string }; apiVersion: string; kind: string } {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' } };
}

test('a server goes on when its Redis was killed and is back: nothing is lost, watches go on, nobody restarts anything', async (t) => {
  await using redis = await TestRedis.start();
  const { server, client, said } = await startServer(t, redis.url);
  await eventually('a deployment to be taken', () => client.create(deployments, deployment('web', 2)));
  const names = async (): Promise<string[]> => (await client.list(pods, { namespace: 'default' })).items.map((pod) => pod.metadata.name);
  await eventually('the pods of the controllers', async () => (await names()).length === 2);
  const before = await names();

  const stop = new AbortController();
  t.after(() => stop.abort());
  const { resourceVersion } = await client.list(configMaps, { namespace: 'default' });
  const watch = client.watch(configMaps, { namespace: 'default', resourceVersion, signal: stop.signal });

  await redis.kill();
  await assert.rejects(client.create(configMaps, configMap('lost')), (err) => {
    assert.ok(err instanceof ApiError, String(err));
    assert.deepEqual([err.code, err.reason, err.status.details?.retryAfterSeconds], [503, 'ServiceUnavailable', 1], err.message);
    assert.match(err.message, /ECONNREFUSED/);
    return true;
  });
  await redis.restart();

  await eventually('a write to be taken again', () => client.create(configMaps, configMap('later')));
  for await (const { type, object } of watch) {
    if (type === 'BOOKMARK') continue;
    assert.deepEqual([type, object.metadata.name], ['ADDED', 'later']);
    break;
  }
  assert.deepEqual(
    (await names()).filter((name) => before.includes(name)),
    before,
  );
  await client.patch(deployments, 'web', { spec: { replicas: 3 } }, { namespace: 'default' });
  await eventually('the controllers to act again', async () => (await names()).length === 3);
  assert.equal(server.exitCode, null, said());
});
