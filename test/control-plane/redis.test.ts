/** `fairlead server` over a Redis, which is killed and comes back while the server stays. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configMaps, deployments, pods } from '../../src/api/resource-types.ts';
import { ApiError } from '../../src/client/api-error.ts';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { TestRedis } from '../../src/storage/testing/redis.ts';
import { deployment } from './testing/manifests.ts';
import { ServerProcess } from './testing/server-process.ts';

function configMap(name: string): { metadata: { name: string; namespace: string }; apiVersion: string; kind: string } {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' } };
}

test('a server goes on when its Redis was killed and is back: nothing is lost, watches go on, nobody restarts anything', async (t) => {
  await using redis = await TestRedis.start();
  const server = await ServerProcess.make(t, redis.url);
  const client = await server.start(t);
  await eventually('a deployment to be taken', () => client.create(deployments, deployment('web', 2)));
  const names = async (): Promise<string[]> => (await client.list(pods, { namespace: 'default' })).items.map((pod) => pod.metadata.name);
  await eventually('the pods of the controllers', async () => (await names()).length === 2);
  const before = await names();

  const stop = new AbortController();
  t.after(() => stop.abort());
  const { resourceVersion } = await client.list(configMaps, { namespace: 'default' });
  const told: string[] = [];
  const watching = client.watch(configMaps, { namespace: 'default', resourceVersion, signal: stop.signal }, ({ type, object }) => {
    if (type !== 'BOOKMARK') told.push(`${type} ${object.metadata.name}`);
  });

  const isRefused = async (why: RegExp): Promise<void> => {
    const refused = (err: unknown): boolean => {
      assert.ok(err instanceof ApiError, String(err));
      assert.deepEqual([err.code, err.reason, err.status.details?.retryAfterSeconds], [503, 'ServiceUnavailable', 1], err.message);
      return why.test(err.message);
    };
    await assert.rejects(client.create(configMaps, configMap('lost')), refused);
    await assert.rejects(client.raw('GET', '/readyz?verbose'), /\[-\]store failed/);
  };
  await redis.kill();
  await isRefused(/ECONNREFUSED/);
  await redis.restart();
  await eventually('a server that is ready again', () => client.raw('GET', '/readyz'));
  await redis.command('RENAME', '{fairlead}meta', '{fairlead}away');
  await isRefused(/nothing of the store is there|without the data of this cluster/);
  await redis.command('RENAME', '{fairlead}away', '{fairlead}meta');

  await eventually('a write to be taken again', () => client.create(configMaps, configMap('later')));
  await eventually('the watch to go on', () => told.length > 0);
  assert.deepEqual(told, ['ADDED later']);
  stop.abort();
  await watching;
  assert.deepEqual(
    (await names()).filter((name) => before.includes(name)),
    before,
  );
  await client.patch(deployments, 'web', { spec: { replicas: 3 } }, { namespace: 'default' });
  await eventually('the controllers to act again', async () => (await names()).length === 3);
  assert.ok(server.isRunning, server.said);
});
