import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  cronJobs,
  daemonSets,
  deployments,
  endpoints,
  events,
  jobs,
  podDisruptionBudgets,
  pods,
  services,
  statefulSets,
} from '../../src/api/resource-types.ts';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { ControlPlane, usual } from './testing/control-plane.ts';
import { deployment, newImage, pauseContainer, service } from './testing/manifests.ts';

const inDefault = { namespace: 'default' };

/** Resolves when nothing was written for a second; fails after the deadline. */
async function rest(cp: ControlPlane): Promise<void> {
  let seen = -1;
  await eventually(async () => {
    const now = cp.writes.length;
    const moved = now !== seen;
    seen = now;
    if (moved) await sleep(1_000);
    assert.ok(!moved, cp.writes.slice(-10).join('\n'));
  });
}

test('a cluster at rest is left alone, also after a restart of everything that watches it', async (t) => {
  const cp = await ControlPlane.start({ controllers: [...usual, 'pod-garbage-collector-controller'] });
  t.after(() => cp.stop());
  await cp.client.create(deployments, deployment('web', 3));
  await cp.client.create(services, service('web'));
  await cp.client.create(services, service('peers', { clusterIP: 'None', selector: { app: 'web' } }));
  await cp.client.create(services, { ...service('outside'), spec: { ports: [{ port: 5432, protocol: 'TCP' }] } });
  await cp.client.create(endpoints, {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: { name: 'outside', namespace: 'default' },
    subsets: [{ addresses: [{ ip: '192.0.2.10' }], ports: [{ port: 5432 }] }],
  });
  await cp.client.create(daemonSets, {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'every', namespace: 'default' },
    spec: {
      selector: { matchLabels: { app: 'every' } },
      template: { metadata: { labels: { app: 'every' } }, spec: { containers: [pauseContainer] } },
    },
  });
  await cp.client.create(statefulSets, {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'db', namespace: 'default' },
    spec: {
      serviceName: 'db',
      replicas: 2,
      selector: { matchLabels: { app: 'db' } },
      template: { metadata: { labels: { app: 'db' } }, spec: { containers: [pauseContainer] } },
      volumeClaimTemplates: [
        {
          apiVersion: 'v1',
          kind: 'PersistentVolumeClaim',
          metadata: { name: 'data' },
          spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
        },
      ],
    },
  });
  for (const [name, minAvailable] of [
    ['web', '50%'],
    ['done', '50%'],
    ['nothing', 1],
  ] as const) {
    const selector = { matchLabels: name === 'done' ? { 'job-name': name } : { app: name } };
    await cp.client.create(podDisruptionBudgets, {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name, namespace: 'default' },
      spec: { minAvailable, selector },
    });
  }
  cp.kubelet.succeeds = (p) => p.metadata.labels?.['job-name'] === 'done';
  for (const name of ['done', 'running', 'paused']) {
    await cp.client.create(jobs, {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name, namespace: 'default' },
      spec: {
        suspend: name === 'paused',
        parallelism: 2,
        completions: 3,
        template: { spec: { restartPolicy: 'Never', containers: [pauseContainer] } },
      },
    });
  }
  for (const suspend of [true, false]) {
    await cp.client.create(cronJobs, {
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      metadata: { name: suspend ? 'suspended' : 'yearly', namespace: 'default' },
      spec: {
        suspend,
        schedule: suspend ? '* * * * *' : `0 0 1 ${((new Date().getMonth() + 6) % 12) + 1} *`,
        jobTemplate: { spec: { template: { spec: { restartPolicy: 'Never', containers: [pauseContainer] } } } },
      },
    });
  }
  await cp.client.create(pods, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'huge', namespace: 'default' },
    spec: { containers: [{ ...pauseContainer, resources: { requests: { cpu: '1000' } } }] },
  });
  await eventually(async () => assert.equal((await cp.client.get(deployments, 'web', inDefault)).status?.availableReplicas, 3));
  await cp.client.patch(deployments, 'web', newImage('2'), inDefault);
  await eventually(async () => assert.equal((await cp.client.get(deployments, 'web', inDefault)).status?.updatedReplicas, 3));
  await cp.client.create(deployments, deployment('paused', 1, { paused: true }));
  await cp.client.create(
    deployments,
    deployment('never', 2, {
      template: { ...deployment('never', 1).spec?.template, spec: { nodeSelector: { no: 'where' }, containers: [pauseContainer] } },
    }),
  );
  await rest(cp);
  const count = cp.writes.length;
  await cp.stopManagers();
  cp.startManagers();
  // A pod that fits nowhere is tried once by a scheduler that has just come, and its event is new to it.
  await rest(cp);
  assert.deepEqual(
    cp.writes.slice(count).filter((w) => !w.includes('/events')),
    [],
  );
  const { items } = await cp.client.list(events, inDefault);
  for (const e of items.filter((i) => i.reason === 'FailedScheduling')) assert.ok((e.count ?? 0) < 5, `${e.message}: ${e.count}`);
  await cp.restartServer();
  const before = cp.writes.length;
  await rest(cp);
  // What the server could not take of events while it was away may come now.
  assert.deepEqual(
    cp.writes.slice(before).filter((w) => !w.includes('/events')),
    [],
  );
  await cp.client.patch(deployments, 'web', { spec: { replicas: 4 } }, inDefault);
  await eventually(async () => assert.equal((await cp.client.get(deployments, 'web', inDefault)).status?.availableReplicas, 4));
});
