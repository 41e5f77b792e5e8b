/** HorizontalPodAutoscalers. What metrics-server would serve stands in objects that a definition has, under the same paths. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { deployments, events, horizontalPodAutoscalers, type KubeObject, type ResourceType } from '../../src/api/resource-types.ts';
import type { HorizontalPodAutoscalerSpec } from '../../src/api/schema/types.ts';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { timestamp } from '../../src/clock/timestamp.ts';
import { ControlPlane } from './testing/control-plane.ts';
import { deployment, pauseContainer } from './testing/manifests.ts';

const inDefault = { namespace: 'default' };
const podMetrics: ResourceType<KubeObject> = {
  group: 'metrics.k8s.io',
  version: 'v1beta1',
  kind: 'PodMetrics',
  resource: 'pods',
  namespaced: true,
};
const definitions: ResourceType<KubeObject> = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  kind: 'CustomResourceDefinition',
  resource: 'customresourcedefinitions',
  namespaced: false,
};
const definition = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'pods.metrics.k8s.io', annotations: { 'api-approved.kubernetes.io': 'unapproved, of a test' } },
  spec: {
    group: 'metrics.k8s.io',
    scope: 'Namespaced',
    names: { plural: 'pods', singular: 'podmetric', kind: 'PodMetrics', listKind: 'PodMetricsList' },
    versions: [
      {
        name: 'v1beta1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
};

function autoscaler(spec: Partial<HorizontalPodAutoscalerSpec>) {
  const scaleTargetRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' };
  const metric = { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } };
  return {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'web', namespace: 'default' },
    spec: { scaleTargetRef, minReplicas: 2, maxReplicas: 6, metrics: [metric], ...spec },
  };
}

describe('autoscalers', () => {
  let cp: ControlPlane;
  before(async () => {
    cp = await ControlPlane.start({ autoscalerTimes: { syncPeriodMs: 200, cpuBeginningMs: 0 } });
  });
  after(() => cp.stop());

  const conditions = async (): Promise<string[]> =>
    ((await cp.client.get(horizontalPodAutoscalers, 'web', inDefault)).status?.conditions ?? []).map(
      ({ type, status, reason }) => `${type}=${status} ${reason}`,
    );
  const replicas = async (): Promise<number | undefined> => (await cp.client.get(deployments, 'web', inDefault)).spec?.replicas;
  /** Every pod that runs uses so much. */
  const use = async (cpu: string): Promise<void> => {
    const there = new Set((await cp.client.list(podMetrics, inDefault)).items.map(({ metadata }) => metadata.name));
    for (const { metadata } of await cp.podsOf('default', 'app=web')) {
      const containers = [{ name: 'main', usage: { cpu, memory: '1Mi' } }];
      const measured = { timestamp: timestamp(Date.now()), window: '1s', containers };
      const object = {
        apiVersion: 'metrics.k8s.io/v1beta1',
        kind: 'PodMetrics',
        metadata: { ...inDefault, name: metadata.name, labels: { app: 'web' } },
      };
      if (there.has(metadata.name)) await cp.client.patch(podMetrics, metadata.name, measured, inDefault);
      else await cp.client.create(podMetrics, { ...object, ...measured } as KubeObject);
    }
  };

  test('without metrics it says so and changes nothing', async () => {
    const containers = [{ ...pauseContainer, resources: { requests: { cpu: '100m' } } }];
    const template = { metadata: { labels: { app: 'web' } }, spec: { containers } };
    await cp.client.create(deployments, deployment('web', 2, { template }));
    await cp.client.create(horizontalPodAutoscalers, autoscaler({}));
    await eventually(async () =>
      assert.ok((await conditions()).includes('ScalingActive=False FailedGetResourceMetric'), String(await conditions())),
    );
    assert.equal(await replicas(), 2);
    const told = (await cp.client.list(events, inDefault)).items.filter(({ involvedObject }) => involvedObject.name === 'web');
    assert.ok(
      told.some(
        ({ reason, message = '' }) => reason === 'FailedGetResourceMetric' && message.includes('unable to get metrics for resource cpu'),
      ),
    );
  });

  test('with metrics the Deployment follows its load, up to the bound, and the pods are there', async () => {
    await cp.client.create(definitions, definition as KubeObject);
    await eventually(async () => {
      await use('80m');
      assert.equal(await replicas(), 6, JSON.stringify((await cp.client.get(horizontalPodAutoscalers, 'web', inDefault)).status));
    });
    await eventually(async () => assert.equal((await cp.client.get(deployments, 'web', inDefault)).status?.availableReplicas, 6));
    const { status } = await cp.client.get(horizontalPodAutoscalers, 'web', inDefault);
    assert.equal(status?.currentMetrics?.[0]?.resource?.current.averageUtilization, 80);
    assert.ok((await conditions()).includes('ScalingLimited=True TooManyReplicas'), String(await conditions()));
  });

  test('and back, when the object lets it at once', async () => {
    const behavior = { scaleDown: { stabilizationWindowSeconds: 0 } };
    await cp.client.patch(horizontalPodAutoscalers, 'web', { spec: { behavior } }, inDefault);
    await eventually(async () => {
      await use('1m');
      assert.equal(await replicas(), 2);
    });
  });
});
