/** A cluster that is saved while its server runs, lost, and restored: all of it is there, and clients hear that time went back. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import * as resourceTypes from '../../src/api/resource-types.ts';
import { ApiError } from '../../src/client/api-error.ts';
import type { Client } from '../../src/client/client.ts';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { deployment } from './testing/manifests.ts';
import { program, ServerProcess } from './testing/server-process.ts';

const { configMaps, deployments, pods } = resourceTypes;

async function fairlead(...words: string[]): Promise<string> {
  return (await promisify(execFile)(process.execPath, [program, ...words])).stdout;
}

/** Every object of every resource, but for what changes by itself. */
async function everything(client: Client): Promise<ReadonlyMap<string, resourceTypes.KubeObject>> {
  const objects = new Map<string, resourceTypes.KubeObject>();
  for (const type of Object.values(resourceTypes).filter((one) => typeof one === 'object' && 'resource' in one)) {
    if (['leases', 'events'].includes(type.resource)) continue;
    const list = await client.list(type as resourceTypes.ResourceType, {}).catch((err: unknown) => {
      // What can only be created, such as reviews.
      if (err instanceof ApiError && [404, 405].includes(err.code)) return { items: [] };
      throw err;
    });
    for (const object of list.items) objects.set(`${type.resource} ${object.metadata.namespace ?? ''}/${object.metadata.name}`, object);
  }
  return objects;
}

function isNewer(object: resourceTypes.KubeObject | undefined, revision: number): boolean {
  return Number(object?.metadata.resourceVersion) > revision + 1_000_000;
}

test('a cluster is saved beside its server, lost, and restored: every object is there, and old watches are told', async (t) => {
  const server = await ServerProcess.make(t);
  const client = await server.start(t);
  await eventually('a deployment to be taken', () => client.create(deployments, deployment('web', 5)));
  await eventually('the pods of the controllers', async () => (await client.list(pods, { namespace: 'default' })).items.length === 5);
  for (let n = 0; n < 50; n++)
    await client.create(configMaps, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: `kept-${n}`, namespace: 'default' },
      data: { n: String(n) },
    });
  const file = join(server.dir, 'cluster.snapshot');
  const save = async (): Promise<{ revision: number; records: number }> =>
    JSON.parse(await fairlead('snapshot', 'save', file, '--store', server.store, '-o', 'json'));
  // Of a cluster at rest it is known what must be in the snapshot: it looks the same before and after.
  const [before, saved] = await eventually('the cluster to be at rest while it is saved', async () => {
    const looks = [await everything(client), await save(), await everything(client)] as const;
    assert.deepEqual(looks[2], looks[0]);
    return looks;
  });
  assert.ok(saved.records >= before.size && before.size > 150, `${saved.records} records, ${before.size} objects`);
  const { resourceVersion } = await client.list(configMaps, { namespace: 'default' });
  const later = await client.create(configMaps, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'later', namespace: 'default' },
  });

  await assert.rejects(fairlead('snapshot', 'restore', file, '--store', server.store), /another process has it open/);
  await server.stop('SIGTERM');
  await assert.rejects(fairlead('snapshot', 'restore', file, '--store', server.store), /is there already/);
  for (const name of await readdir(server.dir)) if (name.startsWith('state.db')) await rm(join(server.dir, name));
  assert.equal(JSON.parse(await fairlead('snapshot', 'status', file, '-o', 'json')).damage, undefined);
  await fairlead('snapshot', 'restore', file, '--store', server.store);

  const restored = await server.start(t);
  const after = await everything(restored);
  // What a controller has changed since has a version from after the restore.
  const unchanged = [...before].map(
    ([name, object]) => [name, isNewer(after.get(name), saved.revision) ? object : after.get(name)] as const,
  );
  assert.deepEqual(new Map(unchanged), before);
  assert.ok(!after.has('configmaps default/later'));
  const { signal } = new AbortController();
  for (const old of [resourceVersion, later.metadata.resourceVersion!])
    await assert.rejects(
      restored.watch(configMaps, { namespace: 'default', resourceVersion: old, signal }, ({ type }) => assert.fail(type)),
      (err) => err instanceof ApiError && err.code === 410,
    );
  const again = await restored.create(configMaps, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'later', namespace: 'default' },
  });
  assert.ok(Number(again.metadata.resourceVersion) > Number(later.metadata.resourceVersion) + 1_000_000);
});
