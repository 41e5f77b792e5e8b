import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { controllerRevisions, daemonSets, nodes, pods, replicaSets, replicationControllers } from '../../src/api/resource-types.ts';
import type { DaemonSet, Pod } from '../../src/api/schema/types.ts';
import { Informer } from '../../src/client/informer.ts';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { ControlPlane } from './testing/control-plane.ts';
import { newImage, pauseContainer, replicaSet } from './testing/manifests.ts';

const inDefault = { namespace: 'default' };

function daemonSet(name: string, spec: Partial<NonNullable<DaemonSet['spec']>> = {}): DaemonSet {
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name, namespace: 'default' },
    spec: {
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { app: name } }, spec: { containers: [pauseContainer] } },
      ...spec,
    },
  };
}

describe('workloads', () => {
  let cp: ControlPlane;
  /** Names of every pod that was ever there. */
  const born = new Set<string>();
  const stop = new AbortController();
  let watching: Promise<void>;
  before(async () => {
    cp = await ControlPlane.start();
    const informer = new Informer(cp.client, pods);
    informer.on({ add: (p) => void born.add(p.metadata.name) });
    watching = informer.start(stop.signal);
    await informer.synced;
  });
  after(async () => {
    stop.abort();
    await watching;
    await cp.stop();
  });
  beforeEach(() => {
    cp.kubelet.isReady = () => true;
    cp.kubelet.fails = () => false;
  });
  const bornOf = (name: string): number => [...born].filter((n) => n.startsWith(`${name}-`)).length;
  const alive = async (name: string): Promise<Pod[]> =>
    (await cp.podsOf('default', `app=${name}`)).filter((p) => !p.metadata.deletionTimestamp);
  const settled = (name: string, n: number): Promise<void> =>
    eventually(async () => {
      const { status } = await cp.client.get(replicaSets, name, inDefault);
      assert.equal(status?.availableReplicas ?? 0, n);
      assert.equal((await cp.podsOf('default', `app=${name}`)).length, n);
    });

  test('a ReplicaSet makes as many pods as it wants and not one more, through restarts of the controllers', async () => {
    await cp.client.create(replicaSets, replicaSet('exact', 60));
    for (let i = 0; i < 3; i++) {
      await eventually(() => assert.ok(bornOf('exact') > i * 15));
      await cp.stopManagers();
      cp.startManagers();
    }
    await settled('exact', 60);
    assert.equal(bornOf('exact'), 60);
  });

  test('a ReplicaSet shrinks and grows by what is asked, also when asked in a hurry', async () => {
    await cp.client.create(replicaSets, replicaSet('hurry', 10));
    await settled('hurry', 10);
    for (const replicas of [3, 8, 5]) await cp.client.patch(replicaSets, 'hurry', { spec: { replicas } }, { ...inDefault });
    await settled('hurry', 5);
    assert.ok(bornOf('hurry') <= 15, `${bornOf('hurry')} pods`);
  });

  test('a ReplicaSet goes on exactly where it was when the API server restarts', async () => {
    await cp.client.create(replicaSets, replicaSet('restart', 40));
    await eventually(() => assert.ok(bornOf('restart') > 5));
    await cp.restartServer();
    await settled('restart', 40);
    await cp.client.patch(replicaSets, 'restart', { spec: { replicas: 2 } }, inDefault);
    await settled('restart', 2);
    // An answer that was lost with the server may have cost one batch.
    assert.ok(bornOf('restart') <= 80, `${bornOf('restart')} pods`);
    cp.complaints.length = 0;
  });

  test('a ReplicaSet that may not make pods says so', async () => {
    const bad = replicaSet('refused', 2);
    const template = { metadata: { labels: { app: 'refused' } }, spec: { serviceAccountName: 'nobody', containers: [pauseContainer] } };
    await cp.client.create(replicaSets, { ...bad, spec: { ...bad.spec, selector: { matchLabels: { app: 'refused' } }, template } });
    await eventually(async () => {
      const { status } = await cp.client.get(replicaSets, 'refused', inDefault);
      const [condition] = status?.conditions ?? [];
      assert.equal(condition?.reason, 'FailedCreate');
      assert.match(condition?.message ?? '', /serviceaccount "nobody" not found/);
    });
    await cp.client.delete(replicaSets, 'refused', inDefault);
  });

  test('a ReplicationController keeps its pods', async () => {
    await cp.client.create(replicationControllers, {
      apiVersion: 'v1',
      kind: 'ReplicationController',
      metadata: { name: 'old', namespace: 'default' },
      spec: {
        replicas: 2,
        selector: { app: 'old' },
        template: { metadata: { labels: { app: 'old' } }, spec: { containers: [pauseContainer] } },
      },
    });
    await eventually(async () => {
      const { status } = await cp.client.get(replicationControllers, 'old', inDefault);
      assert.equal(status?.availableReplicas, 2);
    });
  });

  test('a DaemonSet has a pod on every node, also on a new one, and none where it does not fit', async () => {
    await cp.client.create(daemonSets, daemonSet('every'));
    await eventually(async () => {
      assert.deepEqual((await alive('every')).map((p) => p.spec?.nodeName).toSorted(), ['n1', 'n2', 'n3']);
    });
    await cp.addNode('n4');
    await eventually(async () => assert.equal((await cp.client.get(daemonSets, 'every', inDefault)).status?.numberAvailable, 4));
    await cp.client.patch(nodes, 'n4', { spec: { taints: [{ key: 'gone', effect: 'NoExecute' }] } });
    await eventually(async () => {
      assert.deepEqual((await alive('every')).map((p) => p.spec?.nodeName).toSorted(), ['n1', 'n2', 'n3']);
      assert.equal((await cp.client.get(daemonSets, 'every', inDefault)).status?.desiredNumberScheduled, 3);
    });
    await cp.client.delete(nodes, 'n4');
  });

  test('a DaemonSet rolls out one node at a time and keeps its revisions', async () => {
    await cp.client.create(daemonSets, daemonSet('roll'));
    await eventually(async () => assert.equal((await cp.client.get(daemonSets, 'roll', inDefault)).status?.numberAvailable, 3));
    const few: number[] = [];
    const watch = new AbortController();
    const informer = new Informer(cp.client, pods, { ...inDefault, labelSelector: 'app=roll' });
    const look = (): void => {
      const ready = informer
        .list()
        .filter((p) => !p.metadata.deletionTimestamp && p.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True'));
      if (ready.length < 2) few.push(ready.length);
    };
    informer.on({ synced: () => informer.on({ add: look, update: look, delete: look }) });
    const looking = informer.start(watch.signal);
    await informer.synced;
    few.length = 0;
    await cp.client.patch(daemonSets, 'roll', newImage('2'), inDefault);
    await eventually(async () => {
      const { status } = await cp.client.get(daemonSets, 'roll', inDefault);
      assert.deepEqual([status?.updatedNumberScheduled, status?.numberAvailable], [3, 3]);
    });
    watch.abort();
    await looking;
    assert.deepEqual(few, []);
    const revisions = (await cp.client.list(controllerRevisions, { ...inDefault, labelSelector: 'app=roll' })).items;
    assert.deepEqual(revisions.map((r) => r.revision).toSorted(), [1, 2]);
  });

  test("the revision of a DaemonSet is byte by byte what upstream's clients make of its template", async () => {
    const container = { ...pauseContainer, command: ['sh', '-c', 'test 1 < 2 && echo "a>b"'], env: [{ name: 'B', value: '1' }] };
    const template = { metadata: { labels: { app: 'bytes', 'a/b': 'c' } }, spec: { containers: [container], hostNetwork: true } };
    await cp.client.create(daemonSets, daemonSet('bytes', { template }));
    let text = '';
    await eventually(async () => {
      text = await cp.client.raw('GET', '/apis/apps/v1/namespaces/default/controllerrevisions?labelSelector=app%3Dbytes');
      assert.match(text, /"data":/);
    });
    const { spec } = await cp.client.get(daemonSets, 'bytes', inDefault);
    // Go: a map with its keys in order, and no character that HTML knows.
    const go = (value: unknown): string => {
      if (Array.isArray(value)) return `[${value.map(go).join(',')}]`;
      if (typeof value !== 'object' || value === null)
        return JSON.stringify(value).replaceAll('<', '\\u003c').replaceAll('>', '\\u003e').replaceAll('&', '\\u0026');
      const members = value as Record<string, unknown>;
      return `{${Object.keys(members)
        .sort()
        .map((key) => `"${key}":${go(members[key])}`)
        .join(',')}}`;
    };
    assert.ok(text.includes(`"data":${go({ spec: { template: { ...spec?.template, $patch: 'replace' } } })}`), text);
  });

  test('a daemon pod that fails at once comes back ever more slowly', async () => {
    cp.kubelet.fails = (p) => p.metadata.labels?.app === 'failing' && p.spec?.nodeName === 'n1';
    await cp.client.create(daemonSets, daemonSet('failing'));
    await eventually(() => assert.ok(bornOf('failing') >= 5));
    // Three nodes, and on one of them first, at once, after 1 s and after 2 s.
    assert.ok(bornOf('failing') <= 6, `${bornOf('failing')} pods`);
    await cp.client.delete(daemonSets, 'failing', inDefault);
  });

  test('complained of nothing but of pods that may not be', () => {
    assert.deepEqual(
      cp.complaints.filter((line) => !line.includes('"default/refused"')),
      [],
    );
  });
});
