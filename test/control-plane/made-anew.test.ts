/** A cluster that is lost and made anew under clients that live, by a store whose revisions are above all that they know. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { configMaps } from '../../src/api/resource-types.ts';
import type { ConfigMap } from '../../src/api/schema/types.ts';
import { Informer } from '../../src/client/informer.ts';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { ServerProcess } from './testing/server-process.ts';
import { storeAnew } from './testing/store-anew.ts';

const namespace = 'default';

function configMap(name: string, text: string): ConfigMap {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace }, data: { text } };
}

test('clients that live hold what is in the new cluster, and nothing of the old one', async (t) => {
  const server = await ServerProcess.make(t);
  const client = await server.start(t);
  const stop = new AbortController();
  t.after(() => stop.abort());
  for (const name of ['lost', 'both']) await eventually('a namespace', () => client.create(configMaps, configMap(name, 'old')));
  const whole = new Informer<ConfigMap>(client, configMaps, { namespace });
  // Its list comes as events of a watch.
  const transformed = new Informer<ConfigMap>(client, configMaps, { namespace, transform: (object) => object });
  const informers = [whole, transformed];
  const held = (): string[][] =>
    informers.map((informer) => informer.list().map(({ metadata, data }) => `${metadata.name} ${data?.text ?? ''}`));
  const gone = new Set<string>();
  whole.on({ delete: ({ metadata }) => gone.add(metadata.name) });
  for (const informer of informers) void informer.start(stop.signal);
  const both = (expected: readonly string[]): Promise<void> =>
    eventually(`${expected} at both`, () => {
      for (const names of held()) assert.deepEqual(names.filter((name) => !name.startsWith('kube-root-ca')).toSorted(), expected);
    });
  await both(['both old', 'lost old']);

  await server.stop('SIGKILL');
  await server.start(t);
  await client.create(configMaps, configMap('after', 'restart'));
  await both(['after restart', 'both old', 'lost old']);
  assert.equal(gone.size, 0, 'a server that was only started anew is of the same cluster');

  await server.stop('SIGKILL');
  await storeAnew(join(server.dir, 'state.db'), Math.max(...informers.map(({ resourceVersion }) => Number(resourceVersion))));
  await server.start(t);
  await eventually('a namespace', () => client.create(configMaps, configMap('both', 'new')));
  await both(['both new']);
  assert.deepEqual([...gone].filter((name) => !name.startsWith('kube-root-ca')).toSorted(), ['after', 'both', 'lost']);
});
