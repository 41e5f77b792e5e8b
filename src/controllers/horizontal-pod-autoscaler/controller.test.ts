import assert from 'node:assert/strict';
import { test } from 'node:test';
import { horizontalPodAutoscalers, pods } from '../../api/resource-types.ts';
import type { HorizontalPodAutoscaler, HorizontalPodAutoscalerSpec, MetricSpec, Pod } from '../../api/schema/types.ts';
import { refusal } from '../../client/testing/fake-client.ts';
import { timestamp } from '../../clock/timestamp.ts';
import { TestBed } from '../testing/test-bed.ts';
import { HorizontalPodAutoscalerController } from './controller.ts';

const key = 'default/web';
const scalePath = '/apis/apps/v1/namespaces/default/deployments/web/scale';
const metricsPath = 'GET /apis/metrics.k8s.io/v1beta1/namespaces/default/pods?labelSelector=app%3Dweb';
const written = 'update horizontalpodautoscalers/status default/web';
const rescaled = `PUT ${scalePath}`;
const cpu: MetricSpec = { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } };

function autoscaler(spec: Partial<HorizontalPodAutoscalerSpec> = {}, name = 'web'): HorizontalPodAutoscaler {
  return {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name, namespace: 'default', uid: `uid-${name}` },
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
      minReplicas: 2,
      maxReplicas: 10,
      metrics: [cpu],
      ...spec,
    },
  };
}

function pod(name: string, now: number): Pod {
  const since = timestamp(now - 3_600_000);
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', labels: { app: 'web' } },
    spec: { containers: [{ name: 'app', image: 'i', resources: { requests: { cpu: '1', memory: '1Gi' } } }] },
    status: { phase: 'Running', startTime: since, conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: since }] },
  };
}

function scale(bed: TestBed, replicas: number, selector = 'app=web'): void {
  bed.client.answers.set(`GET ${scalePath}`, {
    apiVersion: 'autoscaling/v1',
    kind: 'Scale',
    metadata: { name: 'web', namespace: 'default', resourceVersion: '7' },
    spec: { replicas },
    status: { replicas, selector },
  });
}

/** Each pod uses so much of the CPU. */
function usage(bed: TestBed, ...amounts: readonly string[]): void {
  const items = amounts.map((amount, i) => ({
    metadata: { name: 'abc'[i], namespace: 'default' },
    timestamp: timestamp(bed.clock.now()),
    window: '15s',
    containers: [{ name: 'app', usage: { cpu: amount, memory: '100Mi' } }],
  }));
  bed.client.answers.set(metricsPath, { items });
}

/** A fall waits for a second, where the object does not say. */
const autoscalerTimes = { downWindowMs: 1000 };

async function start(bed: TestBed, ...autoscalers: readonly HorizontalPodAutoscaler[]): Promise<HorizontalPodAutoscalerController> {
  for (const one of autoscalers) bed.put(horizontalPodAutoscalers, one);
  for (const name of 'abc') bed.put(pods, pod(name, bed.clock.now()));
  const controller = new HorizontalPodAutoscalerController({ ...bed.context, autoscalerTimes });
  await bed.deliver();
  return controller;
}

function statusOf(bed: TestBed): NonNullable<HorizontalPodAutoscaler['status']> {
  return bed.client.find(horizontalPodAutoscalers, key)?.status ?? { desiredReplicas: -1 };
}

function conditionsOf(bed: TestBed): string[] {
  return (statusOf(bed).conditions ?? []).map(({ type, status, reason }) => `${type}=${status} ${reason}`);
}

test('more replicas when the pods use more than their target, looked at every 15 seconds', async () => {
  await using bed = new TestBed();
  const controller = await start(bed, autoscaler());
  scale(bed, 3);
  usage(bed, '1', '800m', '600m');
  assert.deepEqual(await bed.pass(controller, key), {
    writes: [rescaled, written],
    events: ['Normal SuccessfulRescale New size: 5; reason: cpu resource utilization (percentage of request) above target'],
    requeueAfter: 15_000,
  });
  const { conditions: _conditions, ...status } = statusOf(bed);
  assert.deepEqual(status, {
    desiredReplicas: 5,
    currentReplicas: 3,
    lastScaleTime: timestamp(bed.clock.now()),
    currentMetrics: [{ type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: 80, averageValue: '800m' } } }],
  });
  assert.deepEqual(conditionsOf(bed), [
    'AbleToScale=True SucceededRescale',
    'ScalingActive=True ValidMetricFound',
    'ScalingLimited=False DesiredWithinRange',
  ]);
});

test('its own status brings no look, a change of what is wanted does', async () => {
  await using bed = new TestBed();
  const controller = new HorizontalPodAutoscalerController(bed.context);
  const news = bed.listen(controller);
  bed.put(horizontalPodAutoscalers, autoscaler());
  assert.deepEqual(await news.deliver(), [key]);
  bed.put(horizontalPodAutoscalers, { ...autoscaler(), status: { desiredReplicas: 3 } });
  assert.deepEqual(await news.deliver(), []);
  bed.put(horizontalPodAutoscalers, autoscaler({ maxReplicas: 11 }));
  assert.deepEqual(await news.deliver(), [key]);
});

