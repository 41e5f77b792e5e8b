import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stringify } from 'yaml';
import { configMaps } from '../../api/resource-types.ts';
import { FakeClient } from '../../client/testing/fake-client.ts';
import { systemClock } from '../../clock/clock.ts';
import { type ClusterWish, planCluster } from '../config/cluster-plan.ts';
import { settingsKeys, settingsNames, settingsObjects } from '../settings/settings.ts';
import { changedClusterSettings, refuseOtherBackend } from './cluster-settings.ts';

const plan = (wish: ClusterWish): ReturnType<typeof planCluster> => planCluster(wish, {}, '192.168.56.10');
const textOf = (wish: ClusterWish): string =>
  settingsObjects(plan(wish)).find(({ metadata }) => metadata.name === settingsNames.cluster)?.data?.[settingsKeys.cluster] ?? '';

test('changedClusterSettings() finds nothing to change in what init has written', () => {
  for (const wish of [
    {},
    { controlPlaneEndpoint: 'cluster.example', store: 'etcd=https://a:2379?ca-file=/ca.crt' },
    { store: 'redis://a' },
  ])
    assert.equal(changedClusterSettings(textOf(wish), plan(wish)), undefined);
});

test('changedClusterSettings() keeps what nobody wishes to be another, comments too', () => {
  const text = `# ours\n${stringify({ kind: 'ClusterConfiguration', controlPlaneEndpoint: 'a:6443', etcd: { external: { endpoints: ['https://a'] } } })}`;
  assert.equal(changedClusterSettings(text, plan({})), undefined);
  assert.equal(
    changedClusterSettings(text, plan({ controlPlaneEndpoint: 'b:7443', store: 'etcd=https://b?ca-file=/ca.crt' })),
    '# ours\nkind: ClusterConfiguration\ncontrolPlaneEndpoint: b:7443\netcd:\n  external:\n    endpoints:\n      - https://b\n    caFile: /ca.crt\n',
  );
});

test('changedClusterSettings() adds what was not there', () => {
  assert.equal(
    changedClusterSettings('kind: ClusterConfiguration\n', plan({ controlPlaneEndpoint: 'b', store: 'etcd=http://b' })),
    'kind: ClusterConfiguration\ncontrolPlaneEndpoint: b:6443\netcd:\n  external:\n    endpoints:\n      - http://b\n',
  );
});

test('refuseOtherBackend() names the backend that a living cluster has', async () => {
  const client = new FakeClient(systemClock);
  await refuseOtherBackend(client, 'host-gw');
  for (const object of settingsObjects(plan({ networkBackend: 'host-gw' }))) client.put(configMaps, object);
  await refuseOtherBackend(client, 'host-gw');
  await refuseOtherBackend(client, undefined);
  await assert.rejects(refuseOtherBackend(client, 'vxlan'), { code: 'BAD_CONFIG', message: /"vxlan".*by "host-gw"/ });
});