test('fewer replicas only after a while', async () => {
  await using bed = new TestBed();
  const controller = await start(bed, autoscaler());
  scale(bed, 3);
  usage(bed, '200m', '200m', '200m');
  assert.deepEqual((await bed.pass(controller, key)).writes, [written]);
  assert.deepEqual(conditionsOf(bed)[0], 'AbleToScale=True ScaleDownStabilized');
  await bed.clock.advance(1001);
  await bed.deliver();
  const { writes, events } = await bed.pass(controller, key);
  assert.deepEqual([writes, events], [[rescaled, written], ['Normal SuccessfulRescale New size: 2; reason: All metrics below target']]);
});

test('bounds hold without metrics, and a target of no replicas is left alone', async () => {
  await using bed = new TestBed();
  const controller = await start(bed, autoscaler());
  scale(bed, 12);
  assert.deepEqual((await bed.pass(controller, key)).events, [
    'Normal SuccessfulRescale New size: 10; reason: Current number of replicas above Spec.MaxReplicas',
  ]);
  scale(bed, 1);
  await bed.deliver();
  assert.deepEqual((await bed.pass(controller, key)).events, [
    'Normal SuccessfulRescale New size: 2; reason: Current number of replicas below Spec.MinReplicas',
  ]);
  scale(bed, 0);
  await bed.deliver();
  assert.deepEqual((await bed.pass(controller, key)).writes, [written]);
  assert.ok(conditionsOf(bed).includes('ScalingActive=False ScalingDisabled'));
});

test('no metrics: said in an event and a condition, and nothing is changed', async () => {
  await using bed = new TestBed();
  const controller = await start(bed, autoscaler());
  scale(bed, 3);
  bed.client.refuse(/metrics\.k8s\.io/, refusal(404, 'NotFound', 'the server could not find the requested resource'), 1);
  const why =
    'failed to get cpu utilization: unable to get metrics for resource cpu: unable to fetch metrics from resource metrics API: the server could not find the requested resource';
  assert.deepEqual(await bed.pass(controller, key), {
    writes: [written],
    events: [
      `Warning FailedGetResourceMetric ${why}`,
      `Warning FailedComputeMetricsReplicas invalid metrics (1 invalid out of 1), first error is: failed to get cpu resource metric value: ${why}`,
    ],
    requeueAfter: 15_000,
  });
  assert.deepEqual(conditionsOf(bed), ['AbleToScale=True SucceededGetScale', 'ScalingActive=False FailedGetResourceMetric']);
});

test('of several metrics the one that asks for most; one that is unknown keeps them from becoming fewer, not more', async () => {
  await using bed = new TestBed();
  const queue: MetricSpec = {
    type: 'External',
    external: { metric: { name: 'queue', selector: { matchLabels: { of: 'web' } } }, target: { type: 'AverageValue', averageValue: '10' } },
  };
  const hits: MetricSpec = { type: 'Pods', pods: { metric: { name: 'hits' }, target: { type: 'AverageValue', averageValue: '100' } } };
  const controller = await start(bed, autoscaler({ metrics: [cpu, queue, hits] }));
  scale(bed, 3);
  usage(bed, '600m', '600m', '600m');
  bed.client.answers.set('GET /apis/external.metrics.k8s.io/v1beta1/namespaces/default/queue?labelSelector=of%3Dweb', {
    items: [{ value: '30' }, { value: '25' }],
  });
  const first = await bed.pass(controller, key);
  assert.equal(
    first.events.at(-1)?.replace(/.*New size/, 'New size'),
    'New size: 6; reason: external metric queue(&LabelSelector{MatchLabels:map[string]string{of: web,},MatchExpressions:[]LabelSelectorRequirement{},}) above target',
  );
  assert.match(first.events[0] ?? '', /^Warning FailedGetPodsMetric unable to get metric hits: /);
  assert.deepEqual(
    statusOf(bed).currentMetrics?.map(({ type }) => type),
    ['Resource', 'External', ''],
  );
  usage(bed, '100m', '100m', '100m');
  bed.client.answers.delete('GET /apis/external.metrics.k8s.io/v1beta1/namespaces/default/queue?labelSelector=of%3Dweb');
  await bed.deliver();
  assert.deepEqual((await bed.pass(controller, key)).writes, [written]);
  assert.ok(conditionsOf(bed).includes('ScalingActive=False FailedGetExternalMetric'));
});

test('metrics of pods and of objects, from either version of their API', async () => {
  await using bed = new TestBed();
  const hits: MetricSpec = { type: 'Pods', pods: { metric: { name: 'hits' }, target: { type: 'AverageValue', averageValue: '100' } } };
  const describedObject = { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', name: 'front' };
  const rate: MetricSpec = { type: 'Object', object: { describedObject, metric: { name: 'rate' }, target: { type: 'Value', value: '2' } } };
  const controller = await start(bed, autoscaler({ metrics: [hits, rate] }));
  scale(bed, 3);
  bed.client.answers.set('GET /apis/custom.metrics.k8s.io', { preferredVersion: { groupVersion: 'custom.metrics.k8s.io/v1beta1' } });
  const base = 'GET /apis/custom.metrics.k8s.io/v1beta1/namespaces/default';
  const items = [...'abc'].map((name) => ({ describedObject: { name }, timestamp: timestamp(bed.clock.now()), value: '130' }));
  bed.client.answers.set(`${base}/pods/*/hits?labelSelector=app%3Dweb`, { items });
  bed.client.answers.set(`${base}/ingresses.networking.k8s.io/front/rate`, { items: [{ value: '3500m' }] });
  const { events } = await bed.pass(controller, key);
  assert.deepEqual(events, ['Normal SuccessfulRescale New size: 6; reason: Ingress metric rate above target']);
  assert.deepEqual(statusOf(bed).currentMetrics, [
    { type: 'Pods', pods: { metric: { name: 'hits' }, current: { averageValue: '130' } } },
    { type: 'Object', object: { describedObject, metric: { name: 'rate' }, current: { value: '3500m' } } },
  ]);
});

test('a target that is not there, of no known kind, or without a selector', async () => {
  await using bed = new TestBed();
  const controller = await start(bed, autoscaler());
  bed.client.refuse(/deployments\/web\/scale/, refusal(404, 'NotFound', 'deployments.apps "web" not found'), 1);
  assert.deepEqual((await bed.pass(controller, key)).events, ['Warning FailedGetScale deployments.apps "web" not found']);
  assert.deepEqual(conditionsOf(bed), ['AbleToScale=False FailedGetScale']);
  scale(bed, 3, '');
  await bed.deliver();
  assert.deepEqual((await bed.pass(controller, key)).events, [
    'Warning SelectorRequired selector is required',
    'Warning FailedComputeMetricsReplicas selector is required',
  ]);
  assert.ok(conditionsOf(bed).includes('ScalingActive=False InvalidSelector'));
  bed.put(horizontalPodAutoscalers, autoscaler({ scaleTargetRef: { apiVersion: 'x.example/v1', kind: 'Nothing', name: 'web' } }));
  await bed.deliver();
  assert.deepEqual((await bed.pass(controller, key)).events, ['Warning FailedGetScale no matches for kind "Nothing" in group "x.example"']);
});

test('what is defined by somebody else is scaled, too', async () => {
  await using bed = new TestBed();
  bed.client.serves = [{ group: 'x.example', version: 'v1', kind: 'Farm', resource: 'farms', namespaced: true, verbs: ['get'] }];
  const controller = await start(bed, autoscaler({ scaleTargetRef: { apiVersion: 'x.example/v1', kind: 'Farm', name: 'web' } }));
  const path = '/apis/x.example/v1/namespaces/default/farms/web/scale';
  bed.client.answers.set(`GET ${path}`, { metadata: { name: 'web', namespace: 'default' }, spec: { replicas: 12 } });
  assert.deepEqual((await bed.pass(controller, key)).writes, [`PUT ${path}`, written]);
});

test('two that select the same pods are both told, and neither acts', async () => {
  await using bed = new TestBed();
  const controller = await start(bed, autoscaler(), autoscaler({}, 'other'));
  scale(bed, 3);
  usage(bed, '1', '1', '1');
  assert.equal((await bed.pass(controller, key)).writes[0], rescaled);
  const said = 'pods by selector app=web are controlled by multiple HPAs: [default/other default/web]';
  assert.equal((await bed.pass(controller, 'default/other')).events[0], `Warning AmbiguousSelector ${said}`);
  assert.equal((await bed.pass(controller, key)).events[0], `Warning AmbiguousSelector ${said}`);
  // Until one of them is gone.
  bed.client.forget(horizontalPodAutoscalers, 'default/other');
  await bed.deliver();
  assert.deepEqual(await bed.pass(controller, 'default/other'), { writes: [], events: [] });
  assert.equal((await bed.pass(controller, key)).writes[0], rescaled);
});

test('a scale that somebody else wrote meanwhile is written once more, what cannot be written is said', async () => {
  await using bed = new TestBed();
  const controller = await start(bed, autoscaler());
  scale(bed, 12);
  bed.client.refuse(/^PUT/, refusal(409, 'Conflict', 'it has been modified'), 1);
  assert.deepEqual((await bed.pass(controller, key)).writes, [rescaled, rescaled, written]);
  bed.client.refuse(/^PUT/, refusal(403, 'Forbidden', 'not allowed'));
  await bed.deliver();
  assert.deepEqual((await bed.pass(controller, key)).events, [
    'Warning FailedRescale New size: 10; reason: Current number of replicas above Spec.MaxReplicas; error: not allowed',
  ]);
  assert.equal(conditionsOf(bed)[0], 'AbleToScale=False FailedUpdateScale');
});
